"""What decides who is called when at a site: who waits, which counters call whom, and how long that takes of late."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.contracts.queue_forecast import AtCounter, Calling, Hall, Waiting
from services.ticketing.domain import DEFAULT_SERVING_SECONDS, Calendar, policy_of

# One row, as of one moment. Turns are told in microseconds, so that they are the same wherever they are read. Counters
# that call: those that are open, at a site where officers say so, else all that are in use.
_HALL = sa.text("""
    SELECT day.numbers, day.last_arrival_at, day.closed_at, day.regular_calls, (
        SELECT json_agg(json_build_array(
            CAST(extract(epoch FROM coalesce(turn_at, arrived_at)) * 1000000 AS bigint), number, service, priority_class IS NOT NULL))
        FROM ticket WHERE status = 'waiting' AND site = :site AND business_date = :business_date
    ) AS waiting, (
        SELECT json_agg(json_build_array(id, data->'services')) FROM catalog_copy
        WHERE kind = 'counter' AND data->>'site' = :site AND data->>'active' = 'true'
            AND (NOT EXISTS (SELECT FROM counter_session WHERE site = :site AND business_date = :business_date) OR EXISTS (
                SELECT FROM counter_session
                WHERE counter = catalog_copy.id AND business_date = :business_date AND counter_session.status = 'open'
            ))
    ) AS counters, (
        SELECT json_agg(json_build_array(it.counter, it.service, (
            SELECT max(extract(epoch FROM CAST(period->>'started_at' AS timestamptz)))
            FROM jsonb_array_elements(it.periods) AS period WHERE period->>'state' = 'called'
        ))) FROM (
            SELECT * FROM ticket WHERE status = 'called' AND site = :site AND business_date = :business_date UNION ALL
            SELECT * FROM ticket WHERE status = 'serving' AND site = :site AND business_date = :business_date
        ) AS it
    ) AS busy, (
        SELECT json_object_agg(service, mean_seconds) FROM service_pace WHERE site = :site AND samples > 0
    ) AS paces, (
        SELECT json_agg(data) FROM catalog_copy WHERE kind = 'site' AND id = :site OR kind = 'hours'
            AND data->>'to' >= CAST(CAST(:business_date AS date) AS text) AND data->>'from' <= CAST(CAST(:business_date AS date) AS text)
            AND data->>'active' = 'true'
    ) AS calendar
    FROM (SELECT 1) AS always LEFT JOIN queue_day day ON day.site = :site AND day.business_date = :business_date
""")


def day_and_hall(work: UnitOfWork, site: str, business_date: date) -> sa.Row[Any]:
    """Return ``numbers``, ``last_arrival_at`` and ``closed_at`` of a site's day, and what :func:`hall_of` reads."""
    return work.execute(_HALL, {"site": site, "business_date": business_date}).one()


def hall(work: UnitOfWork, site: str, business_date: date) -> Hall:
    """Return a site as it stands on a business date."""
    return hall_of(day_and_hall(work, site, business_date), business_date)


def hall_of(row: sa.Row[Any], business_date: date) -> Hall:
    """Read a hall."""
    of_site = next(each for each in row.calendar if "policy" in each)
    policy, paces, regular_calls = policy_of(of_site), row.paces or {}, row.regular_calls or {}
    busy: dict[str, list[AtCounter]] = defaultdict(list)
    for counter, service, since in sorted(row.busy or (), key=lambda call: call[2]):
        busy[counter].append(AtCounter(float(since), service))
    return Hall(
        [Waiting(*each) for each in row.waiting or ()],
        [Calling(counter, services, busy.get(counter, ()), regular_calls.get(counter)) for counter, services in sorted(row.counters or ())],
        lambda _, service: paces.get(service, DEFAULT_SERVING_SECONDS),
        policy.regular_per_priority,
        None if policy.ageing_cap_minutes is None else 60.0 * policy.ageing_cap_minutes,
        Calendar(of_site, [each for each in row.calendar if each is not of_site]).working(business_date),
    )
