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
from services.ticketing.usecases.answers import answer, place_in, told_first
from services.ticketing.usecases.changing import note_new, tell_of_day, tell_of_ticket
from services.ticketing.usecases.persons import introduced
from services.ticketing.usecases.sealing import PersonKeys
from services.ticketing.usecases.visits import prerequisites_of

Entity = dict[str, Any]


def issue_ticket(work: UnitOfWork, data: dict[str, Any], keys: PersonKeys | None = None) -> dict[str, Any]:
    """Issue the next number of the service's agency at a site, and one for each further service of the visit.

    Opens the site's day with its first number.

    :param keys: for what the citizen says of himself; ``None`` where nothing of it is taken.
    """
    person = introduced(data, keys)
    actor = work.context.actor
    domain.check_channel(actor.role, data["channel"])
    domain.check_device_site(actor.site, data["site"])
    services = _in_order(work, [data["service"], *data["then"]])
    status = "printing" if data["print"] else "waiting"
    if person is not None:
        person.await_turn(work)
    first, taken = _issued(work, data, services[0], status, leg=1 if services[1:] else None)
    if person is not None:
        person.check_once(work, first.site, first.business_date, services)
    place = place_in(taken.hall, first, work.now) if status == "waiting" else None
    if place is not None:
        first = told_first(first, place)
    store.insert(work, first)
    if person is not None:
        person.keep(work, first)
    note_new(work, first)
    if place is not None:  # a number that is being printed is nobody's news yet
        tell_of_ticket(work, "ticket.issued", first)
    legs = [_issued(work, data, service, "reserved", leg, first)[0] for leg, service in enumerate(services[1:], 2)]
    for leg in legs:
        store.insert_next(work, leg)
        note_new(work, leg)
        tell_of_ticket(work, "ticket.reserved", leg)
    further = [{"id": leg.id, "number": leg.label, "service": leg.service, "status": leg.status} for leg in legs]
    return {**answer(first, place), "legs": further}


def _in_order(work: UnitOfWork, services: list[str]) -> list[str]:
    if len(services) == 1:
        return services
    return domain.in_order(services, prerequisites_of(work, services))


def _issued(
    work: UnitOfWork,
    data: dict[str, Any],
    service_id: str,
    status: str,
    leg: int | None,
    before: Ticket | None = None,
) -> tuple[Ticket, store.TakenNumber]:
    """Take a number for a service; return the ticket, not stored yet, and what was taken.

    :param before: the first ticket of the visit, whose arrival all others share.
    """
    actor = work.context.actor
    site, service, agency, calendar = offered(work, data["site"], service_id)
    domain.check_agency(actor.agencies, agency["id"])
    if before is None:
        domain.check_site_takes_numbers(site, data["channel"])
    if not service["active"]:
        raise DomainError("service_inactive", service=service["id"])
    prefix = domain.prefix_at(agency, site["id"])
    check_open(work, calendar, agency)
    today = domain.business_date(work.now, site["timezone"])
    taken = store.take_number(work, site["id"], today, prefix, domain.end_of_day(today, site["timezone"]))
    if taken.closed_at is not None:
        raise DomainError("day_closed", business_date=today.isoformat())
    if taken.opened:
        tell_of_day(work, "queue.day_opened", site["id"], today)
    ticket = Ticket(
        id=str(uuid.uuid4()),
        visit=str(uuid.uuid4()) if before is None else before.visit,
        site=site["id"],
        business_date=today,
        agency=agency["id"],
        service=service["id"],
        prefix=prefix,
        number=taken.number,
        channel=data["channel"],
        status=status,
        priority_class=data["priority_class"],
        arrived_at=taken.arrived_at if before is None else before.arrived_at,
        issued_at=taken.arrived_at,
        leg=leg,
    )
    return domain.issued(ticket, actor.id), taken


def with_token(settings: Settings, answer: dict[str, Any]) -> dict[str, Any]:
    """Add the citizen's token to the answer of issuing; it is calculated, so it stands in no table."""
    return {**answer, "token": domain.ticket_token(settings.required_ticket_token_secret(), answer["id"])}


def offered(work: UnitOfWork, site: str, service: str) -> tuple[Entity, Entity, Entity, domain.Calendar]:
    """Return site, service, the service's agency and the site's calendar of today; refuses with ``<kind>_unknown``."""
    wanted = {"site": site, "service": service, "agency": domain.agency_of(service)}
    known, entries = store.offered(work, **wanted)
    for kind, identifier in wanted.items():
        if kind not in known:
            raise DomainError(f"{kind}_unknown", **{kind: identifier})
    return known["site"], known["service"], known["agency"], domain.Calendar(known["site"], entries)


def check_open(work: UnitOfWork, calendar: domain.Calendar, agency: Entity) -> None:
    """Refuse a number while it is closed. When it opens again is looked up for who is refused only."""
    if domain.is_closed(calendar.of_agency(agency), work.now):
        ahead = calendar.local(work.now).date() + timedelta(days=domain.LONGEST_SEARCH)
        domain.check_open(replace(calendar, entries=store.special_hours(work, until=ahead)), agency, work.now)
