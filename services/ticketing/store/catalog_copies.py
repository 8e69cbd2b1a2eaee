"""The copy of the catalogue, by which ticketing works while the catalogue is down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.ticketing.store.tables import catalog_copy

_COUNTER_AND_SITE = sa.text("""
    SELECT counter.data AS counter, site.data AS site FROM catalog_copy counter
    JOIN catalog_copy site ON site.kind = 'site' AND site.id = counter.data->>'site'
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


def counter_and_site(work: UnitOfWork, counter: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return a counter and its site, or ``None`` when the counter is not known."""
    row = work.execute(_COUNTER_AND_SITE, {"counter": counter}).first()
    return None if row is None else (row.counter, row.site)
