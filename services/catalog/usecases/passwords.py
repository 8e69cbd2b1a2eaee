"""Password hashes: argon2id with the parameters of the OWASP Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane).

About 30 ms of CPU each, therefore always off the event loop.
"""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.chassis.offload import offload

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# The hash of 32 random bytes that nobody kept: verifying against it takes as long as against a real one, and fails.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$DyqfXtdnLZNWhwDfiOZnKg$tsrk0LnWSfKXBicTnEtV1JS3knK2oHOH6axLXyfDkS4"


def hash_password(password: str) -> str:
    """A salted hash that carries its parameters."""
    return offload(_HASHER.hash, password)


@cache
def hash_of_public_password(password: str) -> str:
    """One hash for all accounts that share a password which is no secret (demonstration only)."""
    return hash_password(password)


def matches(password_hash: str, password: str) -> bool:
    """Whether the password is the one that was hashed; False for a damaged hash."""
    try:
        return offload(_HASHER.verify, password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)
