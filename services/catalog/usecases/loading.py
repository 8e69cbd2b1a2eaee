"""Loading a regency from a document."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from services.catalog.domain import CatalogError, Entity
from services.catalog.store import entities as store
from services.catalog.usecases import entities
from services.catalog.usecases.passwords import DEMO_PASSWORD, demo_hash
from services.chassis import audit
from services.chassis.database import UnitOfWork

# Fields of the document with the kinds they hold, those first to which later ones refer.
FIELDS = (
    ("sites", "site"),
    ("agencies", "agency"),
    ("services", "service"),
    ("counters", "counter"),
    ("hours", "hours"),
    ("accounts", "account"),
    ("devices", "device"),
)


def load_regency(work: UnitOfWork, document: Mapping[str, Any], overwrite: bool, embedded: bool) -> dict[str, int]:
    """Create what the document names and the catalogue lacks; answers how many were created, updated, left unchanged.

    What exists stays as it is, for officials may have changed it since the document was written; with `overwrite` it
    becomes what the document says, but for passwords. The regency's own facts always do: nobody else can change them.
    Nothing is ever removed. Loading the same document again changes nothing and publishes nothing. The demonstration's
    password is taken in `embedded` mode only.
    """
    hashes = new_hashes(work, document, embedded)  # before anybody waits for the lock
    store.one_at_a_time(work)
    counts = {"created": 0, "updated": 0, "unchanged": 0}
    for kind, path, wanted in in_order_of_reference(document):
        stored = store.find_all(work, kind, [entity["id"] for entity in wanted])
        for index, entity in enumerate(wanted):
            with located(path.format(index)):
                replace = overwrite or kind == "regency"
                counts[load(work, kind, stored.get(entity["id"]), entity, replace, hashes)] += 1
    if counts["created"] or counts["updated"]:
        loaded = audit.Change("regency", work.regency, None, counts, {})
        audit.write(work, work.context, "load_regency", loaded, actor=audit.CONSOLE)
    return counts


def new_hashes(work: UnitOfWork, document: Mapping[str, Any], embedded: bool) -> dict[str, str | None]:
    """Hashes of the passwords of those accounts and devices that do not exist yet, by id."""
    hashes = {}
    for kind, path, wanted in in_order_of_reference(document):
        known = store.existing(work, kind, [entity["id"] for entity in wanted]) if kind in entities.SIGNING_IN else ()
        for index, entity in enumerate(wanted):
            if kind in entities.SIGNING_IN and entity["id"] not in known:
                with located(path.format(index)):
                    hashes[entity["id"]] = new_hash(work, entity, embedded)
    return hashes


def new_hash(work: UnitOfWork, entity: Entity, embedded: bool) -> str | None:
    """The hash of one password that satisfies the rule, or is the demonstration's."""
    if entity.get("password") == DEMO_PASSWORD:
        return demo_hash(embedded, work.context.remaining())
    return entities.hashed(work, entity.get("password"), entity["id"])


def load(work: UnitOfWork, kind: str, current: Entity | None, wanted: Entity, replace: bool, hashes: Mapping[str, str | None]) -> str:
    """Create or change one entity; answers what happened to it."""
    entity = dict(wanted)
    entity.pop("password", None)
    if current is None:
        entities.add(work, kind, entity, hashes.get(entity["id"]) if kind in entities.SIGNING_IN else None)
        return "created"
    if replace and entities.change(work, kind, current, entity) is not current:
        return "updated"
    return "unchanged"


def in_order_of_reference(document: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Entity]]]:
    """Kinds with the path of one entity in the document, and the entities."""
    yield "regency", "document.regency", [document["regency"]]
    for field, kind in FIELDS:
        yield kind, f"document.{field}.{{}}", document[field]


@contextmanager
def located(path: str) -> Iterator[None]:
    """An error about one entity names its place in the document, which holds hundreds."""
    try:
        yield
    except CatalogError as error:
        for each in error.details.get("errors", ()):
            each["field"] = f"{path}.{each['field']}"
        error.details["at"] = path
        raise
