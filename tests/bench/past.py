"""Tickets of days long past, written into every service's database as its own code would have left them.

They are made in bulk by PostgreSQL itself, so that a million takes minutes. `check` compares a sample with what the services'
own code makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from deploy.servers.postgres import PostgresServer
from services.contracts.subscriptions import NOTIFICATION_TICKETING, REPORTING_TICKETING
from services.reporting.domain import fact_of
from tests.platform.deployment import Document

A_DAY = 500
"""Tickets of a site on one day: a busy one."""
SITE_HOURS = 8
AT_ONCE = 2
PYTHONS_ISO_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
DELIVERIES_KEPT_DAYS = 30
EVENTS_KEPT_DAYS = 7
"""How long notification keeps settled deliveries, and the events that were delivered."""

# One row per ticket with all its moments, the same in every database: ids are made of what they stand for. Each citizen waits up
# to half an hour, walks up to 40 seconds and is served for up to a quarter of an hour.
_PAST = """
CREATE TEMP TABLE past AS
WITH desk AS (
    SELECT * FROM jsonb_to_recordset(%(desks)s) AS desk(place int, service text, agency text, prefix text, counter text)
), drawn AS (
    SELECT i, CAST(%(first)s AS date) + CAST((i - 1) / %(a_day)s AS int) AS business_date, desk.*,
        row_number() OVER (PARTITION BY (i - 1) / %(a_day)s, desk.prefix ORDER BY i) AS number,
        (CAST(%(first)s AS date) + CAST((i - 1) / %(a_day)s AS int) + time '01:00') AT TIME ZONE 'UTC'
            + ((i - 1) %% %(a_day)s) * make_interval(secs => %(hours)s * 3600.0 / %(a_day)s)
            + make_interval(secs => (i * 31 %% 997) / 1000.0) AS issued_at
    FROM generate_series(1, CAST(%(count)s AS bigint)) AS i JOIN desk ON desk.place = i %% %(desk_count)s
), timed AS (
    SELECT drawn.*, issued_at + make_interval(secs => 20 + i * 7919 %% 1800) AS called_at FROM drawn
), served AS (
    SELECT timed.*, called_at + make_interval(secs => 5 + i * 17 %% 35) AS started_at FROM timed
), ended AS (
    SELECT served.*, started_at + make_interval(secs => 60 + i * 104729 %% 840) AS ended_at FROM served
), written AS (
    SELECT ended.*,
        to_char(issued_at AT TIME ZONE 'UTC', %(iso)s) AS issued_iso, to_char(called_at AT TIME ZONE 'UTC', %(iso)s) AS called_iso,
        to_char(started_at AT TIME ZONE 'UTC', %(iso)s) AS started_iso, to_char(ended_at AT TIME ZONE 'UTC', %(iso)s) AS ended_iso
    FROM ended
)
SELECT written.*, CAST(md5(%(regency)s || ' ticket ' || i) AS uuid) AS id, CAST(md5(%(regency)s || ' visit ' || i) AS uuid) AS visit,
    prefix || '-' || lpad(CAST(number AS text), 3, '0') AS label, i %% 5 = 0 AS priority,
    jsonb_build_object('state', 'waiting', 'counter', NULL, 'started_at', issued_iso, 'ended_at', called_iso) AS waiting,
    jsonb_build_object('state', 'called', 'counter', counter, 'started_at', called_iso, 'ended_at', started_iso) AS called,
    jsonb_build_object('state', 'serving', 'counter', counter, 'started_at', started_iso, 'ended_at', ended_iso) AS serving,
    jsonb_build_object('state', 'completed', 'counter', counter, 'started_at', ended_iso, 'ended_at', ended_iso) AS completed
FROM written ORDER BY i
"""

# The periods of a ticket as the event of its version 1 (waiting) to 4 (completed) has them: nobody knows yet when the last one ends.
_PUBLIC_PERIODS = """
CASE v WHEN 1 THEN jsonb_build_array(waiting || '{"ended_at": null}') WHEN 2 THEN jsonb_build_array(waiting, called || '{"ended_at": null}')
    WHEN 3 THEN jsonb_build_array(waiting, called, serving || '{"ended_at": null}')
    ELSE jsonb_build_array(waiting, called, serving, completed) END
"""

# The same at the end, and who it was.
_KEPT_PERIODS = """
jsonb_build_array(waiting || '{"actor": null}', called || jsonb_build_object('actor', CAST(%(officer)s AS text)),
    serving || jsonb_build_object('actor', CAST(%(officer)s AS text)), completed || jsonb_build_object('actor', CAST(%(officer)s AS text)))
