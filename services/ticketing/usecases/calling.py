"""Calling: the next ticket, a certain one, or the same again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.ticketing import domain, store
from services.ticketing.domain import Ticket
from services.ticketing.usecases.changing import change, expire, keep, locked, site_of, staffs_ticket


def call_next(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any] | None:
    """Call whoever is next for the counter's services; ``None`` when nobody waits."""
    actor = work.context.actor
    found = known_counter(work, data["counter"])
    counter, site = found.counter, found.site
    services = domain.services_for(counter, actor.agencies)
    today = domain.business_date(work.now, site["timezone"])
    domain.check_calls(found.status if found.business_date == today else None, counter["id"])
    store.lock_day(work, site["id"], today)
    ticket, open_there, regular_calls = _next(work, site, today, services, counter["id"])
    _check_counter_free(open_there, site, today)
    if ticket is None:
        return None
    _expire_overtaken(work, open_there, site, today)
    called = domain.changed(ticket, "call", work.now, actor=actor.id, counter=counter["id"])
    if regular_calls is not None:
        store.count_call(work, called, regular_calls)
    return keep(work, called, "call")


def _next(
    work: UnitOfWork, site: Mapping[str, Any], today: date, services: Sequence[str], counter: str
) -> tuple[Ticket | None, list[Ticket], int | None]:
    """Return who is next by the site's policy, locked, who is at the counter now, and what the counter will have counted.

    That is how many regular tickets it has called since its last priority call, ``None`` where the policy counts nothing.
    The day is locked.
    """
    policy = domain.policy_of(site)
    if policy.is_strict:
        return *store.next_and_at_counter(work, site["id"], today, services, counter), None
    heads = store.heads_and_at_counter(work, site["id"], today, services, counter)
    k = policy.regular_per_priority
    calls = k if heads.regular_calls is None else heads.regular_calls  # a counter begins with the priority lane
    chosen = domain.next_of(heads.priority, heads.regular, calls, policy, work.now)
    counted = None if chosen is None or not k else min(calls + 1, k) if chosen.lane == "regular" else 0
    return chosen, heads.at_counter, counted


def call_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Call one ticket to a counter, out of turn."""
    actor = work.context.actor
    found = known_counter(work, data["counter"])
    counter, site = found.counter, found.site
    services = domain.services_for(counter, actor.agencies)
    today = domain.business_date(work.now, site["timezone"])
    domain.check_calls(found.status if found.business_date == today else None, counter["id"])
    store.lock_day(work, site["id"], today)
    ticket = locked(work, data["id"])
    domain.check_agency(actor.agencies, ticket.agency)
    if ticket.site != site["id"] or ticket.service not in services:
        raise DomainError("counter_does_not_serve", counter=counter["id"], service=ticket.service)
    called = domain.changed(ticket, "call", work.now, actor=actor.id, counter=counter["id"])
    domain.check_day(ticket, today)
    open_there = store.open_at_counter(work, counter["id"])
    _check_counter_free(open_there, site, today)
    _expire_overtaken(work, open_there, site, today)
    return keep(work, called, "call")


def recall_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Call again; at most as often as the site's policy allows."""
    ticket = staffs_ticket(work, data["id"])
    policy = domain.policy_of(site_of(work, ticket))
    domain.check_recall(ticket, work.now, most=policy.max_recalls, gap_seconds=policy.recall_gap_seconds)
    return change(work, ticket, "recall")


def known_counter(work: UnitOfWork, counter_id: str) -> store.CounterAndSite:
    """Return a counter and its site; refuses with ``counter_unknown``, and who is assigned to others."""
    found = store.counter_and_site(work, counter_id)
    if found is None:
        raise DomainError("counter_unknown", counter=counter_id)
    domain.check_counter(work.context.actor.counters, counter_id)
    return found


def _check_counter_free(open_there: Sequence[Ticket], site: Mapping[str, Any], today: date) -> None:
    """Refuse a busy counter. Whom midnight has overtaken there does not count, even before the close of day comes."""
    domain.check_counter_free(
        [ticket for ticket in open_there if ticket.business_date >= today],
        may_call_while_serving=domain.policy_of(site).call_while_serving,
    )


def _expire_overtaken(work: UnitOfWork, open_there: Sequence[Ticket], site: Mapping[str, Any], today: date) -> None:
    """Make room for a call: end those at the counter whom midnight has overtaken."""
    for overtaken in (ticket for ticket in open_there if ticket.business_date < today):
        ticket = locked(work, overtaken.id)
        if ticket.status in domain.AT_COUNTER_STATES:
            expire(work, ticket, domain.end_of_day(ticket.business_date, site["timezone"]))
