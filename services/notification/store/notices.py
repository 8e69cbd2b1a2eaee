"""What is known of tickets and places, and the notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
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

# The row lock that the update takes puts replicas that hear of one ticket at the same time one behind the other.
_FOLLOW = sa.text("""
    INSERT INTO followed_ticket AS known (id, version, ended_at)
    VALUES (CAST(:id AS uuid), :version, CAST(:ended_at AS timestamptz))
    ON CONFLICT (id) DO UPDATE SET version = greatest(known.version, excluded.version),
        ended_at = CASE WHEN excluded.version > known.version THEN excluded.ended_at ELSE known.ended_at END
    RETURNING version
""")

_NEWEST_HEARD = sa.text("""
    INSERT INTO followed_ticket AS known (id, version) VALUES (CAST(:id AS uuid), 0)
    ON CONFLICT (id) DO UPDATE SET version = known.version
    RETURNING version
""")

_KEEP_NOTICE = sa.text("""
    INSERT INTO notice (ticket, version, kind, happened_at, created_at, parameters)
    VALUES (CAST(:ticket AS uuid), :version, :kind, :happened_at, :now, :parameters)
    ON CONFLICT (ticket, version) DO NOTHING
""").bindparams(sa.bindparam("parameters", type_=JSONB))

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


def follow(work: UnitOfWork, ticket: str, version: int, ended_at: datetime | None) -> bool:
    """Remember the newest version of a ticket that has been heard of, and lock the ticket until the unit ends.

    :param ended_at: when this version ended the ticket, ``None`` for one that goes on.
    :return: whether ``version`` is the newest.
    """
    newest: int = work.execute(_FOLLOW, {"id": ticket, "version": version, "ended_at": ended_at}).scalar_one()
    return newest == version


def newest_heard(work: UnitOfWork, ticket: str) -> int:
    """Return the newest version of a ticket that has been heard of, 0 when none has, and lock the ticket until the unit ends."""
    version: int = work.execute(_NEWEST_HEARD, {"id": ticket}).scalar_one()
    return version


def keep_notice(work: UnitOfWork, ticket: str, version: int, kind: str, happened_at: datetime, parameters: Mapping[str, Any]) -> None:
    """Record the notice of one version of a followed ticket, unless it is recorded already."""
    row = {
        "ticket": ticket,
        "version": version,
        "kind": kind,
        "happened_at": happened_at,
        "now": work.now,
        "parameters": dict(parameters),
    }
    work.execute(_KEEP_NOTICE, row)


def newest_notices(work: UnitOfWork, ticket: str, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` notices of a ticket, newest version first, with ``site_name`` and ``counter_name``.

    ``superseded``: a newer version of the ticket has been heard of, with a notice or without.
    """
    return [dict(row) for row in work.execute(_NOTICES, {"ticket": ticket, "limit": limit}).mappings()]
