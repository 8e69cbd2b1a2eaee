"""Password hashes: argon2id with the parameters of the OWASP Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane).

About 30 ms of CPU and 19 MiB each, therefore always off the event loop and two at a time: some 60 sign-ins a second on two
cores, and a flood of them waits or is refused instead of taking the process's memory.
"""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.catalog.domain import invalid
from services.chassis.offload import offload
from services.chassis.turnstile import Turnstile

TURN_SECONDS = 5.0

# Shorter than any password that somebody may choose. Taken in embedded mode only.
DEMO_PASSWORD = "demo"  # noqa: S105

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_TURNS = Turnstile("catalog.passwords")

# The hash of 32 random bytes that nobody kept: verifying against it takes as long as against a real one, and fails.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$DyqfXtdnLZNWhwDfiOZnKg$tsrk0LnWSfKXBicTnEtV1JS3knK2oHOH6axLXyfDkS4"


def hash_password(password: str) -> str:
    """A salted hash that carries its parameters; raises `Unavailable` when too many wait for their turn."""
    with _TURNS.turn("password", TURN_SECONDS):
        return offload(_HASHER.hash, password)


def demo_hash(embedded: bool) -> str:
    """The hash of the demonstration's password; refused outside embedded mode."""
    if not embedded:
        raise invalid("password", "demo_password", "The demonstration's password is for embedded mode only.")
    return _hash_of_demo_password()


@cache
def _hash_of_demo_password() -> str:
    """Made once: a salt for each account would protect nothing, as everybody knows the password."""
    return hash_password(DEMO_PASSWORD)


def matches(password_hash: str, password: str) -> bool:
    """Whether the password is the one that was hashed; False for a damaged hash. Raises like `hash_password`."""
    try:
        with _TURNS.turn("password", TURN_SECONDS):
            return offload(_HASHER.verify, password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)
