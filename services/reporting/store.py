"""Reporting's tables and all of its SQL. Each function is one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.contracts.subscriptions import REPORTING_CATALOG, REPORTING_TICKETING
from services.reporting.domain import TicketFact

metadata = sa.MetaData()

ticket_fact = sa.Table(
    "ticket_fact",
    metadata,
    sa.Column("id", UUID(as_uuid=False)),
    sa.Column("site", sa.Text),
    sa.Column("agency", sa.Text),
    sa.Column("service", sa.Text),
    sa.Column("business_date", sa.Date),
    sa.Column("channel", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("lane", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("issued_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("wait_seconds", sa.Double),
    sa.Column("walk_seconds", sa.Double),
    sa.Column("serve_seconds", sa.Double),
    sa.Column("version", sa.Integer),
)
site = sa.Table(
    "site",
    metadata,
    sa.Column("id", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("version", sa.Integer),
)

PROJECTIONS: Mapping[str, tuple[sa.Table, ...]] = {
    REPORTING_TICKETING.queue: (ticket_fact,),
    REPORTING_CATALOG.queue: (site,),
}
"""Tables that hold nothing but what a consumer was told, by consumer: they can be made again (``mpp rebuild``)."""

# Only what entered the queue (it has waited) is counted; durations by state are null where the state never was.
# percentile_cont interpolates between the two nearest values, and answers null for no rows, as avg does.
_FIGURES_OF_DAY = sa.text("""
    SELECT count(*) AS issued,
        count(*) FILTER (WHERE status = 'waiting') AS waiting,
        count(*) FILTER (WHERE status = 'called') AS called,
        count(*) FILTER (WHERE status = 'serving') AS serving,
        count(*) FILTER (WHERE status = 'on_hold') AS on_hold,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status = 'no_show') AS no_show,
        count(*) FILTER (WHERE status = 'transferred') AS transferred,
        count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
        count(*) FILTER (WHERE status = 'expired') AS expired,
        avg(wait_seconds) FILTER (WHERE walk_seconds IS NOT NULL) AS wait_mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_seconds) FILTER (WHERE walk_seconds IS NOT NULL) AS wait_p50,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY wait_seconds) FILTER (WHERE walk_seconds IS NOT NULL) AS wait_p90,
        avg(serve_seconds) FILTER (WHERE status = 'completed') AS serve_mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY serve_seconds) FILTER (WHERE status = 'completed') AS serve_p50,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY serve_seconds) FILTER (WHERE status = 'completed') AS serve_p90
    FROM ticket_fact
    WHERE site = :site AND business_date = :business_date AND wait_seconds IS NOT NULL
""")


def keep_fact(work: UnitOfWork, fact: TicketFact) -> None:
    """Put a fact in the place of the ticket's older one; a newer or equal one stays."""
    statement = upsert(ticket_fact).values(**asdict(fact))
    newer = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={column.name: statement.excluded[column.name] for column in ticket_fact.c if column.name != "id"},
        where=ticket_fact.c.version < statement.excluded.version,
    )
    work.execute(newer)


def keep_site(work: UnitOfWork, id: str, name: str, version: int) -> None:
    """Store the name of a site unless a newer version is there."""
    statement = upsert(site).values(id=id, name=name, version=version)
    newer = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={"name": statement.excluded.name, "version": statement.excluded.version},
        where=site.c.version < statement.excluded.version,
    )
    work.execute(newer)


def site_name(work: UnitOfWork, id: str) -> str | None:
    """Return the name of a site, or ``None`` when the catalogue has not told of it."""
    name: str | None = work.execute(sa.select(site.c.name).where(site.c.id == id)).scalar_one_or_none()
    return name


def figures_of_day(work: UnitOfWork, site_id: str, business_date: date) -> dict[str, Any]:
    """Return the counts by state and, unrounded, the durations (``wait_mean``, ..., ``serve_p90``) of one day."""
    row = work.execute(_FIGURES_OF_DAY, {"site": site_id, "business_date": business_date}).mappings().one()
    return dict(row)
