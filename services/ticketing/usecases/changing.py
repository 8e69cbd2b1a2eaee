"""The steps that commands share: lock a ticket, change it, keep it, and tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from typing import Any

from services.chassis import audit, metrics
from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.events import Event
from services.ticketing import domain, store
from services.ticketing.domain import QueueRefusal, Ticket
from services.ticketing.usecases.answers import answer, public_ticket

_ENDS = {"call": metrics.TICKET_WAIT, "complete": metrics.TICKET_SERVICE}
"""Commands that end a period whose length people want to see."""


def locked(work: UnitOfWork, ticket_id: str) -> Ticket:
    """Return a ticket, locked; refuses with ``ticket_unknown``."""
    ticket = store.locked(work, ticket_id)
    if ticket is None:
        raise DomainError("ticket_unknown")
    return ticket


def staffs_ticket(work: UnitOfWork, ticket_id: str) -> Ticket:
    """Return a ticket, locked, that this member of staff may act on."""
    return check_staffs(work, locked(work, ticket_id))


def check_staffs(work: UnitOfWork, ticket: Ticket | None) -> Ticket:
    """Return a ticket that was found and that this member of staff may act on."""
    if ticket is None:
        raise DomainError("ticket_unknown")
    check_own(work, ticket)
    return ticket


def check_own(work: UnitOfWork, ticket: Ticket) -> None:
    """Refuse staff of another agency, and of other counters while the ticket is at one."""
    actor = work.context.actor
    domain.check_agency(actor.agencies, ticket.agency)
    if ticket.counter is not None and ticket.status in domain.AT_COUNTER_STATES:
        domain.check_counter(actor.counters, ticket.counter)


def on_open_day(work: UnitOfWork, ticket_id: str, command: str) -> tuple[Ticket, Mapping[str, Any]]:
    """Return a ticket for a command that brings it back to its queue, and its site; day and ticket are locked.

    Refuses with ``ticket_unknown``, ``ticket_state_conflict``, and with ``day_closed`` once midnight has ended its queue.
    """
    found = store.locked_with_day(work, ticket_id)
    if found is None:
        raise DomainError("ticket_unknown")
    ticket, closed_at = found
    if work.context.actor.role in domain.STAFF_ROLES:
        check_own(work, ticket)
    domain.target_of(ticket, command)
    site = site_of(work, ticket)
    domain.check_day(ticket, domain.business_date(work.now, site["timezone"]))
    if closed_at is not None:
        raise DomainError("day_closed", business_date=ticket.business_date.isoformat())
    return ticket, site


def site_of(work: UnitOfWork, ticket: Ticket) -> Mapping[str, Any]:
    """Return the site of a ticket."""
    return store.catalog_entities(work, site=ticket.site)["site"]


def check_slip(work: UnitOfWork, secret: str, data: Mapping[str, Any]) -> None:
    """Refuse who does not show the token of this ticket, or of another one of the same visit: there is one slip."""
    shown = domain.ticket_of_token(secret, data.get("token") or "")
    if shown != data["id"] and not store.of_one_visit(work, shown, data["id"]):
        raise QueueRefusal("ticket_token_invalid")


def change(work: UnitOfWork, ticket: Ticket, command: str, **facts: Any) -> dict[str, Any]:
    """Do a command of the caller with a locked ticket; answer the ticket after it."""
    return keep(work, domain.changed(ticket, command, work.now, actor=work.context.actor.id, **facts), command)


def expire(work: UnitOfWork, ticket: Ticket, ended_at: datetime) -> None:
    """End a locked ticket as of the end of its day: nobody waited on until an outage was over.

    The clock does that, not the officer whose command may be the first to meet the ticket.
    """
    keep(work, domain.changed(ticket, "expire", ended_at, actor="system"), "expire")


def keep(work: UnitOfWork, changed: Ticket, command: str) -> dict[str, Any]:
    """Store a ticket that ``command`` has changed and tell of it, once its slip is out; answer the ticket."""
    store.update(work, changed)
    if audit.concerns(work.context):
        audit.note(work, "ticket", changed.id, domain.difference(changed, command), place_of(changed))
    if changed.status != "printing":
        tell_of_ticket(work, domain.TRANSITIONS[command].event, changed)
    if command in _ENDS:
        work.measured.append(partial(_ENDS[command].labels(work.regency).observe, changed.last_ended_seconds))
    return answer(changed)


def note_new(work: UnitOfWork, ticket: Ticket) -> None:
    """Say in the audit log which ticket an action has made."""
    facts = {"number": ticket.label, "service": ticket.service, "lane": ticket.lane, "status": ticket.status, "version": ticket.version}
    audit.note(work, "ticket", ticket.id, (None, facts), place_of(ticket))


def place_of(ticket: Ticket) -> dict[str, str | None]:
    """Return where a ticket belongs, for the audit log."""
    return {"site": ticket.site, "agency": ticket.agency, "counter": ticket.counter or ticket.periods[-1].counter}


def tell_of_ticket(work: UnitOfWork, event_type: str, ticket: Ticket) -> None:
    """Emit an event that carries the whole public ticket."""
    work.emit(Event(event_type, ticket.id, {"ticket": public_ticket(ticket)}, site=ticket.site))


def tell_of_day(work: UnitOfWork, event_type: str, site: str, day: date, **more: Any) -> None:
    """Emit an event about a site's queue day."""
    data = {"site": site, "business_date": day.isoformat(), **more}
    work.emit(Event(event_type, f"{site}/{day.isoformat()}", data, site=site))
