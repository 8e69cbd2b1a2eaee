"""Checks an ID token (OpenID Connect Core 1.0, 3.1.3.7). PyJWT verifies the signature; the rest are rules of the protocol."""

from __future__ import annotations

import hmac
import time
from typing import Any, Final

import jwt

from services.catalog.identity_providers.exchange import Exchange

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA", "PS256", "RS384", "RS512", "ES384", "ES512")
"""Signatures with a key pair. What a shared secret signs, or nobody, proves nothing."""

LEEWAY_SECONDS: Final = 60
"""The provider's clock and ours may differ by this much."""

LONGEST: Final = 32_768

_REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nonce"]


class TokenInvalid(Exception):
    """The ID token proves nothing; the message says why, for the log."""


def claims_of(exchange: Exchange, token: Any, nonce: str, begun_at: float) -> dict[str, Any]:
    """Return the claims of a token that this provider made for us, for this sign-in; raises ``TokenInvalid``.

    :param begun_at: when the sign-in began, Unix time: an older token was made for something else.
    """
    if not isinstance(token, str) or len(token) > LONGEST:
        raise TokenInvalid("absent")
    provider = exchange.provider
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise TokenInvalid("algorithm")
        claims = jwt.decode(
            token,
            _key(exchange, header.get("kid"), str(algorithm)),
            algorithms=[str(algorithm)],
            issuer=provider.issuer,
            audience=provider.client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": _REQUIRED},
        )
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise TokenInvalid(type(error).__name__) from error
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims.get("azp", provider.client_id) != provider.client_id or (len(audience) > 1 and "azp" not in claims):
        raise TokenInvalid("azp")
    if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise TokenInvalid("nonce")
    if not begun_at - LEEWAY_SECONDS <= claims["iat"] <= time.time() + LEEWAY_SECONDS:
        raise TokenInvalid("iat")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise TokenInvalid("sub")
    return dict(claims)


def _key(exchange: Exchange, identifier: Any, algorithm: str) -> Any:
    """Return the key that a token names; one that names none may use the only key of its kind."""
    fitting = []
    for key in exchange.keys(identifier if isinstance(identifier, str) else None):
        if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm or (identifier and key.get("kid") != identifier):
            continue
        try:
            fitting.append(jwt.PyJWK(key, algorithm=algorithm).key)
        except jwt.PyJWTError:
            continue  # of another kind
    if len(fitting) != 1:
        raise TokenInvalid("key")
    return fitting[0]
