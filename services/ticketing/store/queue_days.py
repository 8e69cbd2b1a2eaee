"""Queue days: the row of a site's business date, which hands out numbers and which every call locks first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.contracts.queue_forecast import Hall
from services.ticketing.domain import Ticket
from services.ticketing.store.halls import day_and_hall, hall_of

# Locks the day's row until the transaction ends; that is what makes numbers unique and gapless. Under that lock arrivals
# only ever grow, whichever transaction looked at its clock first: who has the lower number has its turn first.
_TAKE_NUMBER = sa.text("""
    INSERT INTO queue_day AS day (site, business_date, numbers, opened_at, closes_at, last_arrival_at)
    VALUES (:site, :business_date, jsonb_build_object(CAST(:prefix AS text), 1), :now, :closes_at, :now)
    ON CONFLICT (site, business_date) DO UPDATE
        SET numbers = day.numbers || jsonb_build_object(
                CAST(:prefix AS text), coalesce(CAST(day.numbers->>:prefix AS integer), 0) + 1),
            closes_at = excluded.closes_at,
            last_arrival_at = greatest(excluded.last_arrival_at, day.last_arrival_at + interval '1 microsecond')
""")

# Under the day's lock, as numbers are taken.
_TAKE_TURN = sa.text("""
    UPDATE queue_day SET last_arrival_at = greatest(:now, last_arrival_at + interval '1 microsecond')
    WHERE site = :site AND business_date = :business_date RETURNING last_arrival_at
""")

# What was counted before stands beside it, with the call of which it is true: no later one.
_COUNT_CALL = sa.text("""
    UPDATE queue_day SET regular_calls = regular_calls || jsonb_build_object(CAST(:counter AS text), CAST(:calls AS integer)),
        counted_before = counted_before || jsonb_build_object(CAST(:counter AS text), jsonb_build_object(
            'ticket', CAST(:ticket AS text), 'version', CAST(:version AS integer), 'calls', regular_calls->:counter))
    WHERE site = :site AND business_date = :business_date
""")
_GIVE_BACK_CALL = sa.text("""
    UPDATE queue_day SET counted_before = counted_before - CAST(:counter AS text), regular_calls = CASE
            WHEN jsonb_typeof(counted_before->:counter->'calls') = 'number'
            THEN regular_calls || jsonb_build_object(CAST(:counter AS text), counted_before->:counter->'calls')
            ELSE regular_calls - CAST(:counter AS text) END
    WHERE site = :site AND business_date = :business_date
        AND counted_before->:counter @> jsonb_build_object('ticket', CAST(:ticket AS text), 'version', CAST(:version AS integer))
""")

_LOCK_DAY = sa.text("SELECT FROM queue_day WHERE site = :site AND business_date = :business_date FOR UPDATE")

_DUE_DAYS = sa.text("""
    SELECT site, business_date FROM queue_day WHERE closed_at IS NULL AND closes_at <= :now
    ORDER BY closes_at, site
""")
_LOCK_DUE_DAY = sa.text("""
    SELECT closes_at FROM queue_day
    WHERE site = :site AND business_date = :business_date AND closed_at IS NULL AND closes_at <= :now
    FOR UPDATE SKIP LOCKED
""")
_CLOSE_DAY = sa.text("UPDATE queue_day SET closed_at = :now WHERE site = :site AND business_date = :business_date")
_NEXT_CLOSING = sa.text("SELECT min(closes_at) FROM queue_day WHERE closed_at IS NULL")


@dataclass(frozen=True)
class TakenNumber:
    """A number of a site's day, just taken."""

    number: int
    arrived_at: datetime
    """Later than that of every number taken before at the site on this day."""
    closed_at: datetime | None
    """When the day was closed: then the number must not be used, and the transaction not be committed."""
    opened: bool
    """Whether this is the day's first number."""
    hall: Hall
    """The site without the new number: after that lock nobody else takes one, so those who wait are all that wait before it."""


def take_number(work: UnitOfWork, site: str, business_date: date, prefix: str, closes_at: datetime) -> TakenNumber:
    """Lock the site's day (opening it if need be) and take the next number of a prefix, in one round trip."""
    day = {"site": site, "business_date": business_date, "prefix": prefix}
    work.later(_TAKE_NUMBER, {**day, "now": work.now, "closes_at": closes_at})
    row = day_and_hall(work, site, business_date)
    opened = sum(row.numbers.values()) == 1
    return TakenNumber(row.numbers[prefix], row.last_arrival_at, row.closed_at, opened, hall_of(row, business_date))


def take_turn(work: UnitOfWork, site: str, business_date: date) -> datetime:
    """Return a turn after that of everybody who has come to the site on this day, whose row is locked."""
    turn: datetime = work.execute(_TAKE_TURN, {"site": site, "business_date": business_date, "now": work.now}).scalar_one()
    return turn


def count_call(work: UnitOfWork, called: Ticket, calls: int) -> None:
    """Store how many regular tickets a counter has called since its last priority call, now that it has called this one.

    The day's row is locked.
    """
    work.later(_COUNT_CALL, {**_of_call(called, called.version), "calls": calls})


def give_back_call(work: UnitOfWork, called: Ticket) -> None:
    """Let a counter's count be what it was before it called this ticket, if that was its newest call that counted.

    The day's row is locked; recalls have counted the ticket's versions on, and nothing else has as long as it is called.
    """
    work.later(_GIVE_BACK_CALL, _of_call(called, called.version - called.recalls))


def _of_call(called: Ticket, version: int) -> dict[str, Any]:
    day = {"site": called.site, "business_date": called.business_date}
    return {**day, "counter": called.counter, "ticket": called.id, "version": version}


def lock_day(work: UnitOfWork, site: str, business_date: date) -> None:
    """Lock the site's day, if it was opened, before the next statement."""
    work.later(_LOCK_DAY, {"site": site, "business_date": business_date})


def due_days(work: UnitOfWork) -> list[tuple[str, date]]:
    """Return ``(site, business date)`` of the days that should be closed by now, oldest first."""
    return [(row.site, row.business_date) for row in work.execute(_DUE_DAYS, {"now": work.now})]


def lock_due_day(work: UnitOfWork, site: str, business_date: date) -> datetime | None:
    """Lock a day for closing and return when it ended; ``None``: not due, closed already, or locked by somebody else."""
    day = {"site": site, "business_date": business_date, "now": work.now}
    ended_at: datetime | None = work.execute(_LOCK_DUE_DAY, day).scalar_one_or_none()
    return ended_at


def close_day(work: UnitOfWork, site: str, business_date: date) -> None:
    """Mark a day closed."""
    work.later(_CLOSE_DAY, {"site": site, "business_date": business_date, "now": work.now})


def next_closing(work: UnitOfWork) -> datetime | None:
    """Return when the next open day of the regency ends (UTC), or ``None``."""
    instant: datetime | None = work.execute(_NEXT_CLOSING).scalar_one()
    return instant
