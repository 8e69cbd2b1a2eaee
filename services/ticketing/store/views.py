"""Tickets as people see them: with their place in the queue, in pages, and all of them as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID, array

from services.chassis.database import UnitOfWork
from services.ticketing.domain import Ticket
from services.ticketing.store.tables import Row, catalog_copy, ticket

_ahead = ticket.alias("ahead")
# Who waits for the same service: earlier in the same lane, and at all in the other one.
_other_lane = _ahead.c.priority_class.is_(None) != ticket.c.priority_class.is_(None)
_earlier = sa.tuple_(sa.func.coalesce(_ahead.c.turn_at, _ahead.c.arrived_at), _ahead.c.number) < sa.tuple_(
    sa.func.coalesce(ticket.c.turn_at, ticket.c.arrived_at), ticket.c.number
)
_queue = sa.select(
    array([sa.func.count().filter(sa.not_(_other_lane)), sa.func.count().filter(_other_lane)]),
).where(
    _ahead.c.status == "waiting",
    _ahead.c.site == ticket.c.site,
    _ahead.c.business_date == ticket.c.business_date,
    _ahead.c.service == ticket.c.service,
    sa.or_(_other_lane, _earlier),
)
_site = catalog_copy.alias("of_site")
_pace = sa.table("service_pace", sa.column("site"), sa.column("service"), sa.column("mean_seconds"))
_session = sa.table("counter_session", sa.column("counter"), sa.column("site"), sa.column("business_date"), sa.column("status"))
_staffed = sa.exists().where(_session.c.site == ticket.c.site, _session.c.business_date == ticket.c.business_date).correlate(ticket)
_open = (
    sa.exists()
    .where(
        _session.c.counter == catalog_copy.c.id,
        _session.c.business_date == ticket.c.business_date,
        _session.c.status == "open",
    )
    .correlate(ticket, catalog_copy)
)
# Counters that serve it: those that are open, at a site where officers say so, else all that are in use.
_counters = (
    sa.select(sa.func.count())
    .select_from(catalog_copy)
    .where(
        sa.or_(sa.not_(_staffed), _open),
        catalog_copy.c.kind == "counter",
        catalog_copy.c.data["site"].astext == ticket.c.site,
        catalog_copy.c.data["active"].astext == "true",
        catalog_copy.c.data["services"].has_key(ticket.c.service),
    )
)
# A ticket with its place in the queue. Only tickets that wait pay for the counting.
_VIEW = sa.select(
    ticket,
    sa.case((ticket.c.status == "waiting", _queue.scalar_subquery())).label("queue"),
    sa.case(
        (
            ticket.c.status == "waiting",
            sa.select(_site.c.data["policy"]).where(_site.c.kind == "site", _site.c.id == ticket.c.site).scalar_subquery(),
        )
    ).label("policy"),
    sa.case((ticket.c.status == "waiting", _counters.scalar_subquery())).label("counters"),
    sa.select(_pace.c.mean_seconds)
    .where(_pace.c.site == ticket.c.site, _pace.c.service == ticket.c.service)
    .scalar_subquery()
    .label("mean_seconds"),
)

_PRESSURE = sa.text("""
    WITH site AS MATERIALIZED ( -- counters are counted once for a site, not for each ticket
        SELECT id, CAST(:now AS timestamptz) AT TIME ZONE (data->>'timezone') AS local, (
            SELECT count(*) FROM catalog_copy c WHERE c.kind = 'counter' AND c.data->>'site' = s.id AND c.data->>'active' = 'true'
        ) AS counters
        FROM catalog_copy s WHERE kind = 'site'
    )
    SELECT site.id AS site, site.counters, t.status, CASE WHEN t.priority_class IS NULL THEN 'regular' ELSE 'priority' END AS lane,
        count(t.id) AS tickets, greatest(0, extract(epoch FROM :now - min(t.arrived_at))) AS longest
    FROM site LEFT JOIN ticket t ON t.site = site.id AND t.business_date = CAST(site.local AS date)
    GROUP BY 1, 2, 3, 4
""")

# What `_VIEW` says of a ticket that waits, for one that is about to: its own row is not asked.
_QUEUE_OF = sa.text("""
    SELECT count(*) FILTER (WHERE lane = :priority AND (turn, number) < (CAST(:turn AS timestamptz), CAST(:number AS integer))) AS in_lane,
        count(*) FILTER (WHERE lane <> :priority) AS in_other_lane,
        (SELECT data->'policy' FROM catalog_copy WHERE kind = 'site' AND id = :site) AS policy,
        (SELECT count(*) FROM catalog_copy WHERE kind = 'counter' AND data->>'site' = :site
            AND data->>'active' = 'true' AND data->'services' ? :service
            AND (NOT EXISTS (SELECT FROM counter_session WHERE site = :site AND business_date = :business_date) OR EXISTS (
                SELECT FROM counter_session
                WHERE counter = catalog_copy.id AND business_date = :business_date AND counter_session.status = 'open'
            ))) AS counters,
        (SELECT mean_seconds FROM service_pace WHERE site = :site AND service = :service) AS mean_seconds
    FROM (
        SELECT priority_class IS NOT NULL AS lane, coalesce(turn_at, arrived_at) AS turn, number FROM ticket
        WHERE status = 'waiting' AND site = :site AND business_date = :business_date AND service = :service
            AND id <> CAST(:id AS uuid)
    ) AS others
""")


def view(work: UnitOfWork, ticket_id: str) -> Row | None:
    """Return a ticket's columns with its queue: who waits (earlier in its lane, in the other one), policy, counters and pace."""
    return work.execute(_VIEW.where(ticket.c.id == ticket_id)).mappings().first()


def queue_of(work: UnitOfWork, joining: Ticket) -> sa.Row[Any]:
    """Return the queue that a ticket joins: ``in_lane`` before it, ``in_other_lane``, ``policy``, ``counters``, ``mean_seconds``."""
    names = ("id", "site", "business_date", "service", "turn", "number")
    wanted = {name: getattr(joining, name) for name in names}
    return work.execute(_QUEUE_OF, {**wanted, "priority": joining.lane == "priority"}).one()


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


@dataclass
class SiteNow:
    """How a site stands on its business date of now."""

    counters: int
    tickets: Counter[str] = field(default_factory=Counter)
    """By status."""
    waiting: Counter[str] = field(default_factory=Counter)
    """Those that wait, by lane."""
    longest: dict[str, float] = field(default_factory=dict)
    """Seconds that the one who has waited longest has waited, by lane."""


def sites_now(work: UnitOfWork) -> dict[str, SiteNow]:
    """Return how every site of the regency stands, each by its own time zone's today."""
    found: dict[str, SiteNow] = {}
    for row in work.execute(_PRESSURE, {"now": work.now}):
        site = found.setdefault(row.site, SiteNow(row.counters))
        if row.status is None:
            continue  # a site without a ticket today
        site.tickets[row.status] += row.tickets
        if row.status == "waiting":
            site.waiting[row.lane], site.longest[row.lane] = row.tickets, float(row.longest)
    return found
