"""The platform's registry of regencies, which the chassis keeps: written when a regency is provisioned, read here."""

from sqlalchemy import select

from services.catalog.store.entities import Entity
from services.catalog.store.tables import registry
from services.chassis.database import PlatformWork

_PROVISIONED = select(registry.c.slug, registry.c.facts).where(registry.c.provisioned_at.is_not(None))


def regencies(work: PlatformWork) -> list[Entity]:
    """Facts of all provisioned regencies, by slug."""
    return [{**row.facts, "id": row.slug} for row in work.execute(_PROVISIONED.order_by(registry.c.slug))]


def regency(work: PlatformWork, slug: str) -> Entity | None:
    """Facts of one provisioned regency, or None."""
    row = work.execute(_PROVISIONED.where(registry.c.slug == slug)).one_or_none()
    return None if row is None else {**row.facts, "id": row.slug}
