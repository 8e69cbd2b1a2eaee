"""Counting the facts of a day."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

DURATIONS = ("mean", "p50", "p90")

# Only what entered the queue (it has waited) is counted; durations by state are null where the state never was.
# percentile_cont interpolates between the two nearest values, and answers null for no rows, as avg does.
# The whole, the services and the lanes are counted in one reading, so that they always agree.
_FIGURES_OF_DAY = sa.text("""
    SELECT CASE WHEN grouping(service) = 0 THEN 'service' WHEN grouping(lane) = 0 THEN 'lane' ELSE 'whole' END AS part,
        agency, service, lane,
        count(*) AS issued,
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
        AND (CAST(:agency AS text) IS NULL OR agency = :agency) AND (CAST(:service AS text) IS NULL OR service = :service)
    GROUP BY GROUPING SETS ((), (agency, service), (lane))
    ORDER BY part, service, lane DESC
""")


def figures_of_day(
    work: UnitOfWork, site: str, business_date: date, agency: str | None = None, service: str | None = None
) -> list[dict[str, Any]]:
    """Return the counts by state and, unrounded, the durations (``wait_mean``, ..., ``serve_p90``) of one day.

    One row for the ``part`` ``whole``, also without any ticket; one for each ``service`` and ``lane`` that has tickets,
    services by id, the regular lane first.
    """
    wanted = {"site": site, "business_date": business_date, "agency": agency, "service": service}
    return [dict(row) for row in work.execute(_FIGURES_OF_DAY, wanted).mappings()]
