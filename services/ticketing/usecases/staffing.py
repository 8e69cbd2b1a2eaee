"""Counters are opened, paused and closed; what an officer finds there after loading the page anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.chassis import audit
from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.events import Event
from services.ticketing import domain, store
from services.ticketing.domain import CounterSession
from services.ticketing.usecases.answers import answer
from services.ticketing.usecases.calling import known_counter

_LONGEST_DAY = timedelta(days=2)
"""The counter that an officer has open is one of today, whatever the time zone of its site."""

_EVENTS = {"open": "counter.opened", "paused": "counter.paused", "closed": "counter.closed"}


def open_counter(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Begin or go on to work at a counter; one officer at a counter, one counter for an officer."""
    actor = work.context.actor
    found = known_counter(work, data["counter"])
    counter, site = found.counter, found.site
    domain.services_for(counter, actor.agencies)
    if data["take_over"]:
        domain.check_role(actor.role, domain.OVERSEERS)
    today = domain.business_date(work.now, site["timezone"])
    before = store.locked_session(work, counter["id"], site["id"], today)
    facts = {"counter": counter["id"], "site": site["id"], "today": today, "officer": str(actor.id), "now": work.now}
    after = domain.opened(before, take_over=data["take_over"], **facts)
    elsewhere = store.session_of_officer(work, str(actor.id), today)
    if elsewhere is not None and elsewhere.counter != counter["id"] and elsewhere.business_date == today:
        raise DomainError("officer_elsewhere", counter=elsewhere.counter)
    same = (before.status, before.officer, before.business_date) == (after.status, after.officer, today)
    return _session_answer(work, before) if same else _kept(work, before, after)


def pause_counter(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Call nobody for a while."""
    return _kept(work, *_ended(work, data["counter"], "paused", data["reason"]))


def close_counter(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """End the work at a counter; whom it has called or serves must be completed or given back first."""
    before, after = _ended(work, data["counter"], "closed", None)
    for ticket in store.open_at_counter(work, after.counter):
        if ticket.business_date == after.business_date:
            raise DomainError("counter_busy", counter=after.counter, ticket=ticket.id, number=ticket.label, status=ticket.status)
    return _kept(work, before, after)


def close_sessions(work: UnitOfWork, site: str, business_date: Any, ended_at: Any) -> None:
    """Close what is open when the day ends."""
    for session in store.open_sessions(work, site, business_date):
        _tell(work, CounterSession(session.counter, site, business_date, "closed", None, session.officer, ended_at))


def get_desk(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a counter with its session and tickets of today."""
    actor = work.context.actor
    found = known_counter(work, data["counter"])
    counter, site = found.counter, found.site
    today = domain.business_date(work.now, site["timezone"])
    services = domain.services_for(counter, actor.agencies) if counter["active"] else []
    session, tickets, waiting = store.desk(work, counter["id"], site["id"], today, services)
    return {
        "counter": counter["id"],
        "session": None if session is None else _session_answer(work, session),
        "tickets": [answer(ticket) for ticket in tickets],
        "waiting": waiting,
    }


def get_my_counter(work: UnitOfWork, _data: dict[str, Any]) -> dict[str, Any] | None:
    """Return the counter that the caller has open or paused today, ``None`` when there is none."""
    own = store.session_of_officer(work, str(work.context.actor.id), (work.now - _LONGEST_DAY).date())
    if own is None:
        return None
    desk = get_desk(work, {"counter": own.counter})
    return None if desk["session"] is None else desk


def _ended(work: UnitOfWork, counter_id: str, status: Any, reason: str | None) -> tuple[CounterSession, CounterSession]:
    actor = work.context.actor
    found = known_counter(work, counter_id)
    counter, site = found.counter, found.site
    domain.services_for({**counter, "active": True}, actor.agencies)
    today = domain.business_date(work.now, site["timezone"])
    before = store.locked_session(work, counter["id"], site["id"], today)
    who = {"counter": counter["id"], "today": today, "officer": str(actor.id), "role": actor.role, "now": work.now}
    return before, domain.ended(before, status, reason=reason, **who)


def _kept(work: UnitOfWork, before: CounterSession, session: CounterSession) -> dict[str, Any]:
    _tell(work, session)
    place = {"site": session.site, "counter": session.counter}
    audit.note(work, "counter", session.counter, audit.differing(_facts(before), _facts(session)), place)
    return _session_answer(work, session)


def _tell(work: UnitOfWork, session: CounterSession) -> None:
    store.keep_session(work, session)
    data = {"counter": session.counter, "site": session.site, "status": session.status, "reason": session.reason}
    event = {**data, "business_date": session.business_date.isoformat()}
    work.emit(Event(_EVENTS[session.status], session.counter, event, site=session.site))


def _facts(session: CounterSession) -> dict[str, Any]:
    """Return what the audit log holds of a session."""
    return {"status": session.status, "officer": session.officer, "business_date": session.business_date.isoformat()}


def _session_answer(work: UnitOfWork, session: CounterSession) -> dict[str, Any]:
    return {
        "counter": session.counter,
        "site": session.site,
        "business_date": session.business_date.isoformat(),
        "status": session.status,
        "reason": session.reason,
        "since": session.since.isoformat(),
        "mine": session.officer == work.context.actor.id,
    }
