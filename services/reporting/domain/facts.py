"""From what happened to a ticket to its fact: one row that all figures are counted from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MILLISECONDS = 3
"""Decimals of a published number of seconds."""


@dataclass(frozen=True)
class TicketFact:
    """What one ticket contributes to every figure; the fact of a newer `version` takes its place.

    `wait_seconds`, `walk_seconds` and `serve_seconds` are the time in ``waiting``, ``called`` and ``serving``, summed
    over all *ended* periods in that state (a ticket may return to the queue), and ``None`` when the ticket never was in
    it. So ``wait_seconds is None`` marks what never entered the queue (a void number, an appointment nobody came to),
    and ``walk_seconds is None`` what was never called. A period that has not ended counts nothing yet: figures change
    with events and not with the moment of asking.
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
    wait_seconds: float | None
    walk_seconds: float | None
    serve_seconds: float | None
    version: int


def fact_of(ticket: Mapping[str, Any]) -> TicketFact:
    """Return the fact of a public ticket as ticketing's events carry it."""
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
        wait_seconds=seconds_in("waiting", ticket["periods"]),
        walk_seconds=seconds_in("called", ticket["periods"]),
        serve_seconds=seconds_in("serving", ticket["periods"]),
        version=ticket["version"],
    )


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
    return None if seconds is None else round(seconds, MILLISECONDS)


def _length(period: Mapping[str, Any]) -> timedelta:
    if period["ended_at"] is None:
        return timedelta()
    length = datetime.fromisoformat(period["ended_at"]) - datetime.fromisoformat(period["started_at"])
    return max(timedelta(), length)
