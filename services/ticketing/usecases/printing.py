"""A kiosk's slip: the ticket waits once it came out of the printer; what never did leaves no ghost in the queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.chassis.database import UnitOfWork
from services.ticketing import domain, store
from services.ticketing.usecases.answers import viewed
from services.ticketing.usecases.changing import change, check_slip, keep, on_open_day

PRINTING_TIME = timedelta(minutes=2)
"""So long a slip may take; a ticket that nobody has confirmed by then is void. Its number stays on record."""


def confirm_printing(work: UnitOfWork, data: dict[str, Any], secret: str) -> dict[str, Any]:
    """Let a ticket wait, in the place of its number, or make it void when the slip did not come out."""
    if work.context.actor.role not in domain.STAFF_ROLES:
        check_slip(work, secret, data)
    command = "confirm" if data["printed"] else "void"
    ticket, _ = on_open_day(work, data["id"], command)
    change(work, ticket, command)
    return viewed(work, ticket.id)


def void_unprinted(work: UnitOfWork) -> int:
    """Make the tickets void whose slips were not confirmed in time; return how many."""
    overdue = store.overdue_printing(work, work.now - PRINTING_TIME)
    for ticket in overdue:
        keep(work, domain.changed(ticket, "void", work.now, actor="system"), "void")
    return len(overdue)
