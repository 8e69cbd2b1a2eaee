"""Following tickets and the catalogue."""

from __future__ import annotations

from services.chassis.database import UnitOfWork
from services.chassis.events import Envelope
from services.chassis.following import known_data
from services.reporting import domain, store


def apply_ticket_event(work: UnitOfWork, event: Envelope) -> None:
    """Replace the ticket's contribution when the event is of a newer version, in whatever order events arrive."""
    data = known_data(event)
    if "ticket" in data:
        store.keep_fact(work, domain.fact_of(data["ticket"]))


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep what is known of sites up to date; an older version than the one kept changes nothing."""
    data = known_data(event)
    if "site" in data:
        site = data["site"]
        store.keep_site(work, store.Site(site["id"], site["name"], site["timezone"], site["version"]))
