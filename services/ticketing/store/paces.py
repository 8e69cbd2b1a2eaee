"""How long a call takes a counter of late, by service and site."""

from __future__ import annotations

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.ticketing.domain import Ticket
from services.ticketing.store.tables import from_row, tickets_of

_LOCKED_WITH_PACE = tickets_of(
    sa.text("""
    WITH it AS (SELECT * FROM ticket WHERE id = CAST(:id AS uuid) FOR UPDATE), pace AS (
        SELECT p.samples, p.mean_seconds FROM service_pace p JOIN it ON p.site = it.site AND p.service = it.service FOR UPDATE OF p
    )
    SELECT it.*, pace.samples, pace.mean_seconds FROM it LEFT JOIN pace ON true
""")
)
_LOCK = sa.text("SELECT samples, mean_seconds FROM service_pace WHERE site = :site AND service = :service FOR UPDATE")
_BEGIN = sa.text("""
    INSERT INTO service_pace (site, service, samples, mean_seconds) VALUES (:site, :service, 0, 0)
    ON CONFLICT (site, service) DO NOTHING
""")
_KEEP = sa.text("""
    UPDATE service_pace SET samples = :samples, mean_seconds = :mean_seconds WHERE site = :site AND service = :service
""")


def locked_with_pace(work: UnitOfWork, ticket_id: str) -> tuple[Ticket, tuple[int, float] | None] | None:
    """Return a ticket with the :func:`pace` of its service, ``None`` for one never observed; both rows are locked."""
    row = work.execute(_LOCKED_WITH_PACE, {"id": ticket_id}).mappings().first()
    if row is None:
        return None
    return from_row(row), None if row["samples"] is None else (row["samples"], row["mean_seconds"])


def pace(work: UnitOfWork, site: str, service: str) -> tuple[int, float]:
    """Return ``(samples, mean seconds at the counter)`` of a service at a site, locked; zeros when never observed.

    More than one statement the first time, so that of two first observations none is lost.
    """
    key = {"site": site, "service": service}
    row = work.execute(_LOCK, key).first()
    if row is None:
        work.later(_BEGIN, key)
        row = work.execute(_LOCK, key).one()
    return row.samples, row.mean_seconds


def keep_pace(work: UnitOfWork, site: str, service: str, samples: int, mean_seconds: float) -> None:
    """Store the pace of a service at a site, which :func:`pace` has locked."""
    work.later(_KEEP, {"site": site, "service": service, "samples": samples, "mean_seconds": mean_seconds})
