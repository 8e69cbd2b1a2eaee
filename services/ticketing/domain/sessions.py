"""Counters at work: opened by an officer, paused, closed; true for one business date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from services.ticketing.domain.refusal import QueueRefusal

OVERSEERS = frozenset({"supervisor", "administrator", "operator", "system"})
"""Who may take over, pause and close a counter at which somebody else works."""

Status = Literal["open", "paused", "closed"]


@dataclass(frozen=True)
class CounterSession:
    """A counter as it is staffed on a business date; ``since`` is aware UTC."""

    counter: str
    site: str
    business_date: date
    status: Status
    reason: str | None
    officer: str
    since: datetime


def opened(before: CounterSession, *, counter: str, site: str, today: date, officer: str, now: datetime, take_over: bool) -> CounterSession:
    """Return the session of an officer who begins or goes on at a counter.

    :raises QueueRefusal: ``counter_taken`` while somebody else has it open or paused today.
    """
    theirs = before.business_date == today and before.status != "closed" and before.officer != officer
    if theirs and not take_over:
        raise QueueRefusal("counter_taken", counter=counter, since=before.since.isoformat())
    return CounterSession(counter, site, today, "open", None, officer, now)


def ended(
    before: CounterSession, status: Status, *, counter: str, today: date, officer: str, role: str, now: datetime, reason: str | None
) -> CounterSession:
    """Return the session once it is paused or closed.

    :raises QueueRefusal: ``counter_not_open`` when nothing is open there today, ``counter_taken`` when it is another's.
    """
    if before.business_date != today or before.status == "closed":
        raise QueueRefusal("counter_not_open", counter=counter, status="closed")
    if before.officer != officer and role not in OVERSEERS:
        raise QueueRefusal("counter_taken", counter=counter, since=before.since.isoformat())
    return replace(before, status=status, reason=reason, since=now)


def check_calls(status: str | None, counter: str) -> None:
    """Refuse a call to a counter that is paused or closed today; one that nobody has opened may call (``None``)."""
    if status not in (None, "open"):
        raise QueueRefusal("counter_not_open", counter=counter, status=status)
