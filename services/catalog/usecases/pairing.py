"""Pairing kiosks and displays by a short code on their screen, as televisions are (RFC 8628): nobody types a password there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.catalog import domain
from services.catalog.domain import CatalogError
from services.catalog.store import codes
from services.catalog.store import sessions as store
from services.catalog.usecases import entities, sessions
from services.catalog.usecases.sessions import Sessions
from services.catalog.usecases.signing_in import found_in
from services.chassis.context import CallContext
from services.chassis.database import Database, UnitOfWork


def begin(use_cases: Sessions, database: Database, context: CallContext) -> dict[str, Any]:
    """Give a device what it needs to be paired; nothing is stored."""
    with database.platform_work(context=context) as work:
        pairing = domain.begun_pairing(use_cases.keys.refresh_secrets[0], work.now)
    return {
        "device_code": pairing.device_code,
        "user_code": domain.shown(pairing.user_code),
        "expires_in": int(domain.PAIRING_LIFE.total_seconds()),
        "interval": domain.PAIRING_INTERVAL_SECONDS,
    }


def pair(work: UnitOfWork, data: Mapping[str, Any]) -> dict[str, Any]:
    """Let whoever shows the code be this device; what was signed in as it before is signed out. Answers the device.

    :raises CatalogError: ``device_unknown``; ``payload_invalid`` for a code that no device can show, or was typed for another.
    """
    device = entities.get(work, "device", data["id"])
    code = domain.typed_pairing_code(data["user_code"])
    if code is None or not codes.add_pairing(work, code, device["id"], work.now + domain.PAIRING_LIFE):
        text = "Not a device's code; type its eight letters as the screen shows them."
        raise domain.invalid("user_code", "pairing_code", text)
    sessions.end(work, work.regency, device["id"])
    return device


def claim(use_cases: Sessions, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
    """Sign a device in once it was paired; whoever asks again because an answer was lost gets the same tokens.

    :raises CatalogError: ``pairing_pending``, ``pairing_expired``.
    """
    pairing = domain.read_pairing(use_cases.keys.refresh_secrets, data["device_code"])
    with database.platform_work(context=context) as work:
        if pairing is None or work.now >= pairing.expires_at:
            raise CatalogError("pairing_expired")
        paired = codes.paired(work, pairing.user_code)
    if paired is None:
        raise CatalogError("pairing_pending")
    regency, device = paired
    with database.regency_work(regency, context=context) as unit:
        found = found_in(unit, device)
        if found is None or not found.active:
            raise CatalogError("pairing_expired")
        session = store.locked(unit, pairing.session)
        if session is None:
            session = domain.begun(device, found.role, unit.now, pairing.session)
            store.add(unit, session)
        elif session.generation > 1 or session.ended_at is not None:
            raise CatalogError("pairing_expired")
        return use_cases.tokens(regency, found, session, unit.now)
