"""Keys that sign access tokens: Ed25519 (RFC 8037), each made from one of the secrets of `MPP_TOKEN_SECRET`.

The first secret signs, all of them verify: a new one is put second, later first, and the old one dropped when its last
token has expired. What others need to verify is public (`/.well-known/jwks.json`); only this service can sign.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from services.chassis.encryption import derived_key
from services.contracts.access_tokens import ALGORITHM


class SigningKeys:
    """The keys of an installation, the one that signs first."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """:param secrets: newest first, at least one."""
        self._private = [Ed25519PrivateKey.from_private_bytes(derived_key(secret, "sign:access-tokens")) for secret in secrets]
        self.refresh_secrets = tuple(derived_key(secret, "refresh-tokens") for secret in secrets)
        """What refresh tokens are calculated with, newest first."""
        self.public = tuple(_public_jwk(key) for key in self._private)
        """JSON Web Keys (RFC 7517) of all of them."""

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return an access token with these claims, signed by the newest key."""
        return jwt.encode(dict(claims), self._private[0], algorithm=ALGORITHM, headers={"kid": self.public[0]["kid"]})


def _public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    numbers = json.loads(OKPAlgorithm.to_jwk(key.public_key()))
    kid = hashlib.sha256(numbers["x"].encode()).hexdigest()[:16]
    return {"kid": kid, "kty": "OKP", "crv": "Ed25519", "x": numbers["x"], "alg": ALGORITHM, "use": "sig"}
