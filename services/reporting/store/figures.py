"""Counting the facts of a day."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

DURATIONS = ("mean", "p50", "p90")

# Legs are counted if they entered the queue (they have waited); durations by state are null where the state never was.
# percentile_cont interpolates between the two nearest values, and answers null for no rows, as avg does.
# Whole, agencies, services, lanes and visits are counted in one reading, so that they always agree. A visit that is asked
# for by one of its legs is counted with all of them. Facts of before the release that wrote `arrived_at` make no visit.
_FIGURES_OF_DAY = sa.text("""
    WITH of_day AS MATERIALIZED (
        SELECT *, (CAST(:agency AS text) IS NULL OR agency = :agency) AND (CAST(:service AS text) IS NULL OR service = :service) AS wanted,
            first_estimate_seconds - first_call_seconds AS error,
            100 * abs(first_estimate_seconds - first_call_seconds) / nullif(first_call_seconds, 0) AS percent,
            first_call_seconds > :long_wait AS is_long
        FROM ticket_fact WHERE site = :site AND business_date = :business_date
    ), visit AS (
        SELECT min(arrived_at) AS arrived_at, min(first_called_at) AS first_called_at, max(ended_at) AS ended_at, count(*) AS legs,
            sum(wait_seconds) AS wait_seconds, sum(serve_seconds) AS serve_seconds,
            bool_and(ended_at IS NOT NULL) AS has_ended,
            bool_or(status IN ('completed', 'transferred')) AS was_served,
            bool_or(status = 'completed') AND bool_and(status IN ('completed', 'transferred')) AS finished,
            bool_or(status IN ('cancelled', 'expired', 'no_show')) AS left_early
        FROM of_day WHERE status <> 'void' AND arrived_at IS NOT NULL
        GROUP BY visit HAVING bool_or(wanted AND wait_seconds IS NOT NULL)
    ), lasting AS (
        SELECT *, CASE WHEN finished THEN greatest(extract(epoch FROM ended_at - arrived_at), 0) END AS stay_seconds,
            CASE WHEN first_called_at IS NOT NULL THEN greatest(extract(epoch FROM first_called_at - arrived_at), 0) END
                AS first_call_seconds
        FROM visit
    ), visits AS (
        SELECT count(*) AS total,
            count(*) FILTER (WHERE finished) AS finished,
            count(*) FILTER (WHERE has_ended AND was_served AND left_early) AS broken_off,
            count(*) FILTER (WHERE has_ended AND NOT was_served) AS unserved,
            count(*) FILTER (WHERE legs > 1) AS several_legs,
            coalesce(sum(legs), 0) AS legs,
            avg(first_call_seconds) AS first_call_mean,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY first_call_seconds) AS first_call_p50,
            percentile_cont(0.9) WITHIN GROUP (ORDER BY first_call_seconds) AS first_call_p90,
            avg(wait_seconds) FILTER (WHERE finished) AS wait_mean,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_seconds) FILTER (WHERE finished) AS wait_p50,
            percentile_cont(0.9) WITHIN GROUP (ORDER BY wait_seconds) FILTER (WHERE finished) AS wait_p90,
            avg(serve_seconds) FILTER (WHERE finished) AS serve_mean,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY serve_seconds) FILTER (WHERE finished) AS serve_p50,
            percentile_cont(0.9) WITHIN GROUP (ORDER BY serve_seconds) FILTER (WHERE finished) AS serve_p90,
            avg(stay_seconds) AS stay_mean,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY stay_seconds) AS stay_p50,
            percentile_cont(0.9) WITHIN GROUP (ORDER BY stay_seconds) AS stay_p90
        FROM lasting
    )
    SELECT CASE WHEN grouping(service) = 0 THEN 'service' WHEN grouping(agency) = 0 THEN 'agency'
            WHEN grouping(lane) = 0 THEN 'lane' ELSE 'whole' END AS part,
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
        avg(first_call_seconds) AS first_call_mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY first_call_seconds) AS first_call_p50,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY first_call_seconds) AS first_call_p90,
        avg(serve_seconds) FILTER (WHERE status = 'completed') AS serve_mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY serve_seconds) FILTER (WHERE status = 'completed') AS serve_p50,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY serve_seconds) FILTER (WHERE status = 'completed') AS serve_p90,
        count(error) AS compared,
        count(first_estimate_seconds) FILTER (WHERE walk_seconds IS NULL) AS not_called,
        count(*) FILTER (WHERE walk_seconds IS NOT NULL AND first_estimate_seconds IS NULL) AS not_estimated,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(error)) AS error_p50,
        avg(error) AS error_mean,
        count(error) FILTER (WHERE is_long) AS long_compared,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(error)) FILTER (WHERE is_long) AS long_error_p50,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY percent) FILTER (WHERE is_long) AS long_percent_p50,
        avg(error) FILTER (WHERE is_long) AS long_error_mean,
        avg(CASE WHEN percent <= 25 THEN 100.0 ELSE 0.0 END) FILTER (WHERE is_long AND error IS NOT NULL) AS long_within,
        CASE WHEN grouping(agency, service, lane) = 7 THEN (SELECT row_to_json(visits) FROM visits) END AS visits
    FROM of_day
    WHERE wanted AND wait_seconds IS NOT NULL
    GROUP BY GROUPING SETS ((), (agency), (agency, service), (lane))
    ORDER BY part, agency, service, lane DESC
""")


def figures_of_day(
    work: UnitOfWork, site: str, business_date: date, agency: str | None = None, service: str | None = None, *, long_wait: float
) -> list[dict[str, Any]]:
    """Return the counts by state and, unrounded, the durations (``wait_mean``, ..., ``serve_p90``) of one day.

    One row for the ``part`` ``whole``, also without any ticket; one for each ``agency``, ``service`` and ``lane`` that has
    tickets, agencies and services by id, the regular lane first. ``visits`` of the whole are the figures of the visits.

    :param long_wait: seconds above which a wait's error is counted among the long ones.
    """
    wanted = {"site": site, "business_date": business_date, "agency": agency, "service": service, "long_wait": long_wait}
    return [dict(row) for row in work.execute(_FIGURES_OF_DAY, wanted).mappings()]
