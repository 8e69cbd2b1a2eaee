"""Following tickets and the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from services.chassis import metrics
from services.chassis.database import UnitOfWork
from services.chassis.events import Envelope
from services.chassis.following import known_data
from services.reporting import domain, store


def apply_ticket_events(work: UnitOfWork, events: Sequence[Envelope]) -> None:
    """Replace the tickets' contributions where events are of a newer version, in whatever order they arrive."""
    newest: dict[str, domain.TicketFact] = {}
    erased: dict[str, datetime] = {}
    for event in events:
        data = known_data(event)
        if "ticket" in data:
            fact = domain.fact_of(data["ticket"])
            newest[fact.id] = max(newest.get(fact.id, fact), fact, key=lambda each: each.version)
            if event.type == "ticket.person_erased":
                visit = data["ticket"]["visit"]
                erased[visit] = max(erased.get(visit, event.time), event.time)
            if event.type == "ticket.called" and not event.replayed:
                _measure(work, data["ticket"])
    if newest:
        store.keep_facts(work, newest.values())
    if erased:
        store.erase_comments(work, erased)


def _measure(work: UnitOfWork, called: Mapping[str, Any]) -> None:
    """Show how far the first estimate of a ticket was off that has just been called."""
    error = domain.error_of_first_call(called)
    if error is not None:
        told = "more" if error > 0 else "less"
        work.measured.append(partial(metrics.ESTIMATE_ERROR.labels(work.regency, told).observe, abs(error)))


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep what is known of sites up to date; an older version than the one kept changes nothing."""
    data = known_data(event)
    if "site" in data:
        site = data["site"]
        store.keep_site(work, store.Site(site["id"], site["name"], site["timezone"], site["version"]))
