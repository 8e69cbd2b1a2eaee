"""Special hours in the copy of the catalogue, and which closures were told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.ticketing.domain import TRANSITIONS, Ticket
from services.ticketing.store.tables import from_row, ticket

Entity = dict[str, Any]

A_DAY = timedelta(days=1)
"""Local dates of all zones lie within a day of that of UTC."""

# Both dates are in the index, so past and future entries cost nothing.
_SPECIAL_HOURS = sa.text("""
    SELECT data FROM catalog_copy
    WHERE kind = 'hours' AND data->>'to' >= :since AND data->>'from' <= :until AND data->>'active' = 'true'
""")
_OFFERED = sa.text("""
    SELECT kind, data FROM catalog_copy
    WHERE kind = 'site' AND id = :site OR kind = 'agency' AND id = :agency OR kind = 'service' AND id = :service
    UNION ALL SELECT 'hours', data FROM catalog_copy
    WHERE kind = 'hours' AND data->>'to' >= :since AND data->>'from' <= :until AND data->>'active' = 'true'
""")
_AGENCIES_AT = sa.text("""
    SELECT data FROM catalog_copy
    WHERE kind = 'agency' AND data->'presences' @> jsonb_build_array(jsonb_build_object('site', CAST(:site AS text))) ORDER BY id
""")
_SITES = sa.text("SELECT data FROM catalog_copy WHERE kind = 'site' ORDER BY id")
_TOLD = sa.text("SELECT agency, opens_at FROM closure WHERE site = :site AND business_date = :business_date ORDER BY agency")
_TOLD_OF_LATE = sa.text("SELECT EXISTS (SELECT FROM closure WHERE business_date >= :since)")
_TELL = sa.text("""
    INSERT INTO closure (site, business_date, agency, opens_at, closed_at)
    VALUES (:site, :business_date, :agency, :opens_at, :now) ON CONFLICT DO NOTHING
""")
_TAKE_BACK = sa.text("DELETE FROM closure WHERE site = :site AND business_date = :business_date AND agency = :agency")


@dataclass(frozen=True)
class Told:
    """A closure of today that was told; ``agency`` ``None``: of the whole site."""

    agency: str | None
    opens_at: datetime | None


def offered(work: UnitOfWork, site: str, service: str, agency: str) -> tuple[dict[str, Entity], list[Entity]]:
    """Return site, service and agency by kind (what is not known is missing), and the active special hours of about now."""
    rows = work.execute(_OFFERED, {"site": site, "service": service, "agency": agency, **_about(work)}).all()
    return {row.kind: row.data for row in rows if row.kind != "hours"}, [row.data for row in rows if row.kind == "hours"]


def special_hours(work: UnitOfWork, since: date | None = None, until: date | None = None) -> list[Entity]:
    """Return the active special hours that touch these local dates; without dates those of about now, in any zone."""
    days = _about(work)
    if since is not None:
        days["since"] = since.isoformat()
    if until is not None:
        days["until"] = until.isoformat()
    return [row.data for row in work.execute(_SPECIAL_HOURS, days)]


def agencies_at(work: UnitOfWork, site: str) -> list[Entity]:
    """Return the agencies that are present at a site, by id."""
    return [row.data for row in work.execute(_AGENCIES_AT, {"site": site})]


def sites(work: UnitOfWork) -> list[Entity]:
    """Return the regency's sites, by id."""
    return [row.data for row in work.execute(_SITES)]


def told_closures(work: UnitOfWork, site: str, business_date: date) -> list[Told]:
    """Return the closures of a site's day that were told and hold, that of the whole site first."""
    rows = work.execute(_TOLD, {"site": site, "business_date": business_date})
    return [Told(row.agency or None, row.opens_at) for row in rows]


def any_told(work: UnitOfWork) -> bool:
    """Whether a closure of about now was told anywhere in the regency."""
    return bool(work.execute(_TOLD_OF_LATE, {"since": work.now.date() - A_DAY}).scalar_one())


def keep_told(work: UnitOfWork, site: str, business_date: date, told: Told) -> bool:
    """Record that a closure is told; return whether that is news."""
    row = {"site": site, "business_date": business_date, "agency": told.agency or "", "opens_at": told.opens_at, "now": work.now}
    return work.execute(_TELL, row).rowcount == 1


def take_back(work: UnitOfWork, site: str, business_date: date, agency: str | None) -> bool:
    """Forget a closure that does not hold any more; return whether it was told."""
    row = {"site": site, "business_date": business_date, "agency": agency or ""}
    return work.execute(_TAKE_BACK, row).rowcount == 1


def cancellable(
    work: UnitOfWork, site: str, business_date: date, agencies: Sequence[str] | None, *, but: Sequence[str], limit: int
) -> list[Ticket]:
    """Return up to ``limit`` tickets of a day that may still be cancelled, locked, in order of their numbers.

    :param agencies: theirs only; ``None``: of all agencies ``but`` these.
    """
    whose = ticket.c.agency.not_in(but) if agencies is None else ticket.c.agency.in_(agencies)
    statement = (
        sa.select(ticket)
        .where(ticket.c.site == site, ticket.c.business_date == business_date, whose)
        .where(ticket.c.status.in_(sorted(TRANSITIONS["cancel"].sources)))
        .order_by(ticket.c.prefix, ticket.c.number)
        .limit(limit)
        .with_for_update()
    )
    return [from_row(row) for row in work.execute(statement).mappings()]


def _about(work: UnitOfWork) -> dict[str, str]:
    today = work.now.date()
    return {"since": (today - A_DAY).isoformat(), "until": (today + A_DAY).isoformat()}
