"""Sending a citizen on to another public service: a new ticket, the same visit, the same arrival."""

from __future__ import annotations

import uuid
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.ticketing import domain, store
from services.ticketing.domain import QueueRefusal, Ticket
from services.ticketing.usecases.answers import answer, place_in_queue, told_first
from services.ticketing.usecases.changing import change, note_new, on_open_day, tell_of_ticket
from services.ticketing.usecases.issuing import check_open, offered


def transfer_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """End a called or served ticket and let its citizen wait for another service at the site; answer the new ticket.

    Who has waited already does not begin anew: the new ticket has its turn by the arrival of the visit.
    """
    old, site = on_open_day(work, data["id"], "transfer")
    if data["service"] == old.service:
        raise QueueRefusal("transfer_to_itself", service=old.service)
    _, service, agency, calendar = offered(work, old.site, data["service"])
    if not service["active"]:
        raise DomainError("service_inactive", service=service["id"])
    prefix = domain.prefix_at(agency, old.site)
    check_open(work, calendar, agency)
    ends = domain.end_of_day(old.business_date, site["timezone"])
    taken = store.take_number(work, old.site, old.business_date, prefix, ends)
    new = _next_ticket(old, service["id"], agency["id"], prefix, taken)
    change(work, old, "transfer", transferred_to=new.id)
    place = place_in_queue(work, new)  # by its arrival, before others who wait: not the end of the queue
    joined = told_first(domain.issued(new, work.context.actor.id), place)
    store.insert_next(work, joined)
    note_new(work, joined)
    tell_of_ticket(work, "ticket.issued", joined)
    return {**answer(joined, place), "legs": []}


def _next_ticket(old: Ticket, service: str, agency: str, prefix: str, taken: store.TakenNumber) -> Ticket:
    return Ticket(
        id=str(uuid.uuid4()),
        visit=old.visit,
        site=old.site,
        business_date=old.business_date,
        agency=agency,
        service=service,
        prefix=prefix,
        number=taken.number,
        channel=old.channel,
        status="waiting",
        priority_class=old.priority_class,
        arrived_at=old.arrived_at,
        issued_at=taken.arrived_at,
        transferred_from=old.id,
        leg=old.leg,
    )
