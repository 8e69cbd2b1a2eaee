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
    page: bool = False
    """Of a browser: carried on by its gateway with a credential that stays the same, never with refresh tokens."""
    provider: str | None = None
    """The identity provider with which it began; ``None`` for a password."""


def begun(account: str, role: str, now: datetime, identifier: uuid.UUID | None = None) -> Session:
    """Return a new session."""
    return Session(identifier or uuid.uuid4(), account, 1, now, now + lasting(role))


def begun_on_page(account: str, role: str, now: datetime, provider: str | None = None, longest: timedelta = DEVICE_SESSION) -> Session:
    """Return a new session of a browser, which lasts ``longest`` at most."""
    return Session(uuid.uuid4(), account, 1, now, now + min(lasting(role), longest), page=True, provider=provider)


def lasting(role: str) -> timedelta:
    """Return how long a session lasts: of staff from the sign-in, of a device from its last refresh."""
    return DEVICE_SESSION if role in DEVICES else STAFF_SESSION


def outcome_of(session: Session | None, generation: int, now: datetime) -> Outcome:
    """Judge a genuine refresh token of a session.

    ``reused``: an older one than the newest came back after :data:`REPEAT`. Either its thief or its owner holds a copy, and
    nobody can tell which: the session has to end.
    """
    if session is None or not _goes_on(session, now) or session.page or generation > session.generation:
        return "ended"
    if generation == session.generation:
        return "rotate"
    lost = generation == session.generation - 1 and now - session.rotated_at <= REPEAT
    return "repeat" if lost else "reused"


def rotated(session: Session, role: str, now: datetime) -> Session:
    """Return the session after its newest token was used: that one is spent."""
    expires_at = now + DEVICE_SESSION if role in DEVICES else session.expires_at
    return replace(session, generation=session.generation + 1, rotated_at=now, expires_at=expires_at)


def _goes_on(session: Session, now: datetime) -> bool:
    return session.ended_at is None and now < session.expires_at


def page_goes_on(session: Session | None, role: str, idle: timedelta, now: datetime) -> bool:
    """Whether a browser's session may be carried on: not ended, not expired, and used within ``idle``.

    Kiosks and screens are used when somebody comes, and never idle.
    """
    if session is None or not session.page or not _goes_on(session, now):
        return False
    return role in DEVICES or now - session.rotated_at < idle


def seen(session: Session, role: str, now: datetime) -> Session:
    """Return a browser's session after it was used."""
    return replace(session, rotated_at=now, expires_at=now + DEVICE_SESSION if role in DEVICES else session.expires_at)


def page_credential(secret: bytes, regency: str, session: uuid.UUID) -> str:
    """Return what a browser shows in its cookie: regency (or ``platform``), a dot, and 32 bytes in base64url."""
    return f"{regency}.{_encoded(session.bytes + _mac(secret, regency, session.bytes, b'page'))}"


def read_page_credential(secrets: Sequence[bytes], text: str) -> tuple[str, uuid.UUID] | None:
    """Return regency and session of a credential that was made with one of the secrets; ``None`` for any other text."""
    read = _genuine(secrets, text, 16, b"page")
    return None if read is None else (read[0], uuid.UUID(bytes=read[1]))


def refresh_token(secret: bytes, regency: str, session: Session) -> str:
    """Return the session's newest refresh token: its regency (or ``platform``), a dot, and 36 bytes in base64url."""
    body = session.id.bytes + session.generation.to_bytes(4, "big")
    return f"{regency}.{_encoded(body + _mac(secret, regency, body, b'refresh'))}"


def read_refresh_token(secrets: Sequence[bytes], token: str) -> tuple[str, uuid.UUID, int] | None:
    """Return regency, session and generation of a token that was made with one of the secrets; ``None`` for any other text."""
    read = _genuine(secrets, token, 20, b"refresh")
    return None if read is None else (read[0], uuid.UUID(bytes=read[1][:16]), int.from_bytes(read[1][16:], "big"))


def _genuine(secrets: Sequence[bytes], text: str, length: int, use: bytes) -> tuple[str, bytes] | None:
    regency, _, rest = text.partition(".")
    try:
        raw = base64.b64decode(rest + "=" * (-len(rest) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:length], raw[length:]
    whole = len(raw) == length + _MAC_BYTES and _encoded(raw) == rest  # one text for each, also in the bits that no byte uses
    genuine = whole and any(hmac.compare_digest(mac, _mac(secret, regency, body, use)) for secret in secrets)
    return (regency, body) if genuine else None


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _mac(secret: bytes, regency: str, body: bytes, use: bytes) -> bytes:
    return hmac.new(secret, use + b":" + regency.encode() + b":" + body, hashlib.sha256).digest()[:_MAC_BYTES]
