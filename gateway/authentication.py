"""Access tokens: signed by the catalogue, verified here on every request, never stored.

A token says who acts, in which role and for which regency, so that a request costs no look-up. It lives for minutes; what is
taken back earlier, :mod:`gateway.token_state` hears of within seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from gateway.problems import Refusal
from gateway.token_state import TokenState
from services.chassis.context import ANONYMOUS, Actor
from services.contracts.access_tokens import ALGORITHM, AUDIENCE, ISSUER, REQUIRED
from services.contracts.authorisation import OPERATOR, ROLES

CLOCK_SKEW_SECONDS: Final = 5
"""Catalogue and gateway may differ by this much."""

LONGEST_TOKEN: Final = 4096

MOST_REMEMBERED: Final = 2048
"""Tokens whose signature is not calculated again; the one that came first makes room for the next."""

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """What an access token of ours says: it cannot change, but its time comes and goes. Times are Unix seconds."""

    key: str
    actor: Actor
    session: str
    version: int
    issued_at: int
    expires: int
    hold: int

    @property
    def half_life(self) -> float:
        """When it is time to think of the next one."""
        return (self.issued_at + self.expires) / 2


class AccessTokens:
    """Verifies access tokens."""

    def __init__(self, state: TokenState, now: Callable[[], float] = time.time) -> None:
        self.state = state
        self._now = now
        self._seen: dict[str, Token] = {}

    def actor(self, authorization: str | None) -> Actor:
        """Return who an ``Authorization`` header speaks for; ``ANONYMOUS`` without one.

        Raises ``Refusal("token_invalid")`` for everything that is not a valid token of ours, also an expired or a revoked one;
        ``service_unavailable`` while no key is known, because the catalogue was away since this gateway began.
        """
        if authorization is None:
            return ANONYMOUS
        match = _BEARER.fullmatch(authorization) if len(authorization) <= LONGEST_TOKEN else None
        if match is None:
            raise Refusal("token_invalid")
        token = self.good(match[1])
        if token is None:
            raise Refusal("token_invalid")
        return token.actor

    def good(self, text: str) -> Token | None:
        """Return what a token of ours says that is good now; ``None`` for an expired, a revoked and any other text.

        Raises ``Refusal("service_unavailable")`` while no key is known.
        """
        if len(text) > LONGEST_TOKEN:
            return None
        try:
            token = self._verified(text)
        except (jwt.InvalidTokenError, KeyError, ValueError):
            return None
        return token if self._is_good(token) else None

    def _is_good(self, token: Token) -> bool:
        until = token.hold if self.state.is_stale else token.expires
        if not token.issued_at - CLOCK_SKEW_SECONDS <= self._now() < until or not self.state.has_key(token.key):
            return False
        return not self.state.is_revoked(token.actor.id or "", token.session, token.version)

    def _verified(self, token: str) -> Token:
        """Return what a token says whose signature and claims are right; whoever shows it again is not calculated again."""
        known = self._seen.get(token)
        if known is None:
            known = self._read(token)
            if len(self._seen) >= MOST_REMEMBERED:
                self._seen.pop(next(iter(self._seen)))
            self._seen[token] = known
        return known

    def _read(self, token: str) -> Token:
        header = jwt.get_unverified_header(token)
        key = self.state.key(str(header.get("kid"))) if header.get("alg") == ALGORITHM else None
        if key is None:
            if not self.state.public:
                raise Refusal("service_unavailable", failing=["catalog"])
            raise ValueError("no key of ours")
        claims = jwt.decode(
            token,
            key.key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            # times are checked at each use, against the clock that was passed in
            options={"require": list(REQUIRED), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        numbers = [claims[name] for name in ("ver", "iat", "exp", "hold")]
        if not isinstance(claims["sid"], str) or any(type(number) is not int for number in numbers):
            raise ValueError("times and versions must be whole numbers")
        return Token(header["kid"], _actor_of(claims), claims["sid"], *numbers)


def _actor_of(claims: Mapping[str, Any]) -> Actor:
    subject, role, regency, site = (claims[name] for name in ("sub", "role", "regency", "site"))
    if not isinstance(subject, str) or not subject or role not in ROLES:
        raise ValueError("unknown subject or role")
    if (regency is None) != (role == OPERATOR) or not isinstance(regency, str | None):
        raise ValueError("every role but the operator belongs to a regency")
    if not isinstance(site, str | None):
        raise ValueError("a device stands at one site or at none")
    return Actor(subject, role, regency, _ids(claims["agencies"]), site, _ids(claims["counters"]))


def _ids(claim: Any) -> tuple[str, ...] | None:
    if claim is None:
        return None
    if not isinstance(claim, list) or not all(isinstance(each, str) for each in claim):
        raise ValueError("agencies and counters must be lists of ids, or null")
    return tuple(claim)
