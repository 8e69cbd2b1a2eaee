"""What others learn of a ticket, in answers and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.contracts.queue_forecast import Hall, Waiting, forecast
from services.contracts.queue_forecast import Place as Forecasted
from services.ticketing import domain, store
from services.ticketing.domain import Period, Ticket

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Place:
    """Where a ticket stands in its queue."""

    position: int
    """From 1."""
    wait_seconds: int | None
    """Until its call, by what is known now."""


def viewed(work: UnitOfWork, ticket_id: str) -> dict[str, Any]:
    """Return the answer for one ticket with its place in the queue; refuses with ``ticket_unknown``."""
    ticket = store.found(work, ticket_id)
    if ticket is None:
        raise DomainError("ticket_unknown")
    return answer(ticket, place_in_queue(work, ticket) if ticket.status == "waiting" else None)


def answers(work: UnitOfWork, tickets: Sequence[Ticket]) -> list[dict[str, Any]]:
    """Return the answers for some tickets; each hall in which one waits is played once."""
    days = {(ticket.site, ticket.business_date) for ticket in tickets if ticket.status == "waiting"}
    told = {day: forecast(store.hall(work, *day), work.now.timestamp()) for day in days}

    def place(ticket: Ticket) -> Place | None:
        if ticket.status != "waiting":
            return None
        found = told[ticket.site, ticket.business_date].places.get(_waiting(ticket))
        return _told(found) if found is not None else place_in_queue(work, ticket)  # joined its queue at this moment

    return [answer(ticket, place(ticket)) for ticket in tickets]


def place_in_queue(work: UnitOfWork, ticket: Ticket) -> Place:
    """Return the place of a ticket that waits, or joins its queue in this transaction, whether it is stored as waiting or not."""
    return place_in(store.hall(work, ticket.site, ticket.business_date), ticket, work.now)


def place_in(hall: Hall, ticket: Ticket, now: datetime) -> Place:
    """Return the place of a ticket that waits in a hall, whether that knows of it already or not."""
    own = _waiting(ticket)
    if own not in hall.waiting:
        hall = replace(hall, waiting=[*hall.waiting, own])
    return _told(forecast(hall, now.timestamp(), ticket.service).places[own])


def _waiting(ticket: Ticket) -> Waiting:
    turn = (ticket.turn - _EPOCH) // timedelta(microseconds=1)
    return Waiting(turn, ticket.number, ticket.service, ticket.lane == "priority")


def _told(place: Forecasted) -> Place:
    return Place(place.ahead + 1, place.seconds)


def told_first(ticket: Ticket, place: Place) -> Ticket:
    """Return a ticket that joins its queue for the first time, with the wait that is told now and kept."""
    return replace(ticket, first_estimate_seconds=place.wait_seconds)


def answer(ticket: Ticket, place: Place | None = None) -> dict[str, Any]:
    """Return the answer for a ticket; one that waits has a place."""
    place_now = {
        "position": None if place is None else place.position,
        "estimated_wait_seconds": None if place is None else place.wait_seconds,
    }
    return {**public_ticket(ticket), **place_now}


def public_ticket(ticket: Ticket) -> dict[str, Any]:
    """Return what everyone may know: no priority class, no actor, nothing about the person."""
    return {
        "id": ticket.id,
        "visit": ticket.visit,
        "number": ticket.label,
        "site": ticket.site,
        "agency": ticket.agency,
        "service": ticket.service,
        "business_date": ticket.business_date.isoformat(),
        "channel": ticket.channel,
        "status": ticket.status,
        "lane": ticket.lane,
        "arrived_at": ticket.arrived_at.isoformat(),
        "issued_at": ticket.issued_at.isoformat(),
        "turn_at": None if ticket.turn_at is None else ticket.turn_at.isoformat(),
        "counter": ticket.counter,
        "recalls": ticket.recalls,
        "returns": ticket.returns,
        "outcome": ticket.outcome,
        "collect_on": None if ticket.collect_on is None else ticket.collect_on.isoformat(),
        "transferred_from": ticket.transferred_from,
        "transferred_to": ticket.transferred_to,
        "leg": ticket.leg,
        "first_estimate_seconds": ticket.first_estimate_seconds,
        "cancelled_by": domain.cancelled_by(ticket),
        "periods": [_public_period(period) for period in ticket.periods],
        "version": ticket.version,
    }


def _public_period(period: Period) -> dict[str, Any]:
    return {
        "state": period.state,
        "counter": period.counter,
        "started_at": period.started_at.isoformat(),
        "ended_at": None if period.ended_at is None else period.ended_at.isoformat(),
        "undone": period.undone,
    }
