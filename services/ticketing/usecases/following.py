"""Following the catalogue."""

from __future__ import annotations

from services.chassis.database import UnitOfWork
from services.chassis.events import Envelope
from services.chassis.following import known_data
from services.ticketing import store

KINDS = ("site", "agency", "service", "counter", "hours")
"""The kinds of catalogue entities that the queue needs."""


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep the copy of the catalogue up to date; an older version than the one kept changes nothing."""
    data = known_data(event)
    for kind in KINDS:
        if kind in data:
            store.keep_catalog_entity(work, kind, data[kind])
