"""A regency's catalogue with people and devices that sign in, and a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from services.catalog.usecases import entities
from services.catalog.usecases.page_sessions import PageSessions
from services.catalog.usecases.sessions import Sessions
from services.chassis.context import SYSTEM, CallContext
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.contracts import catalog as contracts

PASSWORD = "kopi pagi hari"
SECRET, NEWER = "a secret of the tests, 32 characters or more", "a newer secret of 32 characters or more"


class Clock:
    def __init__(self) -> None:
        self.instant = datetime(2026, 3, 11, 1, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant


class Hall:
    """A regency's catalogue with an officer, an administrator and a kiosk, and a clock that stands still."""

    def __init__(self, database: Database, regency: str, clock: Clock) -> None:
        self.database, self.regency, self.clock = database, regency, clock
        self.use_cases = self.with_secrets(SECRET)
        with database.regency_work(regency) as work:
            for name, role in (("sari", "officer"), ("ketut", "administrator")):
                facts = {"id": f"{name}@{regency}", "role": role, "display_name": name, "agencies": None, "password": PASSWORD}
                entities.create(work, "account", contracts.CreateAccount().load(facts))
            kiosk = {"id": f"kios@{regency}", "kind": "kiosk", "site": None, "active": True}
            entities.create(work, "device", {**kiosk, "password": PASSWORD})

    def with_secrets(self, *secrets: str) -> Sessions:
        settings = Settings(token_secrets=secrets)
        self.pages = PageSessions(settings, Sessions(settings))
        return Sessions(settings)

    def sign_in_on_page(self, name: str = "sari") -> dict[str, Any]:
        username = name if "@" in name else f"{name}@{self.regency}"
        data = contracts.BeginPageSession().load({"username": username, "password": PASSWORD})
        return self.pages.sign_in(self.database, CallContext(None, SYSTEM), data)

    def renew(self, page: dict[str, Any]) -> dict[str, Any]:
        data = contracts.RenewPageSession().load({"credential": page["credential"]})
        return contracts.PageSession().load(self.pages.renew(self.database, CallContext(None, SYSTEM), data))

    def leave(self, page: dict[str, Any], *, everywhere: bool = False) -> int:
        data = contracts.EndPageSession().load({"credential": page["credential"], "everywhere": everywhere})
        ended, provider = self.pages.sign_out(self.database, CallContext(None, SYSTEM), data)
        assert provider is None
        return ended

    def sign_in(self, name: str = "sari") -> dict[str, Any]:
        username = name if "@" in name else f"{name}@{self.regency}"
        return self._call("sign_in", contracts.SignIn, username=username, password=PASSWORD)

    def refresh(self, tokens: dict[str, Any]) -> dict[str, Any]:
        return self._call("refresh", contracts.RefreshSession, refresh_token=tokens["refresh_token"])

    def sign_out(self, tokens: dict[str, Any], *, everywhere: bool = False) -> int:
        answer = self._call("sign_out", contracts.SignOut, refresh_token=tokens["refresh_token"], everywhere=everywhere)
        return int(answer["ended"])

    def change(self, kind: str, name: str, **changes: Any) -> None:
        with self.database.regency_work(self.regency) as work:
            entities.update(work, kind, {"id": f"{name}@{self.regency}", **changes})

    def is_void(self, tokens: dict[str, Any]) -> bool:
        """Whether gateways are told that the access token is void."""
        claims = claims_of(tokens)
        state = self.use_cases.token_state(self.database, CallContext(None))
        assert contracts.TokenState().load(state) == state
        own = [each for each in state["revocations"] if each["subject"] == claims["sub"]]
        return any(each["session"] == claims["sid"] or (each["version"] or 0) > claims["ver"] for each in own)

    def pass_by(self, delta: timedelta) -> None:
        self.clock.instant += delta

    def _call(self, method: str, contract: Any, **payload: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.use_cases, method)(self.database, CallContext(None), contract().load(payload))
        return answer


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return claims
