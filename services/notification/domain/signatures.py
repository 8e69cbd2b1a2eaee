"""Signatures of webhooks after Standard Webhooks 1.0: HMAC-SHA-256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
KEY_BYTES = 32


def new_secret() -> str:
    """Return a new secret as the receiver is given it: ``whsec_`` and the key in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def key_of(secret: str) -> bytes:
    """Return the key in a secret; raises ``ValueError`` when it is none."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def signature_of(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Return one signature, such as ``v1,g0hM...``; ``timestamp`` is Unix time in whole seconds."""
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode("ascii")


def signed_headers(keys: Sequence[str], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a request, with one signature for each secret that is valid now."""
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature_of(secret, id, timestamp, body) for secret in keys),
    }
