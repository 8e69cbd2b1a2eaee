"""Counters at work: one row for each counter that was ever opened, true for its business date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from functools import partial

import psycopg
import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.ticketing.domain import CounterSession, QueueRefusal, Ticket
from services.ticketing.store.tables import from_row, tickets_of

# Something to lock, so that of two who open it for the first time one sees the other.
_BEGIN = sa.text("""
    INSERT INTO counter_session (counter, site, business_date, status, officer, since)
    VALUES (:counter, :site, :business_date, 'closed', '', :now) ON CONFLICT (counter) DO NOTHING
""")
_LOCK = sa.text(
    "SELECT counter, site, business_date, status, reason, officer, since FROM counter_session WHERE counter = :counter FOR UPDATE"
)
_OF_OFFICER = sa.text("""
    SELECT counter, site, business_date, status, reason, officer, since FROM counter_session
    WHERE officer = :officer AND status <> 'closed' AND business_date >= :after ORDER BY since DESC LIMIT 1
""")
_KEEP = sa.text("""
    INSERT INTO counter_session (counter, site, business_date, status, reason, officer, since)
    VALUES (:counter, :site, :business_date, :status, :reason, :officer, :since)
    ON CONFLICT (counter) DO UPDATE SET site = excluded.site, business_date = excluded.business_date, status = excluded.status,
        reason = excluded.reason, officer = excluded.officer, since = excluded.since
""")
_OPEN_OF_DAY = sa.text("""
    SELECT counter, site, business_date, status, reason, officer, since FROM counter_session
    WHERE site = :site AND business_date = :business_date AND status <> 'closed' ORDER BY counter FOR UPDATE
""")


_OF_DAY = sa.text("""
    SELECT counter, site, business_date, status, reason, officer, since FROM counter_session
    WHERE counter = :counter AND site = :site AND business_date = :business_date
""")
_AT_DESK = tickets_of(
    sa.text("""
    SELECT * FROM ticket
    WHERE site = :site AND business_date = :business_date AND counter = :counter AND status IN ('called', 'serving', 'on_hold')
    ORDER BY prefix, number
""")
)
_WAITING = sa.text("""
    SELECT count(*) FROM ticket
    WHERE status = 'waiting' AND site = :site AND business_date = :business_date AND service = ANY(:services)
""")


def locked_session(work: UnitOfWork, counter: str, site: str, business_date: date) -> CounterSession:
    """Return the last session of a counter, of whatever day, locked; a closed one of this day when it was never opened."""
    work.later(_BEGIN, {"counter": counter, "site": site, "business_date": business_date, "now": work.now})
    return CounterSession(**work.execute(_LOCK, {"counter": counter}).mappings().one())


def session_of_officer(work: UnitOfWork, officer: str, after: date) -> CounterSession | None:
    """Return the counter that an officer has open or paused on this business date or a later one; not locked."""
    row = work.execute(_OF_OFFICER, {"officer": officer, "after": after}).mappings().first()
    return None if row is None else CounterSession(**row)


def keep_session(work: UnitOfWork, session: CounterSession) -> None:
    """Store a counter's session; ends with ``officer_elsewhere`` when its officer has another counter open that day."""
    work.later(_KEEP, asdict(session), refused=partial(_refused, session.counter))


def open_sessions(work: UnitOfWork, site: str, business_date: date) -> list[CounterSession]:
    """Return the sessions of a day that are not closed, locked, by counter."""
    rows = work.execute(_OPEN_OF_DAY, {"site": site, "business_date": business_date}).mappings()
    return [CounterSession(**row) for row in rows]


def desk(
    work: UnitOfWork, counter: str, site: str, business_date: date, services: Sequence[str]
) -> tuple[CounterSession | None, list[Ticket], int]:
    """Return a counter's session of a day, its tickets (called, serving, on hold) and how many wait for the services.

    Three statements.
    """
    key = {"counter": counter, "site": site, "business_date": business_date}
    row = work.execute(_OF_DAY, key).mappings().first()
    tickets = [from_row(each) for each in work.execute(_AT_DESK, key).mappings()]
    waiting = work.execute(_WAITING, {**key, "services": list(services)}).scalar_one()
    return None if row is None else CounterSession(**row), tickets, waiting


def _refused(counter: str, error: BaseException) -> Exception | None:
    if isinstance(error, psycopg.errors.UniqueViolation) and error.diag.constraint_name == "counter_session_of_officer":
        return QueueRefusal("officer_elsewhere", counter=counter)
    return None
