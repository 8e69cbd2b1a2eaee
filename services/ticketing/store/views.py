"""Tickets as people see them: one, in pages, and all of them as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.chassis.database import UnitOfWork
from services.ticketing.domain import Ticket
from services.ticketing.store.tables import from_row, ticket, tickets_of

_FOUND = tickets_of(sa.text("SELECT * FROM ticket WHERE id = CAST(:id AS uuid)"))

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


def found(work: UnitOfWork, ticket_id: str) -> Ticket | None:
    """Return a ticket; not locked."""
    row = work.execute(_FOUND, {"id": ticket_id}).mappings().first()
    return None if row is None else from_row(row)


def view_page(work: UnitOfWork, filters: Mapping[str, Any], after: tuple[datetime, str] | None, limit: int) -> list[Ticket]:
    """Return up to ``limit`` tickets in order of issue, after ``(issued_at, id)``."""
    statement = sa.select(ticket).order_by(ticket.c.issued_at, ticket.c.id).limit(limit)
    for column, value in filters.items():
        statement = statement.where(ticket.c[column] == value)
    if after is not None:
        statement = statement.where(
            sa.tuple_(ticket.c.issued_at, ticket.c.id) > sa.tuple_(sa.literal(after[0]), sa.cast(after[1], UUID(as_uuid=False)))
        )
    return [from_row(row) for row in work.execute(statement).mappings()]


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
