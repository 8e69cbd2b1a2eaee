"""Taking a number."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.settings import Settings
from services.ticketing import domain, store
from services.ticketing.domain import Ticket
from services.ticketing.usecases.answers import waiting_answer
from services.ticketing.usecases.changing import tell_of_day, tell_of_ticket

Entity = dict[str, Any]


def issue_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Issue the next number of the service's agency at a site; opens the site's day with the first."""
    actor = work.context.actor
    domain.check_channel(actor.role, data["channel"])
    domain.check_device_site(actor.site, data["site"])
    site, service, agency, calendar = _offered(work, data["site"], data["service"])
    domain.check_agency(actor.agencies, agency["id"])
    domain.check_site_takes_numbers(site, data["channel"])
    if not service["active"]:
        raise DomainError("service_inactive", service=service["id"])
    prefix = domain.prefix_at(agency, site["id"])
    _check_open(work, calendar, agency)
    today = domain.business_date(work.now, site["timezone"])
    closes_at, priority = domain.end_of_day(today, site["timezone"]), data["priority_class"] is not None
    taken = store.take_number(work, site["id"], today, prefix, closes_at, service["id"], priority=priority)
    if taken.closed_at is not None:
        raise DomainError("day_closed", business_date=today.isoformat())
    if taken.opened:
        tell_of_day(work, "queue.day_opened", site["id"], today)
    ticket = domain.issued(
        Ticket(
            id=str(uuid.uuid4()),
            visit=str(uuid.uuid4()),
            site=site["id"],
            business_date=today,
            agency=agency["id"],
            service=service["id"],
            prefix=prefix,
            number=taken.number,
            channel=data["channel"],
            status="waiting",
            priority_class=data["priority_class"],
            arrived_at=taken.arrived_at,
            issued_at=taken.arrived_at,
        ),
        actor.id,
    )
    store.insert(work, ticket)
    tell_of_ticket(work, "ticket.issued", ticket)
    return waiting_answer(ticket, taken.ahead, taken.mean_seconds, taken.counters)


def with_token(settings: Settings, answer: dict[str, Any]) -> dict[str, Any]:
    """Add the citizen's token to the answer of issuing; it is calculated, so it stands in no table."""
    return {**answer, "token": domain.ticket_token(settings.required_ticket_token_secret(), answer["id"])}


def _offered(work: UnitOfWork, site: str, service: str) -> tuple[Entity, Entity, Entity, domain.Calendar]:
    """Return site, service, the service's agency and the site's calendar of today; refuses with ``<kind>_unknown``."""
    wanted = {"site": site, "service": service, "agency": domain.agency_of(service)}
    known, entries = store.offered(work, **wanted)
    for kind, identifier in wanted.items():
        if kind not in known:
            raise DomainError(f"{kind}_unknown", **{kind: identifier})
    return known["site"], known["service"], known["agency"], domain.Calendar(known["site"], entries)


def _check_open(work: UnitOfWork, calendar: domain.Calendar, agency: Entity) -> None:
    """Refuse a number while it is closed. When it opens again is looked up for who is refused only."""
    if domain.is_closed(calendar.of_agency(agency), work.now):
        ahead = calendar.local(work.now).date() + timedelta(days=domain.LONGEST_SEARCH)
        domain.check_open(replace(calendar, entries=store.special_hours(work, until=ahead)), agency, work.now)
