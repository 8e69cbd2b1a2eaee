"""Putting a ticket aside while its citizen fetches something, and going on with it."""

from __future__ import annotations

from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.ticketing import domain, store
from services.ticketing.usecases.calling import known_counter
from services.ticketing.usecases.changing import change, keep, on_open_day, staffs_ticket


def hold_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Put a called or served ticket aside; its counter is free for the next."""
    return change(work, staffs_ticket(work, data["id"]), "hold")


def resume_ticket(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Go on with a ticket as it was before, where it was or at another counter that serves it."""
    actor = work.context.actor
    held, _ = on_open_day(work, data["id"], "resume")
    found = known_counter(work, data.get("counter") or held.counter or "")
    counter, site = found.counter, found.site
    if held.site != site["id"] or held.service not in domain.services_for(counter, actor.agencies):
        raise DomainError("counter_does_not_serve", counter=counter["id"], service=held.service)
    domain.check_calls(found.status if found.business_date == held.business_date else None, counter["id"])
    target, policy = domain.target_of(held, "resume"), domain.policy_of(site)
    domain.check_room_for(store.open_at_counter(work, counter["id"]), target, may_call_while_serving=policy.call_while_serving)
    return keep(work, domain.changed(held, "resume", work.now, actor=actor.id, counter=counter["id"]), "resume")
