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

_ENTITIES = sa.text("""
    SELECT kind, data FROM catalog_copy
    WHERE kind = 'site' AND id = :site OR kind = 'agency' AND id = :agency OR kind = 'service' AND id = :service
""")
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


def catalog_entities(
    work: UnitOfWork, *, site: str | None = None, agency: str | None = None, service: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return the entities with the given ids by kind; what is not known is missing."""
    rows = work.execute(_ENTITIES, {"site": site, "agency": agency, "service": service})
    return {row.kind: row.data for row in rows}


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
