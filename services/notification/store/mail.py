"""Subscriptions: an address that is told of the tickets of a visit, one row for each ticket.

One row is what somebody made. Those of the visit's other tickets follow it: made when the ticket is first heard of,
changed and erased with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

Row = dict[str, Any]

_LOCK_VISIT = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")

_OF_VISIT = sa.text("""
    SELECT CAST(id AS text) AS id, CAST(ticket AS text) AS ticket, CAST(coalesce(follows, id) AS text) AS made, address_hash
    FROM subscription WHERE visit = CAST(:visit AS uuid) OR ticket = CAST(:ticket AS uuid)
""")

_ADD = sa.text("""
    INSERT INTO subscription (id, ticket, visit, follows, address, address_hash, masked, locale, kinds, from_version, created_at)
    VALUES (CAST(:id AS uuid), CAST(:ticket AS uuid), CAST(:visit AS uuid), CAST(:follows AS uuid), :address, :address_hash, :masked,
        :locale, :kinds, :from_version, :created_at)
""")

# What was made since is told of nothing that happened before; clocks may differ. A wish that is being ended at this
# moment refuses to be followed (its row is gone): the event is handled again, and finds nobody.
_FOLLOW = sa.text("""
    INSERT INTO subscription (id, ticket, visit, follows, address, address_hash, masked, locale, kinds, from_version, created_at)
    SELECT gen_random_uuid(), given.id, given.visit, made.id, address, address_hash, masked, locale, kinds, 0, created_at
    FROM json_to_recordset(CAST(:tickets AS json)) AS given(id uuid, visit uuid, made_by timestamptz)
    JOIN subscription made ON made.visit = given.visit AND made.ticket <> given.id AND follows IS NULL AND created_at <= made_by
    ORDER BY given.id, made.id
    ON CONFLICT (ticket, address_hash) DO NOTHING
""")

_ADD_FOLLOWER = sa.text("""
    INSERT INTO subscription (id, ticket, visit, follows, address, address_hash, masked, locale, kinds, from_version, created_at)
    SELECT CAST(:id AS uuid), CAST(:ticket AS uuid), visit, id, address, address_hash, masked, locale, kinds, :from_version, created_at
    FROM subscription WHERE id = CAST(:made AS uuid)
""")

_CHANGE = sa.text(
    "UPDATE subscription SET locale = :locale, kinds = :kinds WHERE id = CAST(:made AS uuid) OR follows = CAST(:made AS uuid)"
)

_FIND = sa.text("""
    SELECT CAST(id AS text) AS id, CAST(ticket AS text) AS ticket, masked, locale, kinds, created_at
    FROM subscription WHERE id = CAST(:id AS uuid)
""")

# Of a release before, some know their ticket but not its visit.
_MADE_FOR = sa.text("""
    SELECT CAST(id AS text) AS id, CAST(coalesce(visit, ticket) AS text) AS visit, address, masked, created_at FROM subscription
    WHERE follows IS NULL AND (visit = ANY(CAST(:visits AS uuid[])) OR ticket = ANY(CAST(:tickets AS uuid[]))) ORDER BY created_at
""")
_FORGET_VISITS = sa.text("""
    DELETE FROM subscription USING unnest(CAST(:visits AS uuid[]), CAST(:tickets AS uuid[]), CAST(:instants AS timestamptz[]))
        AS erased(visit, ticket, at)
    WHERE follows IS NULL AND (subscription.visit = erased.visit OR subscription.ticket = erased.ticket) AND created_at <= erased.at
""")

# Those that follow it go with it.
_DELETE = sa.text("""
    DELETE FROM subscription WHERE id = (SELECT coalesce(follows, id) FROM subscription WHERE id = CAST(:id AS uuid))
""")

# Of a visit, when all tickets that were told of have ended: what follows goes with what was made.
_ERASE = sa.text("""
    DELETE FROM subscription WHERE follows IS NULL AND (created_at < :made_before OR NOT EXISTS (
        SELECT FROM subscription AS told LEFT JOIN followed_ticket ON followed_ticket.id = told.ticket
        WHERE (told.id = subscription.id OR told.follows = subscription.id)
            AND (followed_ticket.ended_at IS NULL OR followed_ticket.ended_at >= :ended_before)
    ))
""")


@dataclass(frozen=True)
class Heard:
    """A ticket of a visit, and until when somebody must have subscribed to be told of what happened to it."""

    id: str
    visit: str
    made_by: datetime


@dataclass(frozen=True)
class Subscribed:
    """A subscription of a visit; ``made`` is the one that somebody made, itself or the one that it follows."""

    id: str
    ticket: str
    made: str
    address_hash: str


def of_visit(work: UnitOfWork, visit: str, ticket: str) -> list[Subscribed]:
    """Return the subscriptions of a visit, and of one of its tickets; nobody adds one until the unit ends."""
    work.execute(_LOCK_VISIT, {"name": f"subscriptions of {work.regency} {visit}"})
    return [Subscribed(**row) for row in work.execute(_OF_VISIT, {"visit": visit, "ticket": ticket}).mappings()]


def add(work: UnitOfWork, row: Mapping[str, Any]) -> None:
    """Insert a subscription; ``address`` is encrypted."""
    work.execute(_ADD, dict(row))


def add_follower(work: UnitOfWork, made: str, *, id: str, ticket: str, from_version: int) -> None:
    """Let a subscription that somebody made be told of another ticket of its visit, from a version on."""
    work.execute(_ADD_FOLLOWER, {"made": made, "id": id, "ticket": ticket, "from_version": from_version})


def follow(work: UnitOfWork, tickets: Iterable[Heard]) -> None:
    """Let the subscriptions of other tickets of their visits follow to these, which are followed and locked."""
    work.later(_FOLLOW, {"tickets": json.dumps([vars(ticket) for ticket in tickets], default=str)})


def change(work: UnitOfWork, made: str, locale: str, kinds: Sequence[str]) -> None:
    """Change what is told of a visit, and in which language."""
    work.execute(_CHANGE, {"made": made, "locale": locale, "kinds": list(kinds)})


def find(work: UnitOfWork, id: str) -> Row | None:
    """Return a subscription without its address."""
    row = work.execute(_FIND, {"id": id}).mappings().first()
    return None if row is None else dict(row)


def delete(work: UnitOfWork, id: str) -> None:
    """Erase a subscription with all that belong to the same wish, its address, and what was on its way to it."""
    work.execute(_DELETE, {"id": id})


def made_for(work: UnitOfWork, visits: Sequence[str], tickets: Sequence[str]) -> list[Row]:
    """Return ``id``, ``visit``, encrypted ``address``, ``masked`` and ``created_at`` of what was asked for of visits."""
    return [dict(row) for row in work.execute(_MADE_FOR, {"visits": list(visits), "tickets": list(tickets)}).mappings()]


def forget(work: UnitOfWork, erased: Sequence[tuple[str, str, datetime]]) -> None:
    """Erase the addresses that were told of a visit or ticket, up to an instant each, with what is on its way to them."""
    visits, tickets, instants = zip(*erased, strict=True)
    work.execute(_FORGET_VISITS, {"visits": list(visits), "tickets": list(tickets), "instants": list(instants)})


def erase(work: UnitOfWork, *, ended_before: datetime, made_before: datetime) -> int:
    """Erase subscriptions of visits whose tickets ended before an instant, and those that are too old; return how many were made."""
    return work.execute(_ERASE, {"ended_before": ended_before, "made_before": made_before}).rowcount
