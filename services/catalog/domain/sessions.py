"""Sessions: who is signed in, for how long, and what becomes of a refresh token that is shown twice.

A session begins with a sign-in and lives as a chain of refresh tokens, of which the newest alone is good (RFC 9700, 4.14.2).
Each is calculated from the session, its *generation* and a secret, so that no table holds it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

DEVICES = frozenset({"kiosk", "display"})

STAFF_SESSION = timedelta(hours=12)
"""A working day with its overtime; next morning an officer signs in again."""

DEVICE_SESSION = timedelta(days=90)
"""A kiosk that was last switched on so long ago is paired again; one that is in use stays signed in."""

REPEAT = timedelta(seconds=10)
"""So long the refresh token before the newest is answered like the newest: its answer may have been lost on the way."""

Outcome = Literal["rotate", "repeat", "reused", "ended"]

_MAC_BYTES = 16


@dataclass(frozen=True)
class Session:
    """One sign-in. Times are instants in UTC."""

    id: uuid.UUID
    account: str
    generation: int
    rotated_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None


def begun(account: str, role: str, now: datetime, identifier: uuid.UUID | None = None) -> Session:
    """Return a new session."""
    return Session(identifier or uuid.uuid4(), account, 1, now, now + lasting(role))


def lasting(role: str) -> timedelta:
    """Return how long a session lasts: of staff from the sign-in, of a device from its last refresh."""
    return DEVICE_SESSION if role in DEVICES else STAFF_SESSION


def outcome_of(session: Session | None, generation: int, now: datetime) -> Outcome:
    """Judge a genuine refresh token of a session.

    ``reused``: an older one than the newest came back after :data:`REPEAT`. Either its thief or its owner holds a copy, and
    nobody can tell which: the session has to end.
    """
    if session is None or session.ended_at is not None or now >= session.expires_at or generation > session.generation:
        return "ended"
    if generation == session.generation:
        return "rotate"
    lost = generation == session.generation - 1 and now - session.rotated_at <= REPEAT
    return "repeat" if lost else "reused"


def rotated(session: Session, role: str, now: datetime) -> Session:
    """Return the session after its newest token was used: that one is spent."""
    expires_at = now + DEVICE_SESSION if role in DEVICES else session.expires_at
    return replace(session, generation=session.generation + 1, rotated_at=now, expires_at=expires_at)


def refresh_token(secret: bytes, regency: str, session: Session) -> str:
    """Return the session's newest refresh token: its regency (or ``platform``), a dot, and 36 bytes in base64url."""
    body = session.id.bytes + session.generation.to_bytes(4, "big")
    return f"{regency}.{base64.urlsafe_b64encode(body + _mac(secret, regency, body)).decode().rstrip('=')}"


def read_refresh_token(secrets: Sequence[bytes], token: str) -> tuple[str, uuid.UUID, int] | None:
    """Return regency, session and generation of a token that was made with one of the secrets; ``None`` for any other text."""
    regency, _, rest = token.partition(".")
    try:
        raw = base64.b64decode(rest + "=" * (-len(rest) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:20], raw[20:]
    genuine = len(raw) == 20 + _MAC_BYTES and any(hmac.compare_digest(mac, _mac(secret, regency, body)) for secret in secrets)
    if not genuine:
        return None
    return regency, uuid.UUID(bytes=body[:16]), int.from_bytes(body[16:], "big")


def _mac(secret: bytes, regency: str, body: bytes) -> bytes:
    return hmac.new(secret, b"refresh:" + regency.encode() + b":" + body, hashlib.sha256).digest()[:_MAC_BYTES]
