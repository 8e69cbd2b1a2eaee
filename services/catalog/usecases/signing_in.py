"""Who signs in: staff and devices of a regency, operators of the platform."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from services.catalog.domain import PLATFORM, CatalogError, delay, is_forgotten, regency_of
from services.catalog.store import attempts, credentials
from services.catalog.store.credentials import Credentials
from services.catalog.usecases.passwords import DEMO_PASSWORD, NOBODY, hash_password, matches, outdated, sign_in_turn
from services.chassis.context import CallContext
from services.chassis.database import Database, PlatformWork, UnitOfWork
from services.chassis.errors import DomainError

Proof = Callable[[Credentials | None], bool]
"""Whether what was shown proves whoever this is; it takes its time for nobody too."""


def proven(database: Database, context: CallContext, username: str, proof: Proof) -> tuple[str, Credentials]:
    """Regency (or `platform`) and credentials of whom a proof shows to be right; `credentials_invalid` otherwise.

    The refusal neither says nor shows by its duration whether the name, the proof or the account's state was wrong. Who fails
    again and again has to wait (`sign_in_delayed`), also when right in between; names that nobody has are treated alike. No
    transaction is open while a password is hashed. Beyond a short queue sign-ins are `busy` at once.
    """
    with sign_in_turn(context.remaining()):
        regency = regency_of(username) or ""
        found = _counted(database, context, regency, username)
        right = proof(found)
        if found is None or not right or not found.active:
            raise CatalogError("credentials_invalid")
        return regency, found


def proven_by_password(database: Database, context: CallContext, username: str, password: str, embedded: bool) -> tuple[str, Credentials]:
    """The same by a password; one whose hash is old is hashed anew."""

    def proof(found: Credentials | None) -> bool:
        right = matches(NOBODY if found is None else found.password_hash, password)
        # Where the data of a demonstration were moved to a real installation, its public password opens nothing.
        return right and (embedded or password != DEMO_PASSWORD)

    regency, found = proven(database, context, username, proof)
    if outdated(found.password_hash):
        renew(database, context, regency, found, hash_password(password, context.remaining()))
    return regency, found


def _counted(database: Database, context: CallContext, regency: str, username: str) -> Credentials | None:
    """Count the attempt, which is forgotten when it succeeds; the credentials, or None for a name or regency that does not exist."""
    if not regency:
        return None
    try:
        with work_of(database, context, regency) as work:
            before = attempts.failures(work, username)
            wait = delay(*before, work.now) if before else timedelta()
            if wait:
                raise CatalogError("sign_in_delayed", retry_after=math.ceil(wait.total_seconds()))
            attempts.count(work, username, anew=before is not None and is_forgotten(before[1], work.now))
            return found_in(work, username)
    except DomainError as error:
        if error.code == "regency_unknown":
            return None
        raise


def found_in(work: UnitOfWork | PlatformWork, username: str) -> Credentials | None:
    """Credentials behind a username, with the account as it is now."""
    return credentials.find(work, username) if isinstance(work, UnitOfWork) else credentials.find_operator(work, username)


def renew(database: Database, context: CallContext, regency: str, found: Credentials, password_hash: str) -> None:
    """Replace a hash that was made with older parameters."""
    with work_of(database, context, regency) as work:
        if isinstance(work, UnitOfWork):
            credentials.replace_hash(work, found, password_hash)
        else:
            credentials.replace_operator_hash(work, found, password_hash)


@contextmanager
def work_of(database: Database, context: CallContext, regency: str) -> Iterator[UnitOfWork | PlatformWork]:
    """A unit of work where the accounts of a regency, or of `platform`, are; `regency_unknown` where there is none."""
    if regency == PLATFORM:
        with database.platform_work(context=context) as work:
            yield work
    else:
        with database.regency_work(regency, context=context) as unit:
            yield unit
