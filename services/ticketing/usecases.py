"""What ticketing does: one function per command or query, inside the unit of work that it is given."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError, PermanentFailure
from services.chassis.events import Envelope, Event
from services.chassis.settings import Settings
from services.contracts.events import EventTypeUnknown, load_event
from services.ticketing import domain, store
from services.ticketing.domain import Period, Ticket

CLOSING_BATCH = 500
"""Tickets expired in one transaction at close of day; a crash in between loses nothing, the rest follows."""


# --- Commands ------------------------------------------------------------------------------------------------------


def issue_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Issue the next number of the service's agency at a site; opens the site's day with the first."""
    actor = work.context.actor
    domain.check_channel(actor.role, data["channel"])
    known = store.catalog_entities(
        work, ("site", data["site"]), ("service", data["service"]), ("agency", domain.agency_of(data["service"]))
    )
    for kind in ("site", "service", "agency"):
        if kind not in known:
            raise DomainError(f"{kind}_unknown", **{kind: data.get(kind, domain.agency_of(data["service"]))})
    site, service = known["site"], known["service"]
    domain.check_site_takes_numbers(site, data["channel"], work.now)
    if not service["active"]:
        raise DomainError("service_inactive", service=service["id"])
    prefix = domain.prefix_at(known["agency"], site["id"])
    today = domain.business_date(work.now, site["timezone"])
    closes_at = domain.end_of_day(today, site["timezone"])
    number, closed_at, opened = store.take_number(work, site["id"], today, prefix, closes_at)
    if closed_at is not None:
        raise DomainError("day_closed", business_date=today.isoformat())
    if opened:
        _day_event(work, "queue.day_opened", site["id"], today)
    ticket = domain.issued(
        Ticket(
            id=str(uuid.uuid4()),
            visit=str(uuid.uuid4()),
            site=site["id"],
            business_date=today,
            agency=known["agency"]["id"],
            service=service["id"],
            prefix=prefix,
            number=number,
            channel=data["channel"],
            status="waiting",
            priority_class=data["priority_class"],
            arrived_at=work.now,
            issued_at=work.now,
        ),
        actor.id,
    )
    store.insert(work, ticket)
    _ticket_event(work, "ticket.issued", ticket)
    return _viewed(work, ticket.id)


def with_token(settings: Settings, answer: dict[str, Any]) -> dict[str, Any]:
    """Add the citizen's token to the answer of issuing; it is calculated, so it stands in no table."""
    return {**answer, "token": domain.ticket_token(settings.required_ticket_token_secret(), answer["id"])}


def call_next(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any] | None:
    """Call whoever is next for the counter's services; ``None`` when nobody waits."""
    actor = work.context.actor
    domain.check_staff(actor.role)
    counter, site = _counter(work, data["counter"])
    services = domain.services_for(counter, actor.agencies)
    today = domain.business_date(work.now, site["timezone"])
    if not store.lock_day(work, site["id"], today):
        return None
    _check_counter_free(work, counter, site, today)
    ticket = store.next_waiting(work, site["id"], today, services)
    return None if ticket is None else _apply(work, ticket, "call", counter=counter["id"])


def call_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Call one ticket to a counter, out of turn."""
    actor = work.context.actor
    domain.check_staff(actor.role)
    counter, site = _counter(work, data["counter"])
    services = domain.services_for(counter, actor.agencies)
    today = domain.business_date(work.now, site["timezone"])
    store.lock_day(work, site["id"], today)
    ticket = _locked(work, data["id"])
    if ticket.site != site["id"] or ticket.service not in services:
        raise DomainError("counter_does_not_serve", counter=counter["id"], service=ticket.service)
    called = domain.changed(ticket, "call", work.now, actor=actor.id, counter=counter["id"])
    _check_counter_free(work, counter, site, today)
    return _keep(work, called, "call")


def recall_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Call again; at most as often as the site's policy allows."""
    ticket = _staffs_ticket(work, data["id"])
    site = store.catalog_entities(work, ("site", ticket.site))["site"]
    domain.check_recall(ticket, site["policy"]["max_recalls"])
    return _apply(work, ticket, "recall")


