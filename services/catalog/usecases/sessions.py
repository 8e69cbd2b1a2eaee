"""Sessions: begun by a sign-in, carried on with refresh tokens, ended by their owner, an administrator or a misuse."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from services.catalog import domain
from services.catalog.domain import PLATFORM, CatalogError, Session
from services.catalog.store import attempts
from services.catalog.store import sessions as store
from services.catalog.store.credentials import Credentials
from services.catalog.usecases.signing_in import found_in, proven_by_password, work_of
from services.catalog.usecases.signing_keys import SigningKeys
from services.chassis import audit
from services.chassis.context import SYSTEM, Actor, CallContext
from services.chassis.database import Database, PlatformWork, UnitOfWork
from services.chassis.errors import DatabaseUnavailable
from services.chassis.logs import get_logger
from services.chassis.settings import Settings
from services.contracts.access_tokens import AUDIENCE, ISSUER

log = get_logger(__name__)

OVERLAP = timedelta(minutes=1)
"""Revocations are told for a while longer than the access tokens live that they make void: clocks differ."""


class Sessions:
    """The use cases of sessions, with the keys that sign."""

    def __init__(self, settings: Settings) -> None:
        self.keys = SigningKeys(settings.required_token_secrets())
        self._lifetime = timedelta(seconds=settings.access_token_seconds)
        self.embedded = settings.embedded

    def sign_in(self, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a session for whom username and password prove; `credentials_invalid` otherwise."""
        regency, found = proven_by_password(database, context, data["username"], data["password"], self.embedded)
        with work_of(database, context, regency) as work:
            attempts.forget(work, found.subject)
            return self.begin(work, regency, found)

    def begin(self, work: UnitOfWork | PlatformWork, regency: str, found: Credentials) -> dict[str, Any]:
        """Begin a session for somebody who was proven; `account_not_valid` outside of the account's days."""
        return self.tokens(regency, found, begun(work, domain.begun(found.subject, found.role, work.now), found), work.now)

    def refresh(self, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
        """New tokens for the holder of a session's newest refresh token; `session_ended` otherwise.

        What a token says follows the account as it is now. An older refresh token that comes back ends the session, for it is
        in the wrong hands, or the newer one is.
        """
        regency, identifier, generation = self._read(data["refresh_token"])
        with work_of(database, context, regency) as work:
            session = store.locked(work, identifier)
            outcome = domain.outcome_of(session, generation, work.now)
            found = found_in(work, session.account) if session else None
            if session and outcome in ("rotate", "repeat") and found and found.active:
                if outcome == "rotate":
                    session = domain.rotated(session, found.role, work.now)
                    store.keep(work, session)
                with suppress(CatalogError):  # outside of the account's days the session ends
                    return self.tokens(regency, found, session, work.now)
            if session and outcome == "reused":
                audited(work, context, "refresh_token_reused", SYSTEM, session.account, str(session.id))
                log.warning("refresh_token_reused", regency=regency, session=str(session.id))
            if session:
                end(work, regency, session.account, session.id)
        raise CatalogError("session_ended")

    def sign_out(self, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
        """End the session of a refresh token, whichever of its generations, or all sessions of its account."""
        regency, identifier, _ = self._read(data["refresh_token"])
        with work_of(database, context, regency) as work:
            session = store.locked(work, identifier)
            if session is None:
                raise CatalogError("session_ended")
            found = found_in(work, session.account)
            audited(work, context, "sign_out", Actor(session.account, found.role if found else "unknown"), None, str(session.id))
            return {"ended": end(work, regency, session.account, None if data["everywhere"] else identifier)}

    def token_state(self, database: Database, context: CallContext) -> dict[str, Any]:
        """What gateways must know to judge access tokens: public keys, and what was revoked of late.

        A database server that is away revokes nothing meanwhile, and keeps nobody from hearing of the others.
        """
        told: list[dict[str, Any]] = []
        for server in database.servers:
            try:
                with database.platform_work(context=context, server=server) as work:
                    since = work.now - self._lifetime - OVERLAP
                    told += [
                        {"subject": subject, "session": None if session is None else str(session), "version": version}
                        for subject, session, version in store.revocations(work, since)
                    ]
            except DatabaseUnavailable:
                if server == database.servers[0]:
                    raise
        return {"keys": list(self.keys.public), "revocations": told}

    def _read(self, token: str) -> tuple[str, uuid.UUID, int]:
        read = domain.read_refresh_token(self.keys.refresh_secrets, token)
        if read is None:
            raise CatalogError("session_ended")
        return read

    def tokens(self, regency: str, found: Credentials, session: Session, now: datetime) -> dict[str, Any]:
        """The tokens of a session as the account is now; `account_not_valid` outside of its days."""
        access_token, lifetime = self.access_token(regency, found, session, now, self._lifetime)
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": lifetime,
            "refresh_token": domain.refresh_token(self.keys.refresh_secrets[0], regency, session),
            "refresh_expires_in": max(1, int((session.expires_at - now).total_seconds())),
        }

    def access_token(self, regency: str, found: Credentials, session: Session, now: datetime, longest: timedelta) -> tuple[str, int]:
        """An access token and its seconds, `longest` at most; `account_not_valid` outside of the account's days."""
        ends = domain.end_of_validity(found.valid_from, found.valid_until, found.timezone, now)
        until = session.expires_at if ends is None else min(session.expires_at, ends)
        lifetime = min(self._lifetime, longest, until - now)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": found.subject,
            "role": found.role,
            "regency": None if regency == PLATFORM else regency,
            "agencies": found.agencies,
            "counters": found.counters,
            "site": found.site,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "hold": int(min(until, now + domain.STAFF_SESSION).timestamp()),
            "jti": uuid.uuid4().hex,
            "sid": str(session.id),
            "ver": found.version,
        }
        return self.keys.sign(claims), max(1, int(lifetime.total_seconds()))


def begun(work: UnitOfWork | PlatformWork, session: Session, found: Credentials) -> Session:
    """Store a new session of somebody who was proven."""
    store.add(work, session)
    audited(work, work.context, "sign_in", Actor(found.subject, found.role), None, str(session.id))
    return session


def audited(work: UnitOfWork | PlatformWork, context: CallContext, action: str, actor: Actor, account: str | None, session: str) -> None:
    """Write down what was done with a session."""
    change = audit.Change("account", account or actor.id, None, {"session": session}, {})
    audit.write(work, context, action, change, actor=actor)


def end(work: UnitOfWork | PlatformWork, regency: str, account: str, session: uuid.UUID | None = None) -> int:
    """End one session of an account, or all of them, access tokens included; return how many."""
    ended = store.end(work, account, session)
    for each in ended:
        store.revoke(work, regency, account, session=each)
    return len(ended)


def follow_change(work: UnitOfWork, before: domain.Entity, after: domain.Entity, new_password: bool) -> None:
    """After a change of an account or device: access tokens that say otherwise are void, and new ones say what is true.

    Who has another password or another role, or is not active any more, has to sign in again.
    """
    store.revoke(work, work.regency, after["id"], version=after["version"])
    role = "role" if "role" in after else "kind"
    if new_password or not after["active"] or before[role] != after[role]:
        end(work, work.regency, after["id"])


def end_of_account(work: UnitOfWork, data: Mapping[str, Any]) -> dict[str, Any]:
    """End all sessions of a staff account or device; `account_unknown` when there is none."""
    if found_in(work, data["id"]) is None:
        raise CatalogError("account_unknown", id=data["id"])
    return {"ended": end(work, work.regency, data["id"])}
