"""Hints of due deliveries, in the schema ``platform``: one look finds the regencies in which there is something to do.

A hint is written in the transaction that makes a delivery due, and deleted when somebody has looked after that moment
and has left another one if something is still under way. Who takes one puts it off meanwhile: if that process dies, the
hint comes up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.chassis.database import PlatformWork, UnitOfWork

_LEAVE = sa.text("INSERT INTO platform.delivery_hint (regency, due_at) VALUES (:regency, :due_at)")

_TAKE = sa.text("""
    UPDATE platform.delivery_hint SET due_at = :until WHERE id IN (
        SELECT id FROM platform.delivery_hint WHERE due_at <= :now ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING id, regency
""")

_FORGET = sa.text("DELETE FROM platform.delivery_hint WHERE id = ANY(:ids)")

_OLDEST = sa.text("SELECT min(due_at) FROM platform.delivery_hint WHERE due_at <= :now")


def leave(work: UnitOfWork, due_at: datetime) -> None:
    """Say that this regency should be looked at from ``due_at`` on; who listens in this process is woken if that is now."""
    work.later(_LEAVE, {"regency": work.regency, "due_at": due_at})
    work.rouses = work.rouses or due_at <= work.now


def take(work: PlatformWork, limit: int, put_off: timedelta) -> dict[str, list[int]]:
    """Return the regencies that should be looked at now, each with the ids of its hints, and put these off."""
    found: dict[str, list[int]] = {}
    for row in work.execute(_TAKE, {"now": work.now, "until": work.now + put_off, "limit": limit}):
        found.setdefault(row.regency, []).append(row.id)
    return found


def forget(work: PlatformWork, ids: Sequence[int]) -> None:
    """Delete hints that have been followed."""
    work.later(_FORGET, {"ids": list(ids)})


def oldest(work: PlatformWork) -> datetime | None:
    """Return since when the longest-waiting hint is due, ``None`` when nothing is."""
    found: datetime | None = work.execute(_OLDEST, {"now": work.now}).scalar_one()
    return found