def start_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Begin to serve the called citizen."""
    return _apply(work, _staffs_ticket(work, data["id"]), "start")


def complete_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """End serving with an outcome, and learn how long it took."""
    ticket = domain.changed(_staffs_ticket(work, data["id"]), "complete", work.now, actor=work.context.actor.id, outcome=data["outcome"])
    samples, mean = store.pace(work, ticket.site, ticket.service)
    store.keep_pace(work, ticket.site, ticket.service, samples + 1, domain.new_pace(mean, samples, ticket.serving_seconds))
    return _keep(work, ticket, "complete")


def mark_no_show(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Record that the called citizen did not come."""
    return _apply(work, _staffs_ticket(work, data["id"]), "no-show")


def cancel_ticket(work: UnitOfWork, data: dict[str, Any], secret: str) -> dict[str, Any]:
    """Give a number back: the citizen with the ticket's token, or staff."""
    if work.context.actor.role in domain.STAFF_ROLES:
        return _apply(work, _staffs_ticket(work, data["id"]), "cancel")
    domain.check_ticket_token(secret, data["id"], data.get("token"))
    return _apply(work, _locked(work, data["id"]), "cancel")


# --- Queries -------------------------------------------------------------------------------------------------------


def get_ticket(work: UnitOfWork, data: dict[str, Any], secret: str) -> dict[str, Any]:
    """Return one ticket with its place in the queue: to staff, auditors and devices, or with its token."""
    if data.get("token") is not None or work.context.actor.role in ("anonymous", "citizen"):
        domain.check_ticket_token(secret, data["id"], data.get("token"))
    return _viewed(work, data["id"])


