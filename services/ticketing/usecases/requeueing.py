"""Back to the queue: a call undone, a ticket returned, somebody who comes after all; and another priority."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from services.chassis import audit
from services.chassis.database import UnitOfWork
from services.ticketing import domain, store
from services.ticketing.usecases.answers import viewed
from services.ticketing.usecases.changing import change, check_slip, on_open_day, staffs_ticket

_AHEAD = timedelta(microseconds=1)


def undo_call(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Let a ticket that was called by mistake wait in its old place, as long as the site's policy allows."""
    ticket, site = on_open_day(work, data["id"], "undo-call")
    policy = domain.policy_of(site)
    domain.check_undo(ticket, work.now, policy.undo_call_seconds)
    if policy.regular_per_priority:
        store.give_back_call(work, ticket)
    change(work, ticket, "undo-call", recalls=0)
    return viewed(work, ticket.id)


def return_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Send a called or served citizen back to the queue: first in the lane, or behind everybody who waits."""
    ticket, _ = on_open_day(work, data["id"], "return")
    turn_of = store.take_turn if data["position"] == "last" else _turn_before_all
    change(work, ticket, "return", turn_at=turn_of(work, ticket.site, ticket.business_date))
    return viewed(work, ticket.id)


def rejoin_ticket(work: UnitOfWork, data: dict[str, Any], secret: str) -> dict[str, Any]:
    """Let somebody who did not come when called join the queue again at its end: staff, or the citizen with the slip."""
    if work.context.actor.role not in domain.STAFF_ROLES:
        check_slip(work, secret, data)
    ticket, site = on_open_day(work, data["id"], "rejoin")
    domain.check_rejoin(ticket, domain.policy_of(site).max_rejoins)
    if ticket.leg is not None:
        domain.check_only_live(store.legs(work, ticket.visit), ticket)
    change(work, ticket, "rejoin", turn_at=store.take_turn(work, ticket.site, ticket.business_date))
    return viewed(work, ticket.id)


def set_priority(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Give a ticket that was not called yet another priority class, or none; its turn stays the one of its arrival."""
    ticket = staffs_ticket(work, data["id"])
    change(work, ticket, "priority", priority_class=data["priority_class"])
    lane = "regular" if data["priority_class"] is None else "priority"
    if lane != ticket.lane:  # never the class: it tells of somebody's health
        audit.note(work, "ticket", ticket.id, ({"lane": ticket.lane}, {"lane": lane}))
    return viewed(work, ticket.id)


def _turn_before_all(work: UnitOfWork, site: str, business_date: date) -> datetime:
    return store.first_turn(work, site, business_date) - _AHEAD
