"""The legs of a visit: the next one joins its queue when the one before it has ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from services.chassis.database import UnitOfWork
from services.ticketing import domain, store
from services.ticketing.domain import Ticket
from services.ticketing.usecases.answers import Place, answer, place_in_queue, told_first
from services.ticketing.usecases.changing import keep, on_open_day


def check_in(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Let a reserved leg wait now: the citizen stands before the counter, whatever should have come first."""
    ticket, _ = on_open_day(work, data["id"], "check-in")
    domain.check_only_live(store.legs(work, ticket.visit), ticket)
    checked_in, place = _joined(work, ticket, work.context.actor.id)
    return answer(checked_in, place)


def after_leg(work: UnitOfWork, ended: Ticket) -> None:
    """Go on with a visit when one of its legs has ended for good; what needs a leg that was given up is given up too.

    The day is locked (`store.lock_day_of_leg`). Who did not come when called may rejoin: the visit waits for that.
    """
    if ended.leg is None or ended.status not in ("completed", "cancelled", "void"):
        return
    legs = store.legs(work, ended.visit)
    reserved = [leg for leg in legs if leg.status == "reserved"]
    if ended.status == "void":  # there never was a slip
        lost = reserved
    elif ended.status == "cancelled":
        lost = domain.depending_on(ended.service, reserved, prerequisites_of(work, [leg.service for leg in reserved]))
    else:
        lost = []
    for leg in lost:
        keep(work, domain.changed(leg, "cancel", work.now, actor=ended.periods[-1].actor), "cancel")
    following = next((leg for leg in reserved if leg not in lost), None)
    others = [leg for leg in legs if leg.id != ended.id]
    if following is not None and not any(leg.status in domain.LIVE_STATES for leg in others):
        _joined(work, following, "system")


def _joined(work: UnitOfWork, reserved: Ticket, actor: str | None) -> tuple[Ticket, Place]:
    """Let a reserved leg wait: now it learns for the first time how long."""
    checked_in = domain.changed(reserved, "check-in", work.now, actor=actor)
    place = place_in_queue(work, checked_in)
    checked_in = told_first(checked_in, place)
    keep(work, checked_in, "check-in")
    return checked_in, place


def prerequisites_of(work: UnitOfWork, services: Collection[str]) -> Mapping[str, Collection[str]]:
    """Return what each of these services requires to be done before it."""
    known = store.services(work, sorted(services))
    return {service["id"]: service.get("prerequisites", ()) for service in known}
