"""Subscriptions to the notices of a ticket, and what its letters are written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

Row = dict[str, Any]

_LOCK_TICKET = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")

_OF_TICKET = sa.text("""
    SELECT id, address_hash FROM subscription WHERE ticket = CAST(:ticket AS uuid)
""")

_ADD = sa.text("""
    INSERT INTO subscription (id, ticket, address, address_hash, masked, locale, kinds, from_version, created_at)
    VALUES (CAST(:id AS uuid), CAST(:ticket AS uuid), :address, :address_hash, :masked, :locale, :kinds, :from_version, :created_at)
""")

_CHANGE = sa.text("UPDATE subscription SET locale = :locale, kinds = :kinds WHERE id = CAST(:id AS uuid)")

_FIND = sa.text("""
    SELECT CAST(id AS text) AS id, CAST(ticket AS text) AS ticket, masked, locale, kinds, created_at
    FROM subscription WHERE id = CAST(:id AS uuid)
""")

_DELETE = sa.text("DELETE FROM subscription WHERE id = CAST(:id AS uuid)")

_ERASE = sa.text("""
    DELETE FROM subscription USING subscription AS doomed LEFT JOIN followed_ticket ON followed_ticket.id = doomed.ticket
    WHERE subscription.id = doomed.id AND (followed_ticket.ended_at < :ended_before OR doomed.created_at < :made_before)
""")


def hashes_of_ticket(work: UnitOfWork, ticket: str) -> dict[str, str]:
    """Return the subscriptions of a ticket, id by keyed hash; nobody adds one to it until the unit ends."""
    work.execute(_LOCK_TICKET, {"name": f"subscriptions of {work.regency} {ticket}"})
    return {row.address_hash: str(row.id) for row in work.execute(_OF_TICKET, {"ticket": ticket})}


def add(work: UnitOfWork, row: Mapping[str, Any]) -> None:
    """Insert a subscription; ``address`` is encrypted."""
    work.execute(_ADD, dict(row))


def change(work: UnitOfWork, id: str, locale: str, kinds: Sequence[str]) -> None:
    """Change what of a ticket is told, and in which language."""
    work.execute(_CHANGE, {"id": id, "locale": locale, "kinds": list(kinds)})


def find(work: UnitOfWork, id: str) -> Row | None:
    """Return a subscription without its address."""
    row = work.execute(_FIND, {"id": id}).mappings().first()
    return None if row is None else dict(row)


def delete(work: UnitOfWork, id: str) -> None:
    """Erase a subscription, its address, and what was on its way to it."""
    work.execute(_DELETE, {"id": id})


def erase(work: UnitOfWork, *, ended_before: datetime, made_before: datetime) -> int:
    """Erase subscriptions of tickets that ended before an instant, and those that are too old; return how many."""
    return work.execute(_ERASE, {"ended_before": ended_before, "made_before": made_before}).rowcount
