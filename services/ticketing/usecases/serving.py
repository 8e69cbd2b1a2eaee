"""What follows a call: serving begins and ends, nobody comes, or the number is given back."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.chassis.database import UnitOfWork
from services.ticketing import domain, store
from services.ticketing.usecases.changing import change, check_slip, check_staffs, keep, locked, staffs_ticket
from services.ticketing.usecases.visits import after_leg


def start_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Begin to serve the called citizen; one at a time, also where the next may be called meanwhile."""
    found, open_there = store.locked_and_at_its_counter(work, data["id"])
    serving = domain.changed(check_staffs(work, found), "start", work.now, actor=work.context.actor.id)
    domain.check_nobody_served(open_there, serving)
    return keep(work, serving, "start")


def complete_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """End serving with an outcome, and learn for how long it took the counter."""
    store.lock_day_of_leg(work, data["id"])
    found, known = store.locked_with_pace(work, data["id"]) or (None, None)
    collect_on = None if data.get("collect_on") is None else date.fromisoformat(data["collect_on"])
    ticket = domain.changed(
        check_staffs(work, found), "complete", work.now, actor=work.context.actor.id, outcome=data["outcome"], collect_on=collect_on
    )
    domain.check_collected_later(ticket)
    samples, mean = known or store.pace(work, ticket.site, ticket.service)
    store.keep_pace(work, ticket.site, ticket.service, samples + 1, domain.new_pace(mean, samples, ticket.seconds_at_counter))
    answered = keep(work, ticket, "complete")
    after_leg(work, ticket)
    return answered


def mark_no_show(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Record that the called citizen did not come."""
    return change(work, staffs_ticket(work, data["id"]), "no-show")


def cancel_ticket(work: UnitOfWork, data: dict[str, Any], secret: str) -> dict[str, Any]:
    """Give a number back: the citizen with the ticket's token, or staff."""
    if work.context.actor.role not in domain.STAFF_ROLES:
        check_slip(work, secret, data)
    store.lock_day_of_leg(work, data["id"])
    ticket = staffs_ticket(work, data["id"]) if work.context.actor.role in domain.STAFF_ROLES else locked(work, data["id"])
    cancelled = domain.changed(ticket, "cancel", work.now, actor=work.context.actor.id)
    answered = keep(work, cancelled, "cancel")
    after_leg(work, cancelled)
    return answered
