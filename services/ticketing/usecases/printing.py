"""A kiosk's slip: the ticket waits once it came out of the printer; what never did leaves no ghost in the queue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.chassis.database import UnitOfWork
from services.ticketing import domain, store
from services.ticketing.usecases.answers import answer, place_in_queue, told_first
from services.ticketing.usecases.changing import check_slip, keep, on_open_day
from services.ticketing.usecases.visits import after_leg

PRINTING_TIME = timedelta(minutes=2)
"""So long a slip may take; a ticket that nobody has confirmed by then is void. Its number stays on record."""

MOST_PRINTING = 500
"""So many slips are looked at in one go."""


def confirm_printing(work: UnitOfWork, data: dict[str, Any], secret: str) -> dict[str, Any]:
    """Let a ticket wait, in the place of its number, or make it void when the slip did not come out."""
    if work.context.actor.role not in domain.STAFF_ROLES:
        check_slip(work, secret, data)
    command = "confirm" if data["printed"] else "void"
    ticket, _ = on_open_day(work, data["id"], command)
    changed = domain.changed(ticket, command, work.now, actor=work.context.actor.id)
    place = place_in_queue(work, changed) if data["printed"] else None
    if place is not None:
        changed = told_first(changed, place)
    keep(work, changed, command)
    after_leg(work, changed)
    return answer(changed, place)


def slips_due(work: UnitOfWork) -> dict[str, datetime]:
    """Return when the tickets are given up whose slips are being printed now; the first :data:`MOST_PRINTING` of the regency."""
    return {ticket: issued_at + PRINTING_TIME for ticket, issued_at in store.printing(work, MOST_PRINTING).items()}


def void_overdue(work: UnitOfWork, ticket_id: str) -> None:
    """Make a ticket void unless its slip came out meanwhile."""
    found = store.locked_with_day(work, ticket_id)
    if found is None or found[0].status != "printing":
        return
    void = domain.changed(found[0], "void", work.now, actor="system")
    keep(work, void, "void")
    after_leg(work, void)
