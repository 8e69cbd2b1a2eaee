"""Access tokens as the catalogue makes them, and a gateway's knowledge of their keys without a catalogue."""

from __future__ import annotations

import time
import uuid
from typing import Any

from gateway.token_state import TokenState
from services.catalog.usecases.signing_keys import SigningKeys
from services.chassis.context import CallContext
from services.chassis.errors import Unavailable
from services.contracts.access_tokens import AUDIENCE, ISSUER

SECRET = "a secret of the tests, 32 characters or more"
KEYS = SigningKeys([SECRET])


class Catalogue:
    """Answers ``get_token_state``; ``away`` when told so."""

    def __init__(self, keys: SigningKeys = KEYS) -> None:
        self.keys = keys
        self.revocations: list[dict[str, Any]] = []
        self.away = False
        self.asked = 0

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        assert (service, method, payload, context.actor.role) == ("catalog", "get_token_state", {}, "system")
        self.asked += 1
        if self.away:
            raise Unavailable("the catalogue is away")
        return {"keys": list(self.keys.public), "revocations": list(self.revocations)}


def token_state() -> TokenState:
    """What a gateway knows right after it asked."""
    state = TokenState(Catalogue(), monotonic=lambda: 0.0)  # it never grows old
    state.ask()
    return state


def claims_of(role: str = "officer", regency: str | None = "lampung-timur", **claims: Any) -> dict[str, Any]:
    """The claims of a token that is good for an hour."""
    now = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"{role}@{regency or 'platform'}",
        "role": role,
        "regency": regency,
        "agencies": None,
        "counters": None,
        "site": None,
        "iat": now,
        "exp": now + 3600,
        "hold": now + 7200,
        "jti": uuid.uuid4().hex,
        "sid": str(uuid.uuid4()),
        "ver": 1,
    }
    return {**usual, **claims}


def token_of(role: str = "officer", regency: str | None = "lampung-timur", **claims: Any) -> str:
    """An access token that is good for an hour."""
    return KEYS.sign(claims_of(role, regency, **claims))
