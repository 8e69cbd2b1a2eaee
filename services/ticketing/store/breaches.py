"""The log of breaches. There are few: nobody needs an index."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

Row = dict[str, Any]

_ADD = sa.text("""
    INSERT INTO breach (id, kind, discovered_at, data, people, description, measures, recorded_at, recorded_by)
    VALUES (CAST(:id AS uuid), :kind, :discovered_at, :data, :people, :description, :measures, :recorded_at, :recorded_by)
""")
_LOCKED = sa.text("SELECT CAST(id AS text) AS key, breach.* FROM breach WHERE id = CAST(:id AS uuid) FOR UPDATE")
_FOUND = sa.text("SELECT CAST(id AS text) AS key, breach.* FROM breach WHERE id = CAST(:id AS uuid)")
_CHANGE = sa.text("""
    UPDATE breach SET data = :data, people = :people, description = :description, measures = :measures,
        authority_told_at = :authority_told_at, persons_told_at = :persons_told_at, version = :version
    WHERE id = CAST(:id AS uuid)
""")
_PAGE = sa.text("""
    SELECT CAST(id AS text) AS key, breach.* FROM breach
    WHERE (CAST(:state AS text) IS NULL OR (authority_told_at IS NULL OR persons_told_at IS NULL) = (:state = 'open'))
        AND (CAST(:at AS timestamptz) IS NULL OR (recorded_at, id) < (CAST(:at AS timestamptz), CAST(:after AS uuid)))
    ORDER BY recorded_at DESC, id DESC LIMIT :limit
""")
_FIRST_OPEN = sa.text("SELECT min(discovered_at) FROM breach WHERE authority_told_at IS NULL OR persons_told_at IS NULL")


def add_breach(work: UnitOfWork, row: Mapping[str, Any]) -> None:
    """Store a new breach."""
    work.execute(_ADD, dict(row))


def breach(work: UnitOfWork, id: str, *, lock: bool = False) -> Row | None:
    """Return a breach."""
    row = work.execute(_LOCKED if lock else _FOUND, {"id": id}).mappings().first()
    return None if row is None else _as_row(row)


def change_breach(work: UnitOfWork, row: Mapping[str, Any]) -> None:
    """Store what was changed of a breach that is locked."""
    names = ("id", "data", "people", "description", "measures", "authority_told_at", "persons_told_at", "version")
    work.execute(_CHANGE, {name: row[name] for name in names})


def breach_page(work: UnitOfWork, state: str | None, after: tuple[datetime, str] | None, limit: int) -> list[Row]:
    """Return up to ``limit`` breaches behind ``(recorded_at, id)``, newest first: ``open`` ones, ``told`` ones or all."""
    at, last = after or (None, None)
    return [_as_row(row) for row in work.execute(_PAGE, {"state": state, "at": at, "after": last, "limit": limit}).mappings()]


def first_open_breach(work: UnitOfWork) -> datetime | None:
    """Return when the breach was discovered that has waited longest for somebody to be told."""
    instant: datetime | None = work.execute(_FIRST_OPEN).scalar_one()
    return instant


def _as_row(found: sa.RowMapping) -> Row:
    return {**{name: value for name, value in found.items() if name != "key"}, "id": found["key"]}
