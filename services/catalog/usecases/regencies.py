"""Which regencies the platform serves."""

from typing import Any

from services.catalog.domain import CatalogError, Entity
from services.catalog.store import registry
from services.chassis.database import PlatformWork


def list_regencies(work: PlatformWork) -> dict[str, Any]:
    """Facts of all provisioned regencies, by slug."""
    return {"items": registry.regencies(work)}


def get_regency(work: PlatformWork, slug: str) -> Entity:
    """Facts of one regency; `regency_unknown` when it is not provisioned."""
    regency = registry.regency(work, slug)
    if regency is None:
        raise CatalogError("regency_unknown", regency=slug)
    return regency
