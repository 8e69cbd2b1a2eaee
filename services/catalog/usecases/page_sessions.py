"""Sessions of browsers: their gateway holds the tokens and carries them on, so that no page ever sees a refresh token.

The cookie shows a *credential* that stays the same as long as the session: any number of tabs and gateways may carry it on at
the same moment, and none of them takes the others for a thief. A refresh token that is good once would do just that.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from services.catalog import domain
from services.catalog.domain import CatalogError, Session
from services.catalog.store import attempts
from services.catalog.store import sessions as store
from services.catalog.store.credentials import Credentials
from services.catalog.usecases.sessions import Sessions, audited, begun, end
from services.catalog.usecases.signing_in import found_in, proven_by_password, work_of
from services.chassis.context import Actor, CallContext
from services.chassis.database import Database, PlatformWork, UnitOfWork
from services.chassis.settings import Settings


class PageSessions:
    """The use cases of browsers' sessions."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._sessions = sessions
        self._idle = timedelta(seconds=settings.page_idle_seconds)

    def sign_in(self, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a session for whom username and password prove; `credentials_invalid` otherwise."""
        embedded = self._sessions.embedded
        regency, found = proven_by_password(database, context, data["username"], data["password"], embedded)
        with work_of(database, context, regency) as work:
            attempts.forget(work, found.subject)
            return self.begin(work, regency, found)

    def begin(
        self,
        work: UnitOfWork | PlatformWork,
        regency: str,
        found: Credentials,
        provider: str | None = None,
        longest: timedelta = domain.STAFF_SESSION,
    ) -> dict[str, Any]:
        """Begin a session for somebody who was proven, here or by a provider; `account_not_valid` outside of the account's days."""
        lasting = domain.DEVICE_SESSION if provider is None else longest
        session = domain.begun_on_page(found.subject, found.role, work.now, provider, lasting)
        return self._shown(regency, found, begun(work, session, found), work.now)

    def renew(self, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
        """A new access token for the holder of a credential; `session_ended` when idle for too long, expired or ended.

        What it says follows the account as it is now.
        """
        regency, identifier = self._read(data["credential"])
        with work_of(database, context, regency) as work:
            session = store.locked(work, identifier)
            found = found_in(work, session.account) if session else None
            if session and found and found.active and domain.page_goes_on(session, found.role, self._idle, work.now):
                session = domain.seen(session, found.role, work.now)
                store.keep(work, session)
                with suppress(CatalogError):  # outside of the account's days the session ends
                    return self._shown(regency, found, session, work.now)
            if session:
                end(work, regency, session.account, session.id)
        raise CatalogError("session_ended")

    def sign_out(self, database: Database, context: CallContext, data: Mapping[str, Any]) -> tuple[int, str | None]:
        """End the session of a credential, or all sessions of its account; return how many, and the provider that it began with."""
        regency, identifier = self._read(data["credential"])
        with work_of(database, context, regency) as work:
            session = store.locked(work, identifier)
            if session is None:
                raise CatalogError("session_ended")
            found = found_in(work, session.account)
            actor = Actor(session.account, found.role if found else "unknown")
            audited(work, context, "sign_out", actor, None, str(session.id))
            return end(work, regency, session.account, None if data["everywhere"] else identifier), session.provider

    def _read(self, credential: str) -> tuple[str, Any]:
        read = domain.read_page_credential(self._sessions.keys.refresh_secrets, credential)
        if read is None:
            raise CatalogError("session_ended")
        return read

    def _shown(self, regency: str, found: Credentials, session: Session, now: datetime) -> dict[str, Any]:
        """No access token lives longer than a browser may idle: else it would be good after that."""
        access_token, lifetime = self._sessions.access_token(regency, found, session, now, self._idle)
        return {
            "credential": domain.page_credential(self._sessions.keys.refresh_secrets[0], regency, session.id),
            "access_token": access_token,
            "expires_in": lifetime,
            "ends_in": max(1, int((session.expires_at - now).total_seconds())),
        }
