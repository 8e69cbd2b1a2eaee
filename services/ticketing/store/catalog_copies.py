"""The copy of the catalogue, by which ticketing works while the catalogue is down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.ticketing.store.tables import catalog_copy

_COUNTER_AND_SITE = sa.text("""
    SELECT counter.data AS counter, site.data AS site, session.status, session.business_date FROM catalog_copy counter
    JOIN catalog_copy site ON site.kind = 'site' AND site.id = counter.data->>'site'
    LEFT JOIN counter_session session ON session.counter = counter.id
    WHERE counter.kind = 'counter' AND counter.id = :counter
""")


def keep_catalog_entity(work: UnitOfWork, kind: str, entity: Mapping[str, Any]) -> bool:
    """Store an entity of the catalogue unless this version or a newer one is there; return whether it was stored."""
    statement = upsert(catalog_copy).values(kind=kind, id=entity["id"], version=entity["version"], data=dict(entity))
    newer = statement.on_conflict_do_update(
        index_elements=["kind", "id"],
        set_={"version": statement.excluded.version, "data": statement.excluded.data},
        where=catalog_copy.c.version < statement.excluded.version,
    )
    return work.execute(newer).rowcount == 1


def catalog_entities(work: UnitOfWork, *keys: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Return the entities with the given ``(kind, id)`` by kind; what is not known is missing."""
    wanted = sa.select(catalog_copy.c.kind, catalog_copy.c.data).where(sa.tuple_(catalog_copy.c.kind, catalog_copy.c.id).in_(keys))
    return {row.kind: row.data for row in work.execute(wanted)}


@dataclass(frozen=True)
class CounterAndSite:
    """A counter and its site as the catalogue tells of them, and whether the counter is open."""

    counter: dict[str, Any]
    site: dict[str, Any]
    status: str | None
    """Of the last session: ``open``, ``paused`` or ``closed``; true for ``business_date`` only."""
    business_date: date | None


def counter_and_site(work: UnitOfWork, counter: str) -> CounterAndSite | None:
    """Return a counter and its site, or ``None`` when the counter is not known."""
    row = work.execute(_COUNTER_AND_SITE, {"counter": counter}).first()
    return None if row is None else CounterAndSite(row.counter, row.site, row.status, row.business_date)
