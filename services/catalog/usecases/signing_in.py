"""Who signs in: staff and devices of a regency, operators of the platform."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from services.catalog.domain import PLATFORM, CatalogError, regency_of
from services.catalog.store import credentials
from services.catalog.store.credentials import Credentials
from services.catalog.usecases.passwords import DEMO_PASSWORD, NOBODY, hash_password, matches, outdated, sign_in_turn
from services.chassis.context import CallContext
from services.chassis.database import Database, PlatformWork, UnitOfWork
from services.chassis.errors import DomainError


def proven(database: Database, context: CallContext, data: Mapping[str, Any], embedded: bool) -> tuple[str, Credentials]:
    """Regency (or `platform`) and credentials of whom username and password prove; `credentials_invalid` otherwise.

    The refusal neither says nor shows by its duration whether the name, the password or the account's state was
    wrong. No transaction is open while the password is hashed. Beyond a short queue sign-ins are `busy` at once.
    """
    with sign_in_turn(context.remaining()):
        return _proven_in_turn(database, context, data, embedded)


def _proven_in_turn(database: Database, context: CallContext, data: Mapping[str, Any], embedded: bool) -> tuple[str, Credentials]:
    username, password = data["username"], data["password"]
    regency = regency_of(username) or ""
    found = find(database, context, regency, username)
    matching = matches(NOBODY if found is None else found.password_hash, password)
    # Where the data of a demonstration were moved to a real installation, its public password opens nothing.
    public = password == DEMO_PASSWORD and not embedded
    if found is None or not matching or not found.active or public:
        raise CatalogError("credentials_invalid")
    if outdated(found.password_hash):
        renew(database, context, regency, found, hash_password(password, context.remaining()))
    return regency, found


def find(database: Database, context: CallContext, regency: str, username: str) -> Credentials | None:
    """Credentials behind a username; None for a name or a regency that does not exist."""
    if not regency:
        return None
    try:
        with work_of(database, context, regency) as work:
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
