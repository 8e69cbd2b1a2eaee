"""Following the catalogue."""

from __future__ import annotations

from services.chassis.database import UnitOfWork
from services.chassis.errors import PermanentFailure
from services.chassis.events import Envelope
from services.contracts.events import EventTypeUnknown, load_event
from services.contracts.schema import PayloadInvalid
from services.ticketing import store

KINDS = ("site", "agency", "service", "counter")
"""The kinds of catalogue entities that the queue needs."""


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep the copy of the catalogue up to date; an older version than the one kept changes nothing."""
    try:
        data = load_event(event.type, event.data)
    except EventTypeUnknown:
        return
    except PayloadInvalid as error:
        raise PermanentFailure("the event breaks its contract") from error
    for kind in KINDS:
        if kind in data:
            store.keep_catalog_entity(work, kind, data[kind])
