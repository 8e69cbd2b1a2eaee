"""Password hashes: argon2id with the parameters of the OWASP Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane).

About 30 ms of CPU and 19 MiB each, therefore always off the event loop and a few at a time: some 60 sign-ins a second on two
cores. New passwords wait for no sign-in. A flood is refused instead of taking the process's memory.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from services.catalog import domain
from services.catalog.domain import invalid
from services.chassis.offload import offload
from services.chassis.turnstile import Turnstile

MOST_WAITING_SIGN_INS = 32
"""About half a second's worth, and no more than half of the requests that a replica takes at a time: the public catalogue is
read beside any flood of sign-ins."""

# Shorter than any password that somebody may choose. Taken in embedded mode only.
DEMO_PASSWORD = "demo"  # noqa: S105

FEWEST_GUESSES = 10**8
"""At the most that the delays let through, some 300 a day, nobody gets far; and a stolen hash costs 30 ms a guess."""

_LOOKED_AT = 72
"""Characters; the time that looking takes grows with their square."""

_KNOWN_WORDS = (
    *("antrean", "antri", "loket", "petugas", "kantor", "dukcapil", "pelayanan", "publik", "mall", "mpp", "kabupaten", "admin"),
    *("indonesia", "merdeka", "pancasila", "garuda", "bismillah", "rahasia", "sandi", "masuk", "cinta", "sayang", "jakarta"),
)

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_SIGN_INS = Turnstile("catalog.sign_ins", longest_queue=MOST_WAITING_SIGN_INS)
_NEW_PASSWORDS = Turnstile("catalog.passwords")

_demo_hashes: list[str] = []

# The hash of 32 random bytes that nobody kept: verifying against it takes as long as against a real one, and fails.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$DyqfXtdnLZNWhwDfiOZnKg$tsrk0LnWSfKXBicTnEtV1JS3knK2oHOH6axLXyfDkS4"


@contextmanager
def sign_in_turn(seconds: float) -> Iterator[None]:
    """Admit a sign-in as a whole: before it takes a database connection, and until its password is verified.

    Raises `Busy` at once when too many wait, `DeadlineExceeded` when the turn does not come within `seconds`.
    """
    with _SIGN_INS.turn("sign-in", seconds):
        yield


def check_password(password: str, username: str) -> None:
    """Refuse a password that is too short, the user name, or soon guessed; composition does not count (NIST SP 800-63B-4).

    Guesses are estimated by zxcvbn (Wheeler, USENIX Security 2016), which knows names, words, dates and keyboards; the
    words of this trade and of the user name count as known.
    """
    domain.check_password(password, username)
    known = [*_KNOWN_WORDS, *re.findall(r"[^\W_]+", username.lower())]
    if zxcvbn(password[:_LOOKED_AT], user_inputs=known)["guesses"] < FEWEST_GUESSES:
        raise invalid("password", "password_guessable", "Too easy to guess; string some unrelated words together.")


def hash_password(password: str, seconds: float) -> str:
    """A salted hash that carries its parameters; raises `Unavailable` when its turn does not come within `seconds`."""
    with _NEW_PASSWORDS.turn("password", seconds):
        return offload(_HASHER.hash, password)


def demo_hash(embedded: bool, seconds: float) -> str:
    """The hash of the demonstration's password; refused outside embedded mode."""
    if not embedded:
        raise invalid("password", "demo_password", "The demonstration's password is for embedded mode only.")
    # Made once: a salt for each account would protect nothing, as everybody knows the password.
    if not _demo_hashes:
        _demo_hashes.append(hash_password(DEMO_PASSWORD, seconds))
    return _demo_hashes[0]


def matches(password_hash: str, password: str) -> bool:
    """Whether the password is the one that was hashed; False for a damaged hash. Within a `sign_in_turn` only."""
    try:
        return offload(_HASHER.verify, password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)
