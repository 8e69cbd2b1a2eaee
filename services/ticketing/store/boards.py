"""A site's day as boards show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.ticketing.store.tables import Row

# One statement sees one moment: the tickets are exactly as they were after the change of that sequence.
_DAY = sa.text("""
    WITH called AS (
        SELECT ticket.*, (
            SELECT max(CAST(period->>'started_at' AS timestamptz)) FROM jsonb_array_elements(periods) AS period
            WHERE period->>'state' = 'called'
        ) AS called_at
        FROM ticket WHERE site = :site AND business_date = :business_date AND status <> 'printing'
    ), ranked AS (
        SELECT called.*,
            row_number() OVER (ORDER BY called_at DESC NULLS LAST) AS call_rank,
            row_number() OVER (PARTITION BY service ORDER BY called_at DESC NULLS LAST) AS call_rank_of_service,
            row_number() OVER (PARTITION BY service ORDER BY issued_at DESC) AS issue_rank_of_service
        FROM called
    )
    SELECT coalesce((SELECT sequence FROM stream WHERE source = :source), 0) AS sequence, (
        SELECT coalesce(jsonb_object_agg(session.counter, session.status), '{}') FROM counter_session session
        WHERE session.site = :site AND session.business_date = :business_date
    ) AS counters_now, (
        SELECT regular_calls FROM queue_day WHERE site = :site AND business_date = :business_date
    ) AS regular_calls, shown.* FROM (SELECT 1) AS always
    LEFT JOIN (
        SELECT * FROM ranked
        WHERE status = ANY(:open) OR issue_rank_of_service = 1
            OR called_at IS NOT NULL AND (call_rank <= :last_calls OR call_rank_of_service = 1)
        ORDER BY arrived_at LIMIT :limit
    ) AS shown ON true
""")

_PLACES = sa.text("""
    SELECT kind, data FROM catalog_copy
    WHERE kind = 'site' AND id = :site OR kind = 'counter' AND data->>'site' = :site ORDER BY kind, id
""")
_SERVICES = sa.text("SELECT data FROM catalog_copy WHERE kind = 'service' AND id = ANY(:ids) ORDER BY id")
_PACES = sa.text("SELECT site, service, mean_seconds FROM service_pace WHERE site = ANY(:sites) AND samples > 0 ORDER BY site, service")
_DAYS_OF_NOW = sa.text("""
    SELECT site.data, day.regular_calls FROM catalog_copy site LEFT JOIN queue_day day ON day.site = site.id
        AND day.business_date = CAST(CAST(:now AS timestamptz) AT TIME ZONE (site.data->>'timezone') AS date)
    WHERE site.kind = 'site' AND site.id = ANY(:sites)
""")
_HEADS = sa.text("SELECT source, sequence FROM stream WHERE source = ANY(:sources)")


class Day(NamedTuple):
    """What a board shows of a site's day."""

    sequence: int
    """Of the site's stream."""
    counters_now: dict[str, str]
    """Status of each counter that was opened that day."""
    regular_calls: dict[str, int]
    """By counter: regular tickets that it has called since its last priority call."""
    tickets: list[Row]


def day(work: UnitOfWork, site: str, business_date: date, source: str, *, open_states: Sequence[str], last_calls: int, limit: int) -> Day:
    """Return a site's day as of one moment.

    Its tickets are up to ``limit`` with ``called_at``: the open ones, those called last, and of each service those
    called and issued last.
    """
    wanted = {
        "site": site,
        "business_date": business_date,
        "source": source,
        "open": list(open_states),
        "last_calls": last_calls,
        "limit": limit,
    }
    rows = work.execute(_DAY, wanted).mappings().all()
    first = rows[0]
    return Day(first["sequence"], first["counters_now"], first["regular_calls"] or {}, [row for row in rows if row["id"] is not None])


def site_and_counters(work: UnitOfWork, site: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Return a site, ``None`` when it is not known, and its counters by id."""
    rows = work.execute(_PLACES, {"site": site}).all()
    return next((row.data for row in rows if row.kind == "site"), None), [row.data for row in rows if row.kind == "counter"]


def services(work: UnitOfWork, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the services with the given ids, by id; what is not known is missing."""
    return [row.data for row in work.execute(_SERVICES, {"ids": list(ids)})]


def observed_paces(work: UnitOfWork, sites: Sequence[str]) -> list[tuple[str, str, float]]:
    """Return ``(site, service, mean seconds at the counter)`` of what has been observed at some sites."""
    return [(row.site, row.service, row.mean_seconds) for row in work.execute(_PACES, {"sites": list(sites)})]


def days_of_now(work: UnitOfWork, sites: Sequence[str]) -> list[tuple[dict[str, Any], dict[str, int]]]:
    """Return some sites, each with ``regular_calls`` of its day of now; one that is not known is missing."""
    return [(row.data, row.regular_calls or {}) for row in work.execute(_DAYS_OF_NOW, {"sites": list(sites), "now": work.now})]


def heads(work: UnitOfWork, sources: Sequence[str]) -> dict[str, int]:
    """Return the sequences of some streams; one that has not begun is missing."""
    return {row.source: row.sequence for row in work.execute(_HEADS, {"sources": list(sources)})}
