"""Ticketing's tables and all of its SQL. Each function is one statement, unless it says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.ticketing.domain import Period, Ticket

Row = sa.RowMapping

metadata = sa.MetaData()

catalog_copy = sa.Table(
    "catalog_copy",
    metadata,
    sa.Column("kind", sa.Text),
    sa.Column("id", sa.Text),
    sa.Column("version", sa.Integer),
    sa.Column("data", JSONB),
)
ticket = sa.Table(
    "ticket",
    metadata,
    sa.Column("id", UUID(as_uuid=False)),
    sa.Column("visit", UUID(as_uuid=False)),
    sa.Column("site", sa.Text),
    sa.Column("business_date", sa.Date),
    sa.Column("agency", sa.Text),
    sa.Column("service", sa.Text),
    sa.Column("prefix", sa.Text),
    sa.Column("number", sa.Integer),
    sa.Column("channel", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("priority_class", sa.Text),
    sa.Column("arrived_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("issued_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("counter", sa.Text),
    sa.Column("recalls", sa.Integer),
    sa.Column("returns", sa.Integer),
    sa.Column("outcome", sa.Text),
    sa.Column("periods", JSONB),
    sa.Column("version", sa.Integer),
)

_OPEN = ("reserved", "printing", "waiting", "called", "serving", "on_hold")
_FIELDS = [field.name for field in fields(Ticket)]


# --- The copy of the catalogue -------------------------------------------------------------------------------------


def keep_catalog_entity(work: UnitOfWork, kind: str, entity: Mapping[str, Any]) -> bool:
    """Store an entity of the catalogue unless a newer version is there; return whether it was stored."""
    statement = upsert(catalog_copy).values(kind=kind, id=entity["id"], version=entity["version"], data=dict(entity))
    newer = statement.on_conflict_do_update(
        index_elements=["kind", "id"],
        set_={"version": statement.excluded.version, "data": statement.excluded.data},
        where=catalog_copy.c.version < statement.excluded.version,
    )
    return work.execute(newer).rowcount == 1


def catalog_entities(work: UnitOfWork, *keys: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Return the entities with the given ``(kind, id)`` by kind; what is not known is missing."""
    wanted = sa.select(catalog_copy.c.kind, catalog_copy.c.data).where(sa.tuple_(catalog_copy.c.kind, catalog_copy.c.id).in_(keys))
    return {row.kind: row.data for row in work.execute(wanted)}


_COUNTER_AND_SITE = sa.text("""
    SELECT counter.data AS counter, site.data AS site FROM catalog_copy counter
    JOIN catalog_copy site ON site.kind = 'site' AND site.id = counter.data->>'site'
    WHERE counter.kind = 'counter' AND counter.id = :counter
""")


