"""Reading and writing entities of every kind, in the shape of their contracts.

A kind is a table, its columns as they appear in the entity, and for agencies and counters the rows of a second table
that belong to the entity.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert

from services.catalog.store import tables as t
from services.chassis.database import UnitOfWork

Entity = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """How entities of one kind are stored."""

    name: str
    table: Table
    columns: Sequence[ColumnElement[Any]]
    save_links: Callable[[UnitOfWork, Entity], None] | None = None


def columns_of(table: Table, *links: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """Columns of an entity: everything but the password's hash, which leaves this module only through `credentials`."""
    return [column for column in table.c if column.name != "password_hash"] + list(links)


def save_presences(work: UnitOfWork, agency: Entity) -> None:
    """Make the agency's rows in `presence` those of the entity; rows that stay are not touched, counters refer to them."""
    kept = [presence["site"] for presence in agency["presences"]]
    work.execute(delete(t.presence).where(t.presence.c.agency == agency["id"], t.presence.c.site.not_in(kept)))
    for presence in agency["presences"]:
        facts = {"prefix": presence["prefix"], "hours": presence["hours"]}
        row = upsert(t.presence).values(site=presence["site"], agency=agency["id"], **facts)
        work.execute(row.on_conflict_do_update(index_elements=["site", "agency"], set_=facts))


def save_counter_services(work: UnitOfWork, counter: Entity) -> None:
    """Make the services that the counter serves those of the entity."""
    work.execute(delete(t.counter_service).where(t.counter_service.c.counter == counter["id"]))
    if counter["services"]:
        rows = [{"counter": counter["id"], "service": service} for service in counter["services"]]
        work.execute(insert(t.counter_service), rows)


def _presences() -> ColumnElement[Any]:
    entry = func.jsonb_build_object("site", t.presence.c.site, "prefix", t.presence.c.prefix, "hours", t.presence.c.hours)
    rows = select(func.jsonb_agg(aggregate_order_by(entry, t.presence.c.site))).where(t.presence.c.agency == t.agency.c.id)
    return func.coalesce(rows.scalar_subquery(), func.jsonb_build_array(), type_=JSONB).label("presences")


def _counter_services() -> ColumnElement[Any]:
    link = t.counter_service.c
    return func.array(select(link.service).where(link.counter == t.counter.c.id).order_by(link.service).scalar_subquery()).label("services")


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("regency", t.regency, columns_of(t.regency)),
        Kind("site", t.site, columns_of(t.site)),
        Kind("agency", t.agency, columns_of(t.agency, _presences()), save_presences),
        Kind("service", t.service, columns_of(t.service)),
        Kind("counter", t.counter, columns_of(t.counter, _counter_services()), save_counter_services),
        Kind("hours", t.hours, columns_of(t.hours)),
        Kind("account", t.account, columns_of(t.account)),
        Kind("device", t.device, columns_of(t.device)),
    )
}


def one_at_a_time(work: UnitOfWork) -> None:
    """Changes of one regency's catalogue follow each other: rules look at several entities, none may change meanwhile.

    Their events share one stream, so they would wait for each other at the commit anyway.
    """
    work.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"catalogue of {work.regency}", 0))))


def find(work: UnitOfWork, kind: str, identifier: str) -> Entity | None:
    """The entity, or None."""
    return find_all(work, kind, [identifier]).get(identifier)


def find_all(work: UnitOfWork, kind: str, ids: Sequence[str]) -> dict[str, Entity]:
    """Entities by id, those of `ids` that exist."""
    statement = select(*KINDS[kind].columns).where(KINDS[kind].table.c.id.in_(ids))
    return {row.id: dict(row._mapping) for row in work.execute(statement)}


def existing(work: UnitOfWork, kind: str, ids: Sequence[str]) -> set[str]:
    """Those of `ids` that exist."""
    column = KINDS[kind].table.c.id
    return set(work.execute(select(column).where(column.in_(ids))).scalars()) if ids else set()


def page(work: UnitOfWork, kind: str, filters: Mapping[str, str], after: str | None, limit: int) -> list[Entity]:
    """Up to `limit` entities in the order of their ids, beginning behind the id `after`."""
    table = KINDS[kind].table
    statement = select(*KINDS[kind].columns).order_by(table.c.id).limit(limit)
    if after is not None:
        statement = statement.where(table.c.id > after)
    for name, value in filters.items():
        statement = statement.where(FILTERS[kind, name](value))
    return [dict(row._mapping) for row in work.execute(statement)]


def _present_at(site: str, agency: ColumnElement[str]) -> ColumnElement[bool]:
    return agency.in_(select(t.presence.c.agency).where(t.presence.c.site == site))


FILTERS: Mapping[tuple[str, str], Callable[[str], ColumnElement[bool]]] = {
    ("agency", "site"): lambda site: _present_at(site, t.agency.c.id),
    ("service", "site"): lambda site: _present_at(site, t.service.c.agency),
    ("service", "agency"): lambda agency: t.service.c.agency == agency,
    ("service", "search"): lambda text: t.service.c.name.icontains(text, autoescape=True),
    ("counter", "site"): lambda site: t.counter.c.site == site,
    ("hours", "site"): lambda site: or_(t.hours.c.site.is_(None), t.hours.c.site == site),
    ("hours", "since"): lambda day: t.hours.c.to >= day,
    ("hours", "until"): lambda day: t.hours.c["from"] <= day,
}


def add(work: UnitOfWork, kind: str, entity: Entity) -> None:
    """Insert a new entity."""
    work.execute(insert(KINDS[kind].table).values(_row(kind, entity)).inline())
    _save_links(work, kind, entity)


def replace(work: UnitOfWork, kind: str, entity: Entity) -> None:
    """Write every column of an entity that exists."""
    table = KINDS[kind].table
    work.execute(update(table).where(table.c.id == entity["id"]).values(_row(kind, entity)))
    _save_links(work, kind, entity)


def _row(kind: str, entity: Entity) -> dict[str, Any]:
    return {column.name: entity[column.name] for column in KINDS[kind].table.c if column.name in entity}


def _save_links(work: UnitOfWork, kind: str, entity: Entity) -> None:
    save_links = KINDS[kind].save_links
    if save_links is not None:
        save_links(work, entity)
