"""What is known of tickets and places, and the notices."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.contracts.subscriptions import NOTIFICATION_CATALOG

metadata = sa.MetaData()

place_name = sa.Table(
    "place_name",
    metadata,
    sa.Column("kind", sa.Text),
    sa.Column("id", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("version", sa.Integer),
)

PROJECTIONS: Mapping[str, tuple[sa.Table, ...]] = {NOTIFICATION_CATALOG.queue: (place_name,)}
"""Tables that hold nothing but what a consumer was told, by consumer: they can be made again (``mpp rebuild``).

What became of tickets is not among them: notices are this service's own facts, each told once.
"""

# The row lock that the update takes puts replicas that hear of one ticket at the same time one behind the other; in order
# of the key, so that they wait one way only.
_FOLLOW = sa.text("""
    INSERT INTO followed_ticket AS known (id, version, ended_at)
    SELECT id, version, ended_at FROM json_to_recordset(CAST(:tickets AS json)) AS given(id uuid, version integer, ended_at timestamptz)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET version = greatest(known.version, excluded.version),
        ended_at = CASE WHEN excluded.version > known.version THEN excluded.ended_at ELSE known.ended_at END
""")

# Nothing of deliveries: among hundreds of regencies a connection has to learn each table, with its indexes, again and again.
_AUDIENCE = sa.text("""
    SELECT (
        SELECT json_agg(json_build_object('id', id, 'url', url, 'events', events, 'site', site, 'created_at', created_at,
            'secret', secret, 'old_secret', CASE WHEN old_secret_until > :now THEN old_secret END,
            'sound', status = 'active' AND failures = 0
        )) FROM webhook WHERE events && CAST(:filters AS text[])
    ) AS webhooks, (
        SELECT json_object_agg(id, version)
        FROM json_to_recordset(CAST(:tickets AS json)) AS given(id uuid, visit uuid) JOIN followed_ticket USING (id)
        WHERE EXISTS (SELECT FROM subscription WHERE ticket = given.id OR subscription.visit = given.visit)
    ) AS subscribed
""")

_NEWEST_HEARD = sa.text("""
    INSERT INTO followed_ticket AS known (id, version) VALUES (CAST(:id AS uuid), 0)
    ON CONFLICT (id) DO UPDATE SET version = known.version
    RETURNING version
""")

_KEEP_NOTICES = sa.text("""
    INSERT INTO notice (ticket, version, kind, happened_at, created_at, parameters)
    SELECT ticket, version, kind, happened_at, :now, parameters
    FROM json_to_recordset(CAST(:notices AS json))
        AS given(ticket uuid, version integer, kind text, happened_at timestamptz, parameters jsonb)
    ORDER BY ticket, version
    ON CONFLICT (ticket, version) DO NOTHING
""")

# Names are looked up when the text is asked for: a notice may be older than what the catalogue told of its place.
_NOTICES = sa.text("""
    SELECT CAST(notice.ticket AS text) AS ticket, notice.version, notice.kind, notice.happened_at, notice.created_at,
        notice.parameters, notice.version < followed_ticket.version AS superseded,
        site.name AS site_name, counter.name AS counter_name
    FROM notice JOIN followed_ticket ON followed_ticket.id = notice.ticket
    LEFT JOIN place_name site ON site.kind = 'site' AND site.id = notice.parameters->>'site'
    LEFT JOIN place_name counter ON counter.kind = 'counter' AND counter.id = notice.parameters->>'counter'
    WHERE notice.ticket = CAST(:ticket AS uuid)
    ORDER BY notice.version DESC LIMIT :limit
""")


def keep_place_name(work: UnitOfWork, kind: str, id: str, name: str, version: int) -> None:
    """Store the name of a site or counter unless a newer version is there."""
    statement = upsert(place_name).values(kind=kind, id=id, name=name, version=version)
    newer = statement.on_conflict_do_update(
        index_elements=["kind", "id"],
        set_={"name": statement.excluded.name, "version": statement.excluded.version},
        where=place_name.c.version < statement.excluded.version,
    )
    work.execute(newer)


@dataclass(frozen=True)
class Version:
    """A version of a ticket; ``ended_at``: when it ended the ticket, ``None`` for one that goes on."""

    number: int
    ended_at: datetime | None


@dataclass(frozen=True)
class Audience:
    """Who may want to hear: webhooks with such filters, and the subscribers of some of the tickets or their visits.

    ``subscribed``: of each ticket whose visit has subscribers the newest version that has been heard of. ``webhooks``: all that is
    needed to post to them, and whether they are ``sound``: not paused, and not known to fail.
    """

    webhooks: Sequence[dict[str, Any]]
    subscribed: Mapping[str, int]


@dataclass(frozen=True)
class Notice:
    """What a citizen should be told of one version of a ticket."""

    ticket: str
    version: int
    kind: str
    happened_at: datetime
    parameters: Mapping[str, Any]


def follow(work: UnitOfWork, tickets: Mapping[str, Version]) -> None:
    """Remember the newest version of tickets that has been heard of, and lock the tickets until the unit ends."""
    rows = [{"id": ticket, "version": version.number, "ended_at": version.ended_at} for ticket, version in tickets.items()]
    work.later(_FOLLOW, {"tickets": json.dumps(rows, default=str)})


def audience_of(work: UnitOfWork, tickets: Mapping[str, str], filters: Collection[str]) -> Audience:
    """Return webhooks with such filters and who may want to hear of tickets: surely all, if the tickets are followed and locked.

    :param tickets: the visit of each.
    """
    given = json.dumps([{"id": ticket, "visit": visit} for ticket, visit in tickets.items()])
    found = work.execute(_AUDIENCE, {"tickets": given, "filters": sorted(filters), "now": work.now}).one()
    return Audience(found.webhooks or [], found.subscribed or {})


def newest_heard(work: UnitOfWork, ticket: str) -> int:
    """Return the newest version of a ticket that has been heard of, 0 when none has, and lock the ticket until the unit ends."""
    version: int = work.execute(_NEWEST_HEARD, {"id": ticket}).scalar_one()
    return version


def keep_notices(work: UnitOfWork, notices: Iterable[Notice]) -> None:
    """Record notices of versions of followed tickets, unless they are recorded already."""
    work.later(_KEEP_NOTICES, {"notices": json.dumps([vars(notice) for notice in notices], default=str), "now": work.now})


def newest_notices(work: UnitOfWork, ticket: str, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` notices of a ticket, newest version first, with ``site_name`` and ``counter_name``.

    ``superseded``: a newer version of the ticket has been heard of, with a notice or without.
    """
    return [dict(row) for row in work.execute(_NOTICES, {"ticket": ticket, "limit": limit}).mappings()]
