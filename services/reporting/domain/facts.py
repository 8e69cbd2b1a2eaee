"""From what happened to a ticket to its fact: one row that all figures are counted from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

ENDED_STATES = frozenset({"completed", "no_show", "transferred", "cancelled", "expired", "void"})

MILLISECONDS = 3
"""Decimals of a published number of seconds."""


@dataclass(frozen=True)
class TicketFact:
    """What one ticket, a leg of a visit, contributes to every figure; the fact of a newer `version` takes its place.

    `wait_seconds`, `walk_seconds` and `serve_seconds` are the time in ``waiting``, ``called`` and ``serving``, summed
    over all *ended* periods in that state (a ticket may return to the queue), and ``None`` when the ticket never was in
    it. So ``wait_seconds is None`` marks what never entered the queue (a void number, an appointment nobody came to),
    and ``walk_seconds is None`` what was never called. A period that has not ended counts nothing yet: figures change
    with events and not with the moment of asking.

    ``arrived_at`` is when the visit began, which all its legs share, also after a transfer. ``first_called_at`` is the
    first call that was not undone, and ``first_call_seconds`` the time from joining the queue (the first ``waiting``) until
    then; both stay when the ticket returns, rejoins or changes its lane. ``first_estimate_seconds`` is what was told of that time.
    ``ended_at`` is ``None`` while the ticket can go on by itself; a no-show that rejoins goes on.
    """

    id: str
    visit: str
    site: str
    agency: str
    service: str
    business_date: date
    channel: str
    status: str
    lane: str
    outcome: str | None
    issued_at: datetime
    arrived_at: datetime
    first_called_at: datetime | None
    ended_at: datetime | None
    first_call_seconds: float | None
    first_estimate_seconds: int | None
    wait_seconds: float | None
    walk_seconds: float | None
    serve_seconds: float | None
    version: int


def fact_of(ticket: Mapping[str, Any]) -> TicketFact:
    """Return the fact of a public ticket as ticketing's events carry it."""
    periods = ticket["periods"]
    joined, called = _began("waiting", periods), _began("called", periods)
    return TicketFact(
        id=ticket["id"],
        visit=ticket["visit"],
        site=ticket["site"],
        agency=ticket["agency"],
        service=ticket["service"],
        business_date=date.fromisoformat(ticket["business_date"]),
        channel=ticket["channel"],
        status=ticket["status"],
        lane=ticket["lane"],
        outcome=ticket["outcome"],
        issued_at=datetime.fromisoformat(ticket["issued_at"]),
        arrived_at=datetime.fromisoformat(ticket["arrived_at"]),
        first_called_at=called,
        ended_at=_ended(periods) if ticket["status"] in ENDED_STATES else None,
        first_call_seconds=_until_called(joined, called),
        first_estimate_seconds=ticket.get("first_estimate_seconds"),
        wait_seconds=seconds_in("waiting", periods),
        walk_seconds=seconds_in("called", periods),
        serve_seconds=seconds_in("serving", periods),
        version=ticket["version"],
    )


def error_of_first_call(ticket: Mapping[str, Any]) -> float | None:
    """Return by how many seconds more was told than a ticket waited (below zero: less), if it has just been called first.

    ``None`` when it had been called before, and when nothing had been told. A call that is undone later counts, too.
    """
    told, periods = ticket.get("first_estimate_seconds"), ticket["periods"]
    calls = [period for period in periods if period["state"] == "called" and not period.get("undone")]
    if told is None or len(calls) != 1:
        return None
    waited = _until_called(_began("waiting", periods), _began("called", periods))
    return None if waited is None else told - waited


def seconds_in(state: str, periods: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the seconds of all ended periods in one state, exact to the microsecond; ``None`` without any period.

    A call that was a mistake and was undone is none: nobody was called, and nobody walked.
    The ends of a period may come from two machines whose clocks differ a little; it never counts less than nothing.
    """
    lengths = [_length(period) for period in periods if period["state"] == state and not period.get("undone")]
    return sum(lengths, timedelta()).total_seconds() if lengths else None


def local_date(now: datetime, timezone: str) -> date:
    """Return the date at a site at an instant."""
    return now.astimezone(ZoneInfo(timezone)).date()


def rounded(seconds: float | None) -> float | None:
    """Return a figure as it is published: rounded once, at the end, to the millisecond."""
    return None if seconds is None else round(float(seconds), MILLISECONDS)


def _began(state: str, periods: Iterable[Mapping[str, Any]]) -> datetime | None:
    """Return when a ticket was in a state first; a call that was undone is none."""
    began = (period["started_at"] for period in periods if period["state"] == state and not period.get("undone"))
    first = next(began, None)
    return None if first is None else datetime.fromisoformat(first)


def _until_called(joined: datetime | None, called: datetime | None) -> float | None:
    return None if joined is None or called is None else max(0.0, (called - joined).total_seconds())


def _ended(periods: Sequence[Mapping[str, Any]]) -> datetime | None:
    """Return when what has ended did: with its last period, or with the beginning of one that stays open."""
    return datetime.fromisoformat(periods[-1]["ended_at"] or periods[-1]["started_at"]) if periods else None


def _length(period: Mapping[str, Any]) -> timedelta:
    if period["ended_at"] is None:
        return timedelta()
    length = datetime.fromisoformat(period["ended_at"]) - datetime.fromisoformat(period["started_at"])
    return max(timedelta(), length)
