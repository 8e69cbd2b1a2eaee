"""Who signs in: staff and devices of a regency, operators of the platform."""

from collections.abc import Mapping
from typing import Any

from services.catalog.domain import PLATFORM, CatalogError, regency_of
from services.catalog.store import credentials
from services.catalog.store.credentials import Credentials
from services.catalog.usecases.passwords import DEMO_PASSWORD, NOBODY, hash_password, matches, outdated, sign_in_turn
from services.chassis.context import CallContext
from services.chassis.database import Database
from services.chassis.errors import DomainError


def authenticate(database: Database, context: CallContext, data: Mapping[str, Any], embedded: bool) -> dict[str, Any]:
    """Subject, role, regency, agencies and site of whom username and password prove; `credentials_invalid` otherwise.

    The refusal neither says nor shows by its duration whether the name, the password or the account's state was
    wrong. No transaction is open while the password is hashed. Beyond a short queue sign-ins are `busy` at once.
    """
    with sign_in_turn(context.remaining()):
        return proven_subject(database, context, data, embedded)


def proven_subject(database: Database, context: CallContext, data: Mapping[str, Any], embedded: bool) -> dict[str, Any]:
    """What `authenticate` answers, when it is this sign-in's turn."""
    username, password = data["username"], data["password"]
    regency = regency_of(username)
    found = find(database, context, regency, username)
    proven = matches(NOBODY if found is None else found.password_hash, password)
    # Where the data of a demonstration were moved to a real installation, its public password opens nothing.
    public = password == DEMO_PASSWORD and not embedded
    if found is None or not proven or not found.active or public:
        raise CatalogError("credentials_invalid")
    if outdated(found.password_hash):
        renew(database, context, regency, found, hash_password(password, context.remaining()))
    return {
        "subject": found.subject,
        "role": found.role,
        "regency": None if regency == PLATFORM else regency,
        "agencies": found.agencies,
        "site": found.site,
    }


def find(database: Database, context: CallContext, regency: str | None, username: str) -> Credentials | None:
    """Credentials behind a username; None for a name or a regency that does not exist."""
    if regency is None:
        return None
    if regency == PLATFORM:
        with database.platform_work(context=context) as work:
            return credentials.find_operator(work, username)
    try:
        with database.regency_work(regency, context=context, read_only=True) as unit:
            return credentials.find(unit, username)
    except DomainError as error:
        if error.code == "regency_unknown":
            return None
        raise


def renew(database: Database, context: CallContext, regency: str | None, found: Credentials, password_hash: str) -> None:
    """Replace a hash that was made with older parameters."""
    if regency is None or regency == PLATFORM:
        with database.platform_work(context=context) as work:
            credentials.replace_operator_hash(work, found, password_hash)
    else:
        with database.regency_work(regency, context=context) as unit:
            credentials.replace_hash(unit, found, password_hash)