def list_tickets(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a page of tickets in order of issue."""
    filters: dict[str, Any] = {name: data[name] for name in ("site", "service", "status") if name in data}
    if "date" in data:
        filters["business_date"] = date.fromisoformat(data["date"])
    rows = store.view_page(work, filters, _after(data.get("cursor")), data["limit"] + 1)
    page, more = rows[: data["limit"]], len(rows) > data["limit"]
    cursor = _cursor(page[-1]) if more else None
    return {"items": [_answer_of_row(row) for row in page], "next_cursor": cursor}


# --- Close of day --------------------------------------------------------------------------------------------------


def close_due_day(work: UnitOfWork, site: str, day: date) -> bool:
    """Expire open tickets of an ended day, a batch at a time; return whether there is more to do.

    Nothing is ever booked as completed by the clock. Resumable: what a crash left open is found again.
    """
    if not store.lock_due_day(work, site, day):
        return False
    tickets = store.open_tickets(work, site, day, CLOSING_BATCH)
    for ticket in tickets:
        expired = domain.changed(ticket, "expire", work.now, actor="system")
        store.update(work, expired)
        _ticket_event(work, domain.TRANSITIONS["expire"].event, expired)
    if len(tickets) == CLOSING_BATCH:
        return True
    store.close_day(work, site, day)
    expired_count = store.expired_count(work, site, day)
    _day_event(work, "queue.day_closed", site, day, expired=expired_count)
    return False


# --- Events --------------------------------------------------------------------------------------------------------


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep the copy of the catalogue up to date; an older version than the one kept changes nothing."""
    try:
        data = load_event(event.type, event.data)
    except EventTypeUnknown:
        return
    except ValueError as error:
        raise PermanentFailure("the event breaks its contract") from error
    for kind in ("site", "agency", "service", "counter"):
        if kind in data:
            store.keep_catalog_entity(work, kind, data[kind])


# --- Shared steps --------------------------------------------------------------------------------------------------


def _counter(work: UnitOfWork, counter_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = store.counter_and_site(work, counter_id)
    if found is None:
        raise DomainError("counter_unknown", counter=counter_id)
    return found


def _locked(work: UnitOfWork, ticket_id: str) -> Ticket:
    ticket = store.locked(work, ticket_id)
    if ticket is None:
        raise DomainError("ticket_unknown")
    return ticket


def _staffs_ticket(work: UnitOfWork, ticket_id: str) -> Ticket:
    """Return a ticket, locked, that this member of staff may act on."""
    actor = work.context.actor
    domain.check_staff(actor.role)
    ticket = _locked(work, ticket_id)
    domain.check_agency(actor.agencies, ticket.agency)
    return ticket


def _check_counter_free(work: UnitOfWork, counter: Mapping[str, Any], site: Mapping[str, Any], today: date) -> None:
    open_there = store.open_at_counter(work, counter["id"])
    for ticket in open_there:
        if ticket.business_date < today:  # its day has ended; the close of day has not come to it yet
            _apply(work, ticket, "expire")
    domain.check_counter_free(
        [(ticket.id, ticket.label, ticket.status) for ticket in open_there if ticket.business_date == today],
        may_call_while_serving=site["policy"]["call_while_serving"],
    )


def _apply(work: UnitOfWork, ticket: Ticket, command: str, *, counter: str | None = None) -> dict[str, Any]:
    changed = domain.changed(ticket, command, work.now, actor=work.context.actor.id, counter=counter)
    return _keep(work, changed, command)


def _keep(work: UnitOfWork, changed: Ticket, command: str) -> dict[str, Any]:
    store.update(work, changed)
    _ticket_event(work, domain.TRANSITIONS[command].event, changed)
    return _answer(changed, None, None)


def _ticket_event(work: UnitOfWork, event_type: str, ticket: Ticket) -> None:
    work.emit(Event(event_type, ticket.id, {"ticket": public_ticket(ticket)}, site=ticket.site))


def _day_event(work: UnitOfWork, event_type: str, site: str, day: date, **more: Any) -> None:
    data = {"site": site, "business_date": day.isoformat(), **more}
    work.emit(Event(event_type, f"{site}/{day.isoformat()}", data, site=site))


def _viewed(work: UnitOfWork, ticket_id: str) -> dict[str, Any]:
    row = store.view(work, ticket_id)
    if row is None:
        raise DomainError("ticket_unknown")
    return _answer_of_row(row)


def _answer_of_row(row: store.Row) -> dict[str, Any]:
    ahead = row["ahead"]
    if ahead is None:
        return _answer(store.from_row(row), None, None)
    wait = domain.estimated_wait(ahead, row["mean_seconds"], row["counters"])
    return _answer(store.from_row(row), ahead + 1, wait)


def _answer(ticket: Ticket, position: int | None, wait: int | None) -> dict[str, Any]:
    return {**public_ticket(ticket), "position": position, "estimated_wait_seconds": wait}


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
        "counter": ticket.counter,
        "recalls": ticket.recalls,
        "returns": ticket.returns,
        "outcome": ticket.outcome,
        "periods": [_public_period(period) for period in ticket.periods],
        "version": ticket.version,
    }


def _public_period(period: Period) -> dict[str, Any]:
    return {
        "state": period.state,
        "counter": period.counter,
        "started_at": period.started_at.isoformat(),
        "ended_at": None if period.ended_at is None else period.ended_at.isoformat(),
    }


def _cursor(row: store.Row) -> str:
    return base64.urlsafe_b64encode(json.dumps([row["issued_at"].isoformat(), row["id"]]).encode()).decode()


def _after(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    try:
        issued_at, ticket_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return datetime.fromisoformat(issued_at), str(uuid.UUID(ticket_id))
    except (ValueError, TypeError, AttributeError) as error:
        raise DomainError("parameter_invalid", errors=[{"field": "cursor", "message": "unusable"}]) from error
