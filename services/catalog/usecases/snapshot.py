"""What the catalogue says of its stream when its log was cut: every published entity as it is now."""

from services.catalog.store import entities as store
from services.catalog.usecases.entities import PUBLISHED
from services.chassis.database import UnitOfWork
from services.chassis.snapshots import Item, Section

IN_ORDER_OF_REFERENCE = ("regency", "site", "agency", "service", "counter", "hours")
"""Kinds, those first to which later ones refer."""


def section(kind: str) -> Section:
    """All entities of a kind, in the order of their ids."""

    def page(work: UnitOfWork, site: str | None, after: str | None, limit: int) -> list[Item]:
        return [Item(entity["id"], entity["id"], {kind: entity}) for entity in store.page(work, kind, {}, after, limit)]

    return Section(f"catalog.{kind}_snapshot", page)


SNAPSHOT = tuple(section(kind) for kind in IN_ORDER_OF_REFERENCE)

if set(IN_ORDER_OF_REFERENCE) != PUBLISHED:
    raise AssertionError("a kind that is published has no snapshot")
