"""Access tokens: signed at login, verified on every request, never stored.

A token is a JWT signed with HMAC-SHA-256. It says who acts, in which role and for which regency, so that a request
costs no look-up; its price is that a withdrawn account can act until its token expires.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from gateway.problems import Refusal
from services.chassis.context import ANONYMOUS, Actor
from services.contracts.authorisation import OPERATOR, ROLES

ISSUER: Final = "mpp"
AUDIENCE: Final = "mpp-api"
ALGORITHM: Final = "HS256"

LIFETIME_SECONDS: Final = 8 * 3600
"""One working day at the counter (08:00 to 16:00): an officer signs in once a morning, and there is no renewal yet
that a kiosk or an officer in mid-conversation could miss."""

CONSUMER_LIFETIME_SECONDS: Final = 900
"""A program signs in again by itself; one that was cut off can read this much longer."""

CLOCK_SKEW_SECONDS: Final = 5
"""Two gateways may differ by this much."""

LONGEST_TOKEN: Final = 4096

MOST_REMEMBERED: Final = 2048
"""Tokens whose signature is not calculated again; the one that came first makes room for the next."""

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_CLAIMS = ["iss", "aud", "sub", "role", "iat", "exp", "jti"]
"""Claims that are never null; "regency" and "agencies" must be present too, and may be null. "site" binds a device to
one site; other tokens lack it or have null."""


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a token of ours says: it cannot change, but its time comes and goes."""

    actor: Actor
    issued_at: int
    expires: int

    def actor_at(self, now: float) -> Actor:
        if not self.issued_at - CLOCK_SKEW_SECONDS <= now < self.expires:
            raise jwt.ExpiredSignatureError
        return self.actor


class AccessTokens:
    """Issues and verifies access tokens with one secret (at least 32 characters)."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._now = now
        self._seen: dict[str, _Verified] = {}

    def issue(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of ``POST /v1/auth/token`` for what ``catalog.authenticate`` said of the caller."""
        issued_at = int(self._now())
        lifetime = CONSUMER_LIFETIME_SECONDS if identity["role"] == "consumer" else LIFETIME_SECONDS
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": identity["subject"],
            "role": identity["role"],
            "regency": identity["regency"],
            "agencies": identity["agencies"],
            "site": identity.get("site"),
            "iat": issued_at,
            "exp": issued_at + lifetime,
            "jti": uuid.uuid4().hex,
        }
        token = jwt.encode(claims, self._secret, algorithm=ALGORITHM)
        return {"access_token": token, "token_type": "Bearer", "expires_in": lifetime}

    def actor(self, authorization: str | None) -> Actor:
        """Return who an ``Authorization`` header speaks for; ``ANONYMOUS`` without one.

        Raises ``Refusal("token_invalid")`` for everything that is not a valid token of ours, also an expired one.
        """
        if authorization is None:
            return ANONYMOUS
        match = _BEARER.fullmatch(authorization) if len(authorization) <= LONGEST_TOKEN else None
        if match is None:
            raise Refusal("token_invalid")
        try:
            return self._verified(match[1]).actor_at(self._now())
        except (jwt.InvalidTokenError, KeyError, ValueError) as invalid:
            raise Refusal("token_invalid") from invalid

    def _verified(self, token: str) -> _Verified:
        """Return what a token says whose signature and claims are right; whoever shows it again is not calculated again."""
        known = self._seen.get(token)
        if known is None:
            known = self._read(token)
            if len(self._seen) >= MOST_REMEMBERED:
                self._seen.pop(next(iter(self._seen)))
            self._seen[token] = known
        return known

    def _read(self, token: str) -> _Verified:
        claims = jwt.decode(
            token,
            self._secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            # times are checked at each use, against the clock that was passed in
            options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        issued_at, expires = claims["iat"], claims["exp"]
        if type(issued_at) is not int or type(expires) is not int:
            raise ValueError("times must be integers")
        return _Verified(_actor_of(claims), issued_at, expires)


def _actor_of(claims: Mapping[str, Any]) -> Actor:
    subject, role, regency, agencies = (claims[name] for name in ("sub", "role", "regency", "agencies"))
    site = claims.get("site")
    if not isinstance(subject, str) or not subject or role not in ROLES:
        raise ValueError("unknown subject or role")
    if (regency is None) != (role == OPERATOR) or not isinstance(regency, str | None):
        raise ValueError("every role but the operator belongs to a regency")
    if agencies is not None and not (isinstance(agencies, list) and all(isinstance(a, str) for a in agencies)):
        raise ValueError("agencies must be a list of ids or null")
    if not isinstance(site, str | None):
        raise ValueError("a device stands at one site or at none")
    return Actor(subject, role, regency, None if agencies is None else tuple(agencies), site)
