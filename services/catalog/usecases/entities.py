"""Create, change, read and list entities of every kind.

A change is checked by the rules of its kind, raises the version, and is published whole in the same unit of work. A
change that changes nothing leaves version and event log as they are.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from services.catalog import domain
from services.catalog.domain import CatalogError, Entity
from services.catalog.store import credentials
from services.catalog.store import entities as store
from services.catalog.usecases import sessions
from services.catalog.usecases.passwords import NOBODY, check_password, hash_password
from services.catalog.usecases.rules import check
from services.chassis import audit
from services.chassis.database import UnitOfWork
from services.chassis.events import Event

# Accounts and devices stay inside: who works where is nobody else's business.
PUBLISHED = frozenset({"regency", "site", "agency", "service", "counter", "hours"})
SIGNING_IN = frozenset({"account", "device"})

# Members whose values stay out of the audit log: names of people, and what says nothing but that it is new.
WITHHELD = frozenset({"display_name", "password"})


def create(work: UnitOfWork, kind: str, data: Mapping[str, Any]) -> Entity:
    """Add an entity; `duplicate_id` when its id is in use."""
    entity = dict(data)
    password_hash = hashed(work, entity.pop("password", None), entity["id"])  # before anybody waits for the lock
    store.one_at_a_time(work)
    return add(work, kind, entity, password_hash)


def add(work: UnitOfWork, kind: str, entity: Entity, password_hash: str | None = None) -> Entity:
    """Check, store and publish a new entity; `password_hash` for accounts and devices."""
    entity = domain.canonical(kind, {**entity, "version": 1})
    if in_use(work, kind, entity["id"]):
        raise CatalogError("duplicate_id", id=entity["id"])
    check(work, kind, entity)
    if kind in SIGNING_IN and password_hash is None:
        password_hash = NOBODY
    store.add(work, kind, stored(entity, password_hash))
    new = audit.without(WITHHELD, {**entity, **_password(password_hash)})
    audit.note(work, kind, entity["id"], (None, new), _place(kind, entity))
    return publish(work, kind, entity)


def in_use(work: UnitOfWork, kind: str, identifier: str) -> bool:
    """Whether the id is given. Accounts and devices are two tables, but share one space of usernames."""
    if kind in SIGNING_IN:
        return credentials.find(work, identifier) is not None
    return bool(store.existing(work, kind, [identifier]))


def update(work: UnitOfWork, kind: str, data: Mapping[str, Any]) -> Entity:
    """Change the named fields; `version_conflict` when `if_match` is not the current version."""
    changes = dict(data)
    if_match = changes.pop("if_match", None)
    password_hash = hashed(work, changes.pop("password", None), changes["id"])
    store.one_at_a_time(work)
    current = store.find(work, kind, changes["id"])
    if current is None:
        raise CatalogError(f"{kind}_unknown", id=changes["id"])
    domain.check_version(current, if_match)
    return change(work, kind, current, changes, password_hash)


def change(work: UnitOfWork, kind: str, current: Entity, changes: Mapping[str, Any], password_hash: str | None = None) -> Entity:
    """Apply changes to an entity; answers what is stored afterwards, `current` itself when nothing differed."""
    wanted = domain.canonical(kind, {**current, **changes})
    if wanted == current and password_hash is None:
        return current
    entity = {**wanted, "version": current["version"] + 1}
    check(work, kind, entity)
    store.replace(work, kind, stored(entity, password_hash))
    changed = audit.differing(current, {**entity, **_password(password_hash)}, WITHHELD)
    audit.note(work, kind, entity["id"], changed, _place(kind, entity))
    if kind in SIGNING_IN:
        sessions.follow_change(work, current, entity, new_password=password_hash is not None)
    return publish(work, kind, entity)


def _password(password_hash: str | None) -> dict[str, str]:
    return {} if password_hash is None else {"password": "new"}


def _place(kind: str, entity: Entity) -> dict[str, str | None]:
    """Where an entity belongs, for the audit log."""
    place: dict[str, str | None] = {name: entity.get(name) for name in ("site", "agency")}
    return {**place, **({kind: entity["id"]} if kind in ("site", "agency", "counter") else {})}


def get(work: UnitOfWork, kind: str, identifier: str) -> Entity:
    """The entity; `<kind>_unknown` when there is none."""
    entity = store.find(work, kind, identifier)
    if entity is None:
        raise CatalogError(f"{kind}_unknown", id=identifier)
    return entity


def list_page(work: UnitOfWork, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """One page of entities by id. `cursor` continues behind the last one seen, whatever was added or changed meanwhile."""
    filters = {name: value for name, value in data.items() if name not in {"limit", "cursor"} and value is not None}
    limit = data["limit"]
    found = store.page(work, kind, filters, read_cursor(data.get("cursor")), limit + 1)
    items, more = found[:limit], len(found) > limit
    return {"items": items, "next_cursor": write_cursor(items[-1]["id"]) if more else None}


def publish(work: UnitOfWork, kind: str, entity: Entity) -> Entity:
    """Tell the other services; answers the entity."""
    if kind in PUBLISHED:
        work.emit(Event(type=f"catalog.{kind}_changed", subject=entity["id"], data={kind: entity}))
    return entity


def hashed(work: UnitOfWork, password: str | None, username: str) -> str | None:
    """The hash of a new password that satisfies the rule; None for none."""
    if password is None:
        return None
    check_password(password, username)
    return hash_password(password, work.context.remaining())


def stored(entity: Entity, password_hash: str | None) -> Entity:
    """The entity as it is written: with the hash, which no answer holds."""
    return entity if password_hash is None else {**entity, "password_hash": password_hash}


def write_cursor(identifier: str) -> str:
    """An opaque, URL-safe cursor behind `identifier`."""
    return base64.urlsafe_b64encode(identifier.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> str | None:
    """The id that `write_cursor` was given; `parameter_invalid` for anything that it cannot have made."""
    if cursor is None:
        return None
    try:
        identifier = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        identifier = ""
    if not identifier or "\0" in identifier or write_cursor(identifier) != cursor:
        raise CatalogError("parameter_invalid", errors=[{"field": "cursor", "rule": "opaque", "message": "Not a cursor of this list."}])
    return identifier
