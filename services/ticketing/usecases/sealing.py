"""Sealing what citizens say of themselves.

NIK and telephone number are encrypted for their visit, with a key that the visit's id goes into: what stands beside one visit
cannot be passed off as another's. They are found by hashes under keys of their own, so that who may find cannot read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from services.chassis.encryption import Keyring, KeyUnknown
from services.chassis.settings import Settings
from services.contracts.telephone import e164
from services.ticketing.domain import NIK, PHONE, Sealed


@dataclass(frozen=True)
class PersonKeys:
    """The keys of one installation for what citizens say of themselves."""

    encrypting: Keyring
    hashing: Keyring

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return the keys of an installation; ``None`` when it takes no personal data."""
        if not settings.person_keys:
            return None
        return cls(Keyring(settings.person_keys), Keyring(settings.person_hash_keys))


def sealed_person(keys: PersonKeys, visit: str, nik: str | None, phone: str | None) -> Sealed:
    """Return what is stored of a person; ``phone`` in its E.164 form."""
    return Sealed(
        nik=None if nik is None else keys.encrypting.encrypt(nik, _purpose(NIK, visit)),
        nik_hash=None if nik is None else keys.hashing.hashes(nik, NIK)[0],
        phone=None if phone is None else keys.encrypting.encrypt(phone, _purpose(PHONE, visit)),
        phone_hash=None if phone is None else keys.hashing.hashes(phone, PHONE)[0],
        key=keys.encrypting.newest_id,
        hash_key=keys.hashing.newest_id,
    )


def opened_person(keys: PersonKeys, visit: str, nik: str | None, phone: str | None) -> dict[str, str | None]:
    """Return NIK and telephone number of what :func:`sealed_person` made; raises ``KeyUnknown``."""
    return {
        NIK: None if nik is None else keys.encrypting.decrypt(nik, _purpose(NIK, visit)),
        PHONE: None if phone is None else keys.encrypting.decrypt(phone, _purpose(PHONE, visit)),
    }


def searched(keys: PersonKeys, data: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Return the hashes under which the person of a search may be stored, by :data:`NIK` and :data:`PHONE`."""
    nik, phone = data.get(NIK), data.get(PHONE)
    return {
        NIK: [] if nik is None else keys.hashing.hashes(nik, NIK),
        PHONE: [] if phone is None else keys.hashing.hashes(e164(phone) or "", PHONE),
    }


def sealed_anew(keys: PersonKeys, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a stored row's sealed members with the newest keys; ``None`` for one that cannot be opened."""
    try:
        said = opened_person(keys, row["visit"], row[NIK], row[PHONE])
    except KeyUnknown:
        return None
    return asdict(sealed_person(keys, row["visit"], said[NIK], said[PHONE]))


def _purpose(name: str, visit: str) -> str:
    return f"{name} of {visit}"
