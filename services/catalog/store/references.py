"""What the rules ask about other entities: who is where, who belongs to whom."""

from collections.abc import Sequence

from sqlalchemy import select

from services.catalog.store import tables as t
from services.chassis.database import UnitOfWork


def prefixes_at(work: UnitOfWork, sites: Sequence[str]) -> dict[tuple[str, str], str]:
    """(site, prefix) -> the agency that uses the prefix there."""
    rows = work.execute(select(t.presence).where(t.presence.c.site.in_(sites)))
    return {(row.site, row.prefix): row.agency for row in rows}


def agencies_at(work: UnitOfWork, site: str) -> set[str]:
    """Agencies present at the site."""
    return set(work.execute(select(t.presence.c.agency).where(t.presence.c.site == site)).scalars())


def counters_needing(work: UnitOfWork, agency: str) -> dict[str, list[str]]:
    """Site -> counters there that belong to the agency, or are shared and serve one of its services."""
    own = select(t.counter.c.site, t.counter.c.id).where(t.counter.c.agency == agency)
    serving = (
        select(t.counter.c.site, t.counter.c.id)
        .join(t.counter_service, t.counter_service.c.counter == t.counter.c.id)
        .join(t.service, t.service.c.id == t.counter_service.c.service)
        .where(t.service.c.agency == agency)
    )
    counters: dict[str, list[str]] = {}
    for row in work.execute(own.union(serving)):
        counters.setdefault(row.site, []).append(row.id)
    return counters


def agencies_of_services(work: UnitOfWork, services: Sequence[str]) -> dict[str, str]:
    """Public service -> its agency, for those of `services` that exist."""
    rows = work.execute(select(t.service.c.id, t.service.c.agency).where(t.service.c.id.in_(services)))
    return {row.id: row.agency for row in rows}
