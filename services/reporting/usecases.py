"""What reporting does: one function per event or query, inside the unit of work that it is given."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError, PermanentFailure
from services.chassis.events import Envelope
from services.contracts.events import EventTypeUnknown, load_event
from services.contracts.schema import PayloadInvalid
from services.reporting import domain, store

COUNTS = (
    *("issued", "waiting", "called", "serving", "on_hold"),
    *("completed", "no_show", "transferred", "cancelled", "expired"),
)
DURATIONS = ("mean", "p50", "p90")


# --- Queries -------------------------------------------------------------------------------------------------------


def daily_report(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one business date at one site.

    `issued` counts the tickets that entered the queue, and the states add up to it. ``wait_seconds`` is the time in
    ``waiting`` of the tickets that were called at least once, ``serve_seconds`` the time in ``serving`` of the
    completed ones, each summed over the ticket's periods; every figure is null when there is no such ticket. Medians
    and 90th percentiles are continuous (PostgreSQL's ``percentile_cont``).

    :raises DomainError: ``site_unknown`` when neither the catalogue nor any ticket has told of the site.
    """
    name = store.site_name(work, data["site"])
    figures = store.figures_of_day(work, data["site"], date.fromisoformat(data["date"]))
    if name is None and figures["issued"] == 0:
        raise DomainError("site_unknown", site=data["site"])
    return {
        "site": data["site"],
        "site_name": name,
        "date": data["date"],
        **{count: figures[count] for count in COUNTS},
        "wait_seconds": {kind: domain.rounded(figures[f"wait_{kind}"]) for kind in DURATIONS},
        "serve_seconds": {kind: domain.rounded(figures[f"serve_{kind}"]) for kind in DURATIONS},
    }


# --- Events --------------------------------------------------------------------------------------------------------


def apply_ticket_event(work: UnitOfWork, event: Envelope) -> None:
    """Replace the ticket's contribution when the event is of a newer version, in whatever order events arrive."""
    data = _known(event)
    if "ticket" in data:
        store.keep_fact(work, domain.fact_of(data["ticket"]))


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep the names of sites up to date; an older version than the one kept changes nothing."""
    data = _known(event)
    if "site" in data:
        store.keep_site(work, data["site"]["id"], data["site"]["name"], data["site"]["version"])


def _known(event: Envelope) -> dict[str, Any]:
    """Return the event's data by its contract; empty for a type that only a newer release knows."""
    try:
        return load_event(event.type, event.data)
    except EventTypeUnknown:
        return {}
    except PayloadInvalid as error:
        raise PermanentFailure("the event breaks its contract") from error
