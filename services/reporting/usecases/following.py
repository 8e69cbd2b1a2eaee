"""Following tickets and the catalogue."""

from __future__ import annotations

from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import PermanentFailure
from services.chassis.events import Envelope
from services.contracts.events import EventTypeUnknown, load_event
from services.contracts.schema import PayloadInvalid
from services.reporting import domain, store


def apply_ticket_event(work: UnitOfWork, event: Envelope) -> None:
    """Replace the ticket's contribution when the event is of a newer version, in whatever order events arrive."""
    data = _known(event)
    if "ticket" in data:
        store.keep_fact(work, domain.fact_of(data["ticket"]))


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep what is known of sites up to date; an older version than the one kept changes nothing."""
    data = _known(event)
    if "site" in data:
        site = data["site"]
        store.keep_site(work, store.Site(site["id"], site["name"], site["timezone"], site["version"]))


def _known(event: Envelope) -> dict[str, Any]:
    """Return the event's data by its contract; empty for a type that only a newer release knows."""
    try:
        return load_event(event.type, event.data)
    except EventTypeUnknown:
        return {}
    except PayloadInvalid as error:
        raise PermanentFailure("the event breaks its contract") from error
