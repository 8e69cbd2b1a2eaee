"""Webhooks of a regency."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from services.chassis.database import UnitOfWork

Row = dict[str, Any]

_metadata = sa.MetaData()
_INSTANT = sa.TIMESTAMP(timezone=True)

webhook = sa.Table(
    "webhook",
    _metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("url", sa.Text),
    sa.Column("events", ARRAY(sa.Text)),
    sa.Column("site", sa.Text),
    sa.Column("description", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("paused_reason", sa.Text),
    sa.Column("paused_at", _INSTANT),
    sa.Column("secret", sa.Text),
    sa.Column("old_secret", sa.Text),
    sa.Column("old_secret_until", _INSTANT),
    sa.Column("failures", sa.Integer),
    sa.Column("failing_since", _INSTANT),
    sa.Column("resting_until", _INSTANT),
    sa.Column("last_success_at", _INSTANT),
    sa.Column("last_failure_at", _INSTANT),
    sa.Column("created_at", _INSTANT),
    sa.Column("version", sa.Integer),
)

_ONE_AT_A_TIME = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")

_SUCCEEDED = sa.text("""
    UPDATE webhook SET failures = 0, failing_since = NULL, resting_until = NULL, last_success_at = :now
    WHERE id IN (SELECT id FROM webhook WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE)
""")


def count(work: UnitOfWork) -> int:
    """Return how many webhooks there are; whoever adds one waits until this unit has ended."""
    work.execute(_ONE_AT_A_TIME, {"name": f"webhooks of {work.regency}"})
    return int(work.execute(sa.select(sa.func.count()).select_from(webhook)).scalar_one())


def add(work: UnitOfWork, row: Mapping[str, Any]) -> None:
    """Insert a new webhook."""
    work.execute(sa.insert(webhook).values(**row).inline())


def find(work: UnitOfWork, id: str, *, lock: bool = False) -> Row | None:
    """Return a webhook, with ``lock`` until the unit ends nobody else changes it; deliveries are planned for it all the same."""
    statement = sa.select(webhook).where(webhook.c.id == id)
    row = work.execute(statement.with_for_update(key_share=True) if lock else statement).mappings().first()
    return None if row is None else dict(row)


def lock(work: UnitOfWork, ids: Collection[str]) -> dict[str, Row]:
    """Return webhooks by id, those that exist; until the unit ends nobody else changes them."""
    statement = sa.select(webhook).where(webhook.c.id.in_(ids)).order_by(webhook.c.id).with_for_update(key_share=True)
    return {row["id"]: dict(row) for row in work.execute(statement).mappings()}


def succeeded(work: UnitOfWork, ids: Collection[str]) -> None:
    """Note that webhooks have taken something."""
    work.later(_SUCCEEDED, {"ids": sorted(ids), "now": work.now})


def change(work: UnitOfWork, id: str, **changes: Any) -> Row:
    """Change a webhook that exists; return it."""
    statement = sa.update(webhook).where(webhook.c.id == id).values(**changes).returning(webhook)
    return dict(work.execute(statement).mappings().one())


def delete(work: UnitOfWork, id: str) -> None:
    """Delete a webhook and its deliveries."""
    work.execute(sa.delete(webhook).where(webhook.c.id == id))


def page(work: UnitOfWork, after: tuple[datetime, str] | None, limit: int) -> list[Row]:
    """Return webhooks in order of creation, behind the place ``after``."""
    statement = sa.select(webhook).order_by(webhook.c.created_at, webhook.c.id).limit(limit)
    if after is not None:
        place = sa.tuple_(webhook.c.created_at, webhook.c.id)
        statement = statement.where(place > sa.tuple_(sa.literal(after[0], _INSTANT), sa.literal(after[1], UUID(as_uuid=False))))
    return [dict(row) for row in work.execute(statement).mappings()]


def count_paused(work: UnitOfWork) -> int:
    """Return how many webhooks are paused."""
    return int(work.execute(sa.select(sa.func.count()).where(webhook.c.status == "paused")).scalar_one())
