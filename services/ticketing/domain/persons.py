"""What citizens say of themselves: consent and masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.ticketing.domain.refusal import QueueRefusal

NIK, PHONE = "nik", "phone"
NEEDED_FOR = {NIK: "identification", PHONE: "contact"}
"""The purpose that a citizen must have consented to."""

MASK = "*"
NIK_SHOWN, PHONE_SHOWN = 4, 3
"""Last digits that stay readable: a clerk recognises the card in front of him; birth date and region are in the others."""


@dataclass(frozen=True)
class Sealed:
    """NIK and telephone number as they are stored."""

    nik: str | None
    nik_hash: str | None
    phone: str | None
    phone_hash: str | None
    key: str
    """Id of the key that encrypted."""
    hash_key: str


def check_consent(given: Iterable[str], consent: Mapping[str, Any] | None) -> None:
    """Refuse what nobody consented to: ``consent_required`` names the purposes that are missing.

    :param given: what the citizen said: :data:`NIK`, :data:`PHONE`.
    """
    purposes = consent["purposes"] if consent else ()
    missing = sorted({NEEDED_FOR[name] for name in given} - {*purposes})
    if missing:
        raise QueueRefusal("consent_required", missing=missing)


def masked_nik(nik: str) -> str:
    """Return a NIK of which the last digits alone can be read."""
    return MASK * (len(nik) - NIK_SHOWN) + nik[-NIK_SHOWN:]


def masked_phone(phone: str) -> str:
    """Return a telephone number of which the last digits alone can be read."""
    return MASK * (len(phone) - PHONE_SHOWN) + phone[-PHONE_SHOWN:]