"""

_MONTHS = """
SELECT platform.prepare_event_log(%(schema)s, CAST(month AS date))
FROM generate_series(date_trunc('month', CAST(%(first)s AS timestamp)), date_trunc('month', now()), interval '1 month') AS month
"""

_TICKETING = (
    """
    INSERT INTO queue_day (site, business_date, numbers, opened_at, closes_at, closed_at, last_arrival_at)
    SELECT %(site)s, business_date, jsonb_object_agg(prefix, numbers), min(opened_at), min(closes_at), min(closes_at), max(last_at) FROM (
        SELECT business_date, prefix, max(number) AS numbers, min(issued_at) AS opened_at, max(issued_at) AS last_at,
            (business_date + 1) :: timestamp AT TIME ZONE %(timezone)s AS closes_at FROM past GROUP BY business_date, prefix
    ) AS by_prefix GROUP BY business_date
    """,
    "INSERT INTO visit (id, site, business_date, arrived_at) SELECT visit, %(site)s, business_date, issued_at FROM past ORDER BY i",
    f"""
    INSERT INTO ticket (id, visit, site, business_date, agency, service, prefix, number, channel, status, priority_class, arrived_at,
        issued_at, counter, recalls, returns, outcome, periods, version)
    SELECT id, visit, %(site)s, business_date, agency, service, prefix, number, 'web', 'completed', CASE WHEN priority THEN 'elderly' END,
        issued_at, issued_at, counter, 0, 0, 'done', {_KEPT_PERIODS}, 4
    FROM past ORDER BY i
    """,
    f"""
    INSERT INTO event_log (source, sequence, id, type, subject, time, data)
    SELECT %(source)s, (i - 1) * 4 + v, CAST(md5(id || ' ' || v) AS uuid),
        (ARRAY['ticket.issued', 'ticket.called', 'ticket.serving_started', 'ticket.completed'])[v], CAST(id AS text),
        (ARRAY[issued_at, called_at, started_at, ended_at])[v],
        jsonb_build_object('ticket', jsonb_build_object(
            'id', id, 'visit', visit, 'number', label, 'site', CAST(%(site)s AS text), 'agency', agency, 'service', service,
            'business_date', business_date, 'channel', 'web',
            'status', (ARRAY['waiting', 'called', 'serving', 'completed'])[v],
            'lane', CASE WHEN priority THEN 'priority' ELSE 'regular' END,
            'arrived_at', issued_iso, 'issued_at', issued_iso, 'counter', CASE WHEN v > 1 THEN counter END,
            'recalls', 0, 'returns', 0, 'outcome', CASE WHEN v = 4 THEN 'done' END,
            'periods', {_PUBLIC_PERIODS}, 'version', v))
    FROM past CROSS JOIN generate_series(1, 4) AS v ORDER BY i, v
    """,
    """
    INSERT INTO audit_log (at, actor, role, action, subject)
    SELECT (ARRAY[called_at, started_at, ended_at])[v], %(officer)s, 'officer',
        (ARRAY['call_next', 'start_serving', 'complete_ticket'])[v], CAST(id AS text)
    FROM past CROSS JOIN generate_series(1, 3) AS v ORDER BY i, v
    """,
    "INSERT INTO stream (source, sequence) SELECT %(source)s, %(count)s * 4",
    """
    INSERT INTO service_pace (site, service, samples, mean_seconds)
    SELECT %(site)s, service, count(*), avg(extract(epoch FROM ended_at - started_at)) FROM past GROUP BY service
    """,
    "INSERT INTO platform.stream_head (regency, source, sequence) SELECT %(regency)s, %(source)s, %(count)s * 4",
)

_REPORTING = (
    """
    INSERT INTO ticket_fact (id, visit, site, agency, service, business_date, channel, status, lane, outcome, issued_at,
        wait_seconds, walk_seconds, serve_seconds, version)
    SELECT id, visit, %(site)s, agency, service, business_date, 'web', 'completed', CASE WHEN priority THEN 'priority' ELSE 'regular' END,
        'done', issued_at, extract(epoch FROM called_at - issued_at), extract(epoch FROM started_at - called_at),
        extract(epoch FROM ended_at - started_at), 4
    FROM past ORDER BY i
    """,
    f"INSERT INTO stream_mark (consumer, source, sequence) SELECT '{REPORTING_TICKETING.queue}', %(source)s, %(count)s * 4",
)

_NOTIFICATION = (
    "INSERT INTO followed_ticket (id, version, ended_at) SELECT id, 4, ended_at FROM past ORDER BY i",
    """
    INSERT INTO notice (ticket, version, kind, happened_at, created_at, parameters)
    SELECT id, v, kind, happened_at, happened_at, jsonb_build_object('number', label, 'site', CAST(%(site)s AS text),
        'counter', CASE WHEN v > 1 THEN counter END, 'outcome', CASE WHEN v = 4 THEN 'done' END)
    FROM past CROSS JOIN LATERAL (VALUES (1, 'issued', issued_at), (2, 'called', called_at), (4, 'completed', ended_at))
        AS told(v, kind, happened_at)
    ORDER BY i, v
    """,
    """
    INSERT INTO published_event (id, body, created_at)
    SELECT CAST(md5(id || ' 2') AS uuid), repeat('x', 1000), called_at FROM past WHERE called_at > now() - %(events_kept)s
    """,
    """
    INSERT INTO delivery (channel, webhook, event_id, event_type, ticket, version, state, attempts, last_status, created_at, settled_at)
    SELECT 'webhook', webhook.id, CAST(md5(past.id || ' 2') AS uuid), 'ticket.called', past.id, 2, 'delivered', 1, 204, called_at, called_at
    FROM past CROSS JOIN webhook WHERE called_at > now() - %(deliveries_kept)s ORDER BY i
    """,
    f"INSERT INTO stream_mark (consumer, source, sequence) SELECT '{NOTIFICATION_TICKETING.queue}', %(source)s, %(count)s * 4",
)

_STATEMENTS = {"ticketing": _TICKETING, "reporting": _REPORTING, "notification": _NOTIFICATION}


def make(postgres: PostgresServer, documents: list[Document], count: int) -> None:
    """Write so many past tickets, an equal share for each regency, into the databases of a platform that does not run."""
    jobs = [(service, document) for document in documents for service in _STATEMENTS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for job in [pool.submit(_make_one, postgres, service, document, count // len(documents)) for service, document in jobs]:
            job.result()
    for service in _STATEMENTS:
        with psycopg.connect(postgres.url(service), autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
    for document in documents:
        check(postgres, document)


def _make_one(postgres: PostgresServer, service: str, document: Document, count: int) -> None:
    facts = facts_of(document, count)
    with psycopg.connect(postgres.url(service)) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET work_mem = '256MB'")
        connection.execute("SET temp_buffers = '256MB'")
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(facts["schema"])))
        connection.execute(_PAST, facts)
        connection.execute("ANALYZE past")
        if service == "ticketing":
            connection.execute(_MONTHS, facts)
        for statement in _STATEMENTS[service]:
            connection.execute(statement, facts)


def facts_of(document: Document, count: int, now: datetime | None = None) -> dict[str, Any]:
    """What the statements are given for one regency, whose first site had all the tickets."""
    site, regency = document["sites"][0], document["regency"]["id"]
    desks = desks_of(document, site["id"])
    days = -(-count // A_DAY)
    today = (now or datetime.now(UTC)).astimezone(ZoneInfo(site["timezone"])).date()
    return {
        "regency": regency,
        "schema": regency.replace("-", "_"),
        "site": site["id"],
        "timezone": site["timezone"],
        "source": f"/regencies/{regency}/ticketing/sites/{site['id']}",
        "officer": f"officer@{regency}",
        "desks": Jsonb(desks),
        "desk_count": len(desks),
        "count": count,
        "a_day": A_DAY,
        "iso": PYTHONS_ISO_FORMAT,
        "hours": SITE_HOURS,
        "first": today - timedelta(days=days),
        "deliveries_kept": timedelta(days=DELIVERIES_KEPT_DAYS),
        "events_kept": timedelta(days=EVENTS_KEPT_DAYS),
    }


def desks_of(document: Document, site: str) -> list[dict[str, Any]]:
    """One entry for each service that a counter of the site serves: who takes the ticket, and with which prefix."""
    prefixes = {agency["id"]: each["prefix"] for agency in document["agencies"] for each in agency["presences"] if each["site"] == site}
    agency_of = {service["id"]: service["agency"] for service in document["services"]}
    counters = [counter for counter in document["counters"] if counter["site"] == site]
    found: dict[str, dict[str, Any]] = {}
    for counter in counters:
        for service in counter["services"]:
            agency = agency_of[service]
            found.setdefault(service, {"service": service, "agency": agency, "prefix": prefixes[agency], "counter": counter["id"]})
    return [{"place": place, **desk} for place, desk in enumerate(found.values())]


def check(postgres: PostgresServer, document: Document) -> None:
    """Compare some tickets in ticketing's log with the facts that reporting's own code makes of them.

    :raises RuntimeError: they differ: the statements above do not write what the services write.
    """
    schema = sql.Identifier(document["regency"]["id"].replace("-", "_"))
    logged = sql.SQL(
        "SELECT data->'ticket' AS ticket FROM {}.event_log WHERE type = 'ticket.completed' AND sequence % 9973 = 4"
        " ORDER BY sequence LIMIT 20"
    )
    kept = sql.SQL("SELECT * FROM {}.ticket_fact WHERE id = %s")
    with (
        psycopg.connect(postgres.url("ticketing"), row_factory=dict_row) as ticketing,
        psycopg.connect(postgres.url("reporting"), row_factory=dict_row) as reporting,
    ):
        tickets: list[Mapping[str, Any]] = [row["ticket"] for row in ticketing.execute(logged.format(schema))]
        for ticket in tickets:
            fact = reporting.execute(kept.format(schema), (ticket["id"],)).fetchone()
            wanted = vars(fact_of(ticket))
            if fact is None or {**fact, "id": str(fact["id"]), "visit": str(fact["visit"])} != wanted:
                raise RuntimeError(f"past tickets are wrong: {fact} is not {wanted}")
    if not tickets:
        raise RuntimeError("there are no past tickets to be checked")
