"""Setting one's own password, proven by the present one or by a one-time code that an administrator has made."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from services.catalog import domain
from services.catalog.domain import PLATFORM, CatalogError, one_time_code
from services.catalog.store import attempts, codes, credentials
from services.catalog.store import entities as store
from services.catalog.store.credentials import Credentials
from services.catalog.usecases import entities, sessions
from services.catalog.usecases.passwords import check_password, hash_password
from services.catalog.usecases.sessions import Sessions
from services.catalog.usecases.signing_in import found_in, proven, proven_by_password, work_of
from services.catalog.usecases.signing_keys import SigningKeys
from services.chassis.context import CallContext
from services.chassis.database import Database, PlatformWork, UnitOfWork
from services.chassis.settings import Settings

NO_SERIAL = uuid.UUID(int=0)
"""Of codes that do not exist; a guess is compared all the same."""


def create_code(work: UnitOfWork, data: Mapping[str, Any]) -> dict[str, Any]:
    """Make the code of a staff account, in place of an earlier one; `account_unknown`. The code itself is added to the answer alone."""
    account = entities.get(work, "account", data["id"])
    serial, expires_at = uuid.uuid4(), work.now + domain.CODE_LIFE
    codes.keep_code(work, account["id"], serial, expires_at)
    return {"id": account["id"], "serial": str(serial), "expires_at": expires_at.astimezone(UTC).isoformat()}


def with_code(settings: Settings, answer: dict[str, Any]) -> dict[str, Any]:
    """Add the code to the answer: it is calculated, so it stands in no table."""
    secret = SigningKeys(settings.required_token_secrets()).refresh_secrets[0]
    facts = {name: value for name, value in answer.items() if name != "serial"}
    return {**facts, "code": one_time_code(secret, answer["id"], uuid.UUID(answer["serial"]))}


def set_password(use_cases: Sessions, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
    """Give an account another password, end its sessions, and begin one.

    :raises CatalogError: ``credentials_invalid``, ``sign_in_delayed``, ``payload_invalid`` for a password that is no good one,
        ``account_not_valid``.
    """
    username = data["username"]
    check_password(data["new_password"], username)
    serial = None
    if "code" in data:
        serial = _serial(database, context, username)
        regency, found = proven(database, context, username, lambda _: _is_code(use_cases, username, serial, data["code"]))
    else:
        regency, found = proven_by_password(database, context, username, data["password"], use_cases.embedded)
    password_hash = hash_password(data["new_password"], context.remaining())
    with work_of(database, context, regency) as work:
        attempts.forget(work, username)
        _replace(work, found, password_hash, serial)
        now = found_in(work, username)
        if now is None:
            raise CatalogError("credentials_invalid")
        return use_cases.begin(work, regency, now)


def _serial(database: Database, context: CallContext, username: str) -> uuid.UUID:
    regency = domain.regency_of(username) or ""
    if regency in ("", PLATFORM):
        return NO_SERIAL
    try:
        with database.regency_work(regency, context=context) as work:
            return codes.serial_of(work, username) or NO_SERIAL
    except Exception as error:
        if getattr(error, "code", None) == "regency_unknown":
            return NO_SERIAL
        raise


def _is_code(use_cases: Sessions, username: str, serial: uuid.UUID | None, given: str) -> bool:
    secrets = use_cases.keys.refresh_secrets
    right = [domain.is_code(given, one_time_code(secret, username, serial or NO_SERIAL)) for secret in secrets]
    return any(right) and serial not in (None, NO_SERIAL)


def _replace(work: UnitOfWork | PlatformWork, found: Credentials, password_hash: str, serial: uuid.UUID | None) -> None:
    """Store the new password; a code is good once, also for two who use it at the same moment."""
    if isinstance(work, UnitOfWork):
        store.one_at_a_time(work)
        if serial is not None and not codes.spend_code(work, found.subject, serial):
            raise CatalogError("credentials_invalid")
        current = store.find(work, found.kind, found.subject)
        if current is None:
            raise CatalogError("credentials_invalid")
        entities.change(work, found.kind, current, {}, password_hash)
    else:
        credentials.change_operator_password(work, found, password_hash)
        sessions.end(work, PLATFORM, found.subject)
