"""Codes that people carry: one sets a password, one pairs a device. Both are calculated, so that no table holds them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

CODE_LIFE = timedelta(hours=72)
"""Of a code that sets a password: over a weekend."""

PAIRING_LIFE = timedelta(minutes=10)
PAIRING_INTERVAL_SECONDS = 3
"""How often a device asks whether it is paired."""

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words; nothing that looks like a digit (RFC 8628, 6.1)."""

_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: what is mistaken for another is left out."""

_MAC_BYTES = 16
_WEIGHTS = (1, 3, 7, 9, 11, 13, 17)
"""None shares a factor with 20: every single wrong letter is noticed."""


def one_time_code(secret: bytes, account: str, serial: uuid.UUID) -> str:
    """Return the code that sets the password of an account: 16 characters in groups of four, 80 bits."""
    number = int.from_bytes(hmac.new(secret, b"code:" + account.encode() + serial.bytes, hashlib.sha256).digest()[:10], "big")
    text = "".join(_BASE32[number >> shift & 31] for shift in range(75, -1, -5))
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def is_code(given: str, expected: str) -> bool:
    """Whether somebody typed this code: small letters, spaces and lookalikes are as good."""
    typed = given.upper().replace("O", "0").translate({ord("I"): "1", ord("L"): "1", ord("-"): None, ord(" "): None})
    return hmac.compare_digest(typed.encode(), expected.replace("-", "").encode())


@dataclass(frozen=True)
class Pairing:
    """A device that waits to be paired: the secret that it keeps and the code that it shows."""

    device_code: str
    user_code: str
    session: uuid.UUID
    """Of the session that it will have: the same however often it asks."""
    expires_at: datetime


def begun_pairing(secret: bytes, now: datetime) -> Pairing:
    """Return a new pairing. Nothing is stored: whoever asks for many fills no table."""
    return _pairing(secret, secrets.token_bytes(16) + int(now.timestamp()).to_bytes(5, "big"))


def read_pairing(keys: tuple[bytes, ...], device_code: str) -> Pairing | None:
    """Return the pairing of a device code that was made with one of the secrets; None for any other text."""
    try:
        raw = base64.b64decode(device_code + "=" * (-len(device_code) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 21 + _MAC_BYTES:
        return None
    found = (_pairing(key, raw[:21]) for key in keys)
    return next((each for each in found if hmac.compare_digest(each.device_code, device_code)), None)


def typed_pairing_code(text: str) -> str | None:
    """Return a code as it is stored; None for one that no device can show: its last letter checks the others."""
    code = "".join(letter for letter in text.upper() if letter not in "- ")
    if len(code) != 8 or set(code) - set(_LETTERS) or _check_letter(code[:7]) != code[7]:
        return None
    return code


def shown(code: str) -> str:
    """Return a stored pairing code as it is shown: two groups."""
    return f"{code[:4]}-{code[4:]}"


def _pairing(secret: bytes, body: bytes) -> Pairing:
    digest = hmac.new(secret, b"pairing:" + body, hashlib.sha512).digest()
    device_code = base64.urlsafe_b64encode(body + digest[:_MAC_BYTES]).decode().rstrip("=")
    number = int.from_bytes(digest[16:32], "big")
    code = "".join(_LETTERS[number // 20**place % 20] for place in range(7))
    began = datetime.fromtimestamp(int.from_bytes(body[16:], "big"), UTC)
    return Pairing(device_code, code + _check_letter(code), uuid.UUID(bytes=digest[32:48], version=4), began + PAIRING_LIFE)


def _check_letter(code: str) -> str:
    """Return what the other seven letters give: a wrong one, and almost every swap of neighbours, gives another."""
    return _LETTERS[sum(weight * _LETTERS.index(letter) for weight, letter in zip(_WEIGHTS, code, strict=True)) % 20]