def counter_and_site(work: UnitOfWork, counter: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return a counter and its site, or ``None`` when the counter is not known."""
    row = work.execute(_COUNTER_AND_SITE, {"counter": counter}).first()
    return None if row is None else (row.counter, row.site)


# --- Queue days ----------------------------------------------------------------------------------------------------

# Locks the day's row until the transaction ends; that is what makes numbers unique and gapless.
_TAKE_NUMBER = sa.text("""
    INSERT INTO queue_day AS day (site, business_date, numbers, opened_at, closes_at)
    VALUES (:site, :business_date, jsonb_build_object(CAST(:prefix AS text), 1), :now, :closes_at)
    ON CONFLICT (site, business_date) DO UPDATE
        SET numbers = day.numbers || jsonb_build_object(
            CAST(:prefix AS text), coalesce(CAST(day.numbers->>:prefix AS integer), 0) + 1)
    RETURNING CAST(numbers->>:prefix AS integer) AS number, closed_at, opened_at = :now AS opened
""")

_LOCK_DAY = sa.text("SELECT closed_at FROM queue_day WHERE site = :site AND business_date = :business_date FOR UPDATE")

_DUE_DAYS = sa.text("""
    SELECT site, business_date FROM queue_day WHERE closed_at IS NULL AND closes_at <= :now
    ORDER BY closes_at, site
""")
_LOCK_DUE_DAY = sa.text("""
    SELECT 1 FROM queue_day WHERE site = :site AND business_date = :business_date AND closed_at IS NULL
    FOR UPDATE SKIP LOCKED
""")
_CLOSE_DAY = sa.text("UPDATE queue_day SET closed_at = :now WHERE site = :site AND business_date = :business_date")
_NEXT_CLOSING = sa.text("SELECT min(closes_at) FROM queue_day WHERE closed_at IS NULL")


def take_number(work: UnitOfWork, site: str, business_date: date, prefix: str, closes_at: datetime) -> tuple[int, datetime | None, bool]:
    """Lock the site's day (opening it if need be) and take the next number of a prefix.

    :returns: the number, when the day was closed (or ``None``), and whether this opened the day.
    """
    row = work.execute(
        _TAKE_NUMBER,
        {"site": site, "business_date": business_date, "prefix": prefix, "now": work.now, "closes_at": closes_at},
    ).one()
    return row.number, row.closed_at, row.opened


def lock_day(work: UnitOfWork, site: str, business_date: date) -> bool:
    """Lock the site's day; return whether it was opened and is not closed."""
    row = work.execute(_LOCK_DAY, {"site": site, "business_date": business_date}).first()
    return row is not None and row.closed_at is None


def due_days(work: UnitOfWork) -> list[tuple[str, date]]:
    """Return ``(site, business date)`` of the days that should be closed by now, oldest first."""
    return [(row.site, row.business_date) for row in work.execute(_DUE_DAYS, {"now": work.now})]


def lock_due_day(work: UnitOfWork, site: str, business_date: date) -> bool:
    """Lock a day for closing; ``False`` when another replica is at it or it is closed."""
    return work.execute(_LOCK_DUE_DAY, {"site": site, "business_date": business_date}).first() is not None


def close_day(work: UnitOfWork, site: str, business_date: date) -> None:
    """Mark a day closed."""
    work.execute(_CLOSE_DAY, {"site": site, "business_date": business_date, "now": work.now})


def next_closing(work: UnitOfWork) -> datetime | None:
    """Return when the next open day of the regency ends (UTC), or ``None``."""
    instant: datetime | None = work.execute(_NEXT_CLOSING).scalar_one()
    return instant


# --- Tickets -------------------------------------------------------------------------------------------------------

_INSERT_VISIT_AND_TICKET = sa.text("""
    WITH arrived AS (
        INSERT INTO visit (id, site, business_date, arrived_at)
        VALUES (CAST(:visit AS uuid), :site, :business_date, :arrived_at)
    )
    INSERT INTO ticket (id, visit, site, business_date, agency, service, prefix, number, channel, status,
        priority_class, arrived_at, issued_at, counter, recalls, returns, outcome, periods, version)
    VALUES (CAST(:id AS uuid), CAST(:visit AS uuid), :site, :business_date, :agency, :service, :prefix, :number, :channel,
        :status, :priority_class, :arrived_at, :issued_at, :counter, :recalls, :returns, :outcome, :periods, :version)
""").bindparams(sa.bindparam("periods", type_=JSONB))

_ahead = ticket.alias("ahead")
_in_queue = sa.and_(
    _ahead.c.status == "waiting",
    _ahead.c.site == ticket.c.site,
    _ahead.c.business_date == ticket.c.business_date,
    _ahead.c.service == ticket.c.service,
    sa.tuple_(_ahead.c.priority_class.is_(None), _ahead.c.arrived_at, _ahead.c.number)
    < sa.tuple_(ticket.c.priority_class.is_(None), ticket.c.arrived_at, ticket.c.number),
)
_pace = sa.table("service_pace", sa.column("site"), sa.column("service"), sa.column("mean_seconds"))
_counters = (
    sa.select(sa.func.count())
    .select_from(catalog_copy)
    .where(
        catalog_copy.c.kind == "counter",
        catalog_copy.c.data["site"].astext == ticket.c.site,
        catalog_copy.c.data["active"].astext == "true",
        catalog_copy.c.data["services"].has_key(ticket.c.service),
    )
)
# A ticket with its place in the queue. Only tickets that wait pay for the counting.
_VIEW = sa.select(
    ticket,
    sa.case(
        (ticket.c.status == "waiting", sa.select(sa.func.count()).select_from(_ahead).where(_in_queue).scalar_subquery()),
    ).label("ahead"),
    sa.case((ticket.c.status == "waiting", _counters.scalar_subquery())).label("counters"),
    sa.select(_pace.c.mean_seconds)
    .where(_pace.c.site == ticket.c.site, _pace.c.service == ticket.c.service)
    .scalar_subquery()
    .label("mean_seconds"),
)


def insert(work: UnitOfWork, new: Ticket) -> None:
    """Store a new visit with its first ticket."""
    work.execute(_INSERT_VISIT_AND_TICKET, _columns(new))


def update(work: UnitOfWork, new: Ticket) -> None:
    """Store what a command changes of a ticket."""
    work.execute(
        sa.update(ticket)
        .where(ticket.c.id == new.id)
        .values(
            status=new.status,
            counter=new.counter,
            recalls=new.recalls,
            returns=new.returns,
            outcome=new.outcome,
            periods=_periods(new),
            version=new.version,
        )
    )


def locked(work: UnitOfWork, ticket_id: str) -> Ticket | None:
    """Return a ticket and lock its row until the transaction ends."""
    return _first(work, sa.select(ticket).where(ticket.c.id == ticket_id).with_for_update())


def next_waiting(work: UnitOfWork, site: str, business_date: date, services: Sequence[str]) -> Ticket | None:
    """Return who is next for any of these services, and lock the row: priority lane first, then arrival."""
    return _first(
        work,
        sa.select(ticket)
        .where(
            ticket.c.status == "waiting",
            ticket.c.site == site,
            ticket.c.business_date == business_date,
            ticket.c.service.in_(services),
        )
        .order_by(ticket.c.priority_class.is_(None), ticket.c.arrived_at, ticket.c.number)
        .limit(1)
        .with_for_update(),
    )


def open_at_counter(work: UnitOfWork, counter: str) -> list[Ticket]:
    """Return the tickets called or serving at a counter, of whatever day."""
    statement = sa.select(ticket).where(ticket.c.counter == counter, ticket.c.status.in_(("called", "serving")))
    return [_ticket(row) for row in work.execute(statement).mappings()]


def open_tickets(work: UnitOfWork, site: str, business_date: date, limit: int) -> list[Ticket]:
    """Return up to ``limit`` tickets of a day that are still open, locked, in order of their numbers."""
    statement = (
        sa.select(ticket)
        .where(ticket.c.site == site, ticket.c.business_date == business_date, ticket.c.status.in_(_OPEN))
        .order_by(ticket.c.prefix, ticket.c.number)
        .limit(limit)
        .with_for_update()
    )
    return [_ticket(row) for row in work.execute(statement).mappings()]


_EXPIRED = sa.text("""
    SELECT count(*) FROM ticket WHERE site = :site AND business_date = :business_date AND status = 'expired'
""")


def expired_count(work: UnitOfWork, site: str, business_date: date) -> int:
    """Return how many tickets of a day expired."""
    return int(work.execute(_EXPIRED, {"site": site, "business_date": business_date}).scalar_one())


def view(work: UnitOfWork, ticket_id: str) -> Row | None:
    """Return a ticket's columns with ``ahead``, ``counters`` and ``mean_seconds`` of its queue."""
    return work.execute(_VIEW.where(ticket.c.id == ticket_id)).mappings().first()


def view_page(work: UnitOfWork, filters: Mapping[str, Any], after: tuple[datetime, str] | None, limit: int) -> list[Row]:
    """Return up to ``limit`` tickets in order of issue, as :func:`view` does, after ``(issued_at, id)``."""
    statement = _VIEW.order_by(ticket.c.issued_at, ticket.c.id).limit(limit)
    for column, value in filters.items():
        statement = statement.where(ticket.c[column] == value)
    if after is not None:
        statement = statement.where(
            sa.tuple_(ticket.c.issued_at, ticket.c.id) > sa.tuple_(sa.literal(after[0]), sa.cast(after[1], UUID(as_uuid=False)))
        )
    return list(work.execute(statement).mappings().all())


# --- Pace and pressure ---------------------------------------------------------------------------------------------

_READ_PACE = sa.text("SELECT samples, mean_seconds FROM service_pace WHERE site = :site AND service = :service FOR UPDATE")
_KEEP_PACE = sa.text("""
    INSERT INTO service_pace (site, service, samples, mean_seconds) VALUES (:site, :service, :samples, :mean_seconds)
    ON CONFLICT (site, service) DO UPDATE SET samples = excluded.samples, mean_seconds = excluded.mean_seconds
""")
_PRESSURE = sa.text("""
    SELECT count(*) AS waiting, coalesce(extract(epoch FROM :now - min(arrived_at)), 0) AS longest FROM ticket
    WHERE status = 'waiting' AND business_date >= :oldest
""")


def pace(work: UnitOfWork, site: str, service: str) -> tuple[int, float]:
    """Return ``(samples, mean serving seconds)`` of a service at a site, locked; zeros when never observed."""
    row = work.execute(_READ_PACE, {"site": site, "service": service}).first()
    return (0, 0.0) if row is None else (row.samples, row.mean_seconds)


def keep_pace(work: UnitOfWork, site: str, service: str, samples: int, mean_seconds: float) -> None:
    """Store the pace of a service at a site."""
    work.execute(_KEEP_PACE, {"site": site, "service": service, "samples": samples, "mean_seconds": mean_seconds})


def pressure(work: UnitOfWork, oldest: date) -> tuple[int, float]:
    """Return how many tickets wait and how many seconds the longest has waited, since a business date."""
    row = work.execute(_PRESSURE, {"now": work.now, "oldest": oldest}).one()
    return row.waiting, float(row.longest)


def from_row(row: Row) -> Ticket:
    """Return the ticket in a row of :func:`view` or :func:`view_page`."""
    return _ticket(row)


def _first(work: UnitOfWork, statement: sa.Select[Any]) -> Ticket | None:
    row = work.execute(statement).mappings().first()
    return None if row is None else _ticket(row)


def _ticket(row: Row) -> Ticket:
    values = {name: row[name] for name in _FIELDS}
    values["periods"] = tuple(
        Period(
            state=period["state"],
            actor=period["actor"],
            counter=period["counter"],
            started_at=datetime.fromisoformat(period["started_at"]),
            ended_at=None if period["ended_at"] is None else datetime.fromisoformat(period["ended_at"]),
        )
        for period in values["periods"]
    )
    return Ticket(**values)


def _columns(new: Ticket) -> dict[str, Any]:
    return {**{name: getattr(new, name) for name in _FIELDS}, "periods": _periods(new)}


def _periods(new: Ticket) -> list[dict[str, Any]]:
    return [
        {
            "state": period.state,
            "actor": period.actor,
            "counter": period.counter,
            "started_at": period.started_at.isoformat(),
            "ended_at": None if period.ended_at is None else period.ended_at.isoformat(),
        }
        for period in new.periods
    ]
