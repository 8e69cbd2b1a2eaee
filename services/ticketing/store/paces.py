"""How long serving takes of late, by service and site."""

from __future__ import annotations

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

_LOCK = sa.text("SELECT samples, mean_seconds FROM service_pace WHERE site = :site AND service = :service FOR UPDATE")
_BEGIN = sa.text("""
    INSERT INTO service_pace (site, service, samples, mean_seconds) VALUES (:site, :service, 0, 0)
    ON CONFLICT (site, service) DO NOTHING
""")
_KEEP = sa.text("""
    UPDATE service_pace SET samples = :samples, mean_seconds = :mean_seconds WHERE site = :site AND service = :service
""")


def pace(work: UnitOfWork, site: str, service: str) -> tuple[int, float]:
    """Return ``(samples, mean serving seconds)`` of a service at a site, locked; zeros when never observed.

    More than one statement the first time, so that of two first observations none is lost.
    """
    key = {"site": site, "service": service}
    row = work.execute(_LOCK, key).first()
    if row is None:
        work.execute(_BEGIN, key)
        row = work.execute(_LOCK, key).one()
    return row.samples, row.mean_seconds


def keep_pace(work: UnitOfWork, site: str, service: str, samples: int, mean_seconds: float) -> None:
    """Store the pace of a service at a site, which :func:`pace` has locked."""
    work.execute(_KEEP, {"site": site, "service": service, "samples": samples, "mean_seconds": mean_seconds})
