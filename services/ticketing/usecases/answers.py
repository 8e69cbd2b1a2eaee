"""What others learn of a ticket, in answers and events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.contracts.queue_position import ahead_of
from services.ticketing import domain, store
from services.ticketing.domain import Period, QueuePolicy, Ticket


@dataclass(frozen=True)
class Place:
    """Where a ticket stands in its queue."""

    position: int
    """From 1."""
    wait_seconds: int | None
    """Until its call, by what is known now."""


def viewed(work: UnitOfWork, ticket_id: str) -> dict[str, Any]:
    """Return the answer for one ticket with its place in the queue; refuses with ``ticket_unknown``."""
    row = store.view(work, ticket_id)
    if row is None:
        raise DomainError("ticket_unknown")
    return answer_of_row(row)


def answer_of_row(row: store.Row) -> dict[str, Any]:
    """Return the answer for a row of a view."""
    ticket = store.from_row(row)
    if row["queue"] is None:
        return answer(ticket)
    in_lane, in_other_lane = row["queue"]
    policy = domain.policy_of({"policy": row["policy"]})
    return answer(ticket, place_behind(ticket, in_lane, in_other_lane, policy, row["mean_seconds"], row["counters"]))


def place_in_queue(work: UnitOfWork, ticket: Ticket) -> Place:
    """Return the place of a ticket that joins its queue in this transaction, whether it is stored as waiting already or not."""
    row = store.queue_of(work, ticket)
    return place_behind(ticket, row.in_lane, row.in_other_lane, domain.policy_of({"policy": row.policy}), row.mean_seconds, row.counters)


def told_first(ticket: Ticket, place: Place) -> Ticket:
    """Return a ticket that joins its queue for the first time, with the wait that is told now and kept."""
    return replace(ticket, first_estimate_seconds=place.wait_seconds)


def place_behind(ticket: Ticket, in_lane: int, in_other_lane: int, policy: QueuePolicy, mean_seconds: float | None, counters: int) -> Place:
    """Return the place of a ticket that waits behind so many in its lane, beside so many in the other one."""
    ahead = ahead_of(
        has_priority=ticket.lane == "priority",
        in_lane=in_lane,
        in_other_lane=in_other_lane,
        regular_per_priority=policy.regular_per_priority,
    )
    return Place(ahead + 1, domain.estimated_wait(ahead, mean_seconds, counters))


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
