"""What events have told: facts of tickets, and sites."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.reporting.domain import TicketFact
from services.reporting.store.tables import site, ticket_fact


@dataclass(frozen=True)
class Site:
    """What reporting knows of a site; ``timezone`` is ``None`` until the catalogue tells of the site again."""

    id: str
    name: str
    timezone: str | None
    version: int


def keep_fact(work: UnitOfWork, fact: TicketFact) -> None:
    """Put a fact in the place of the ticket's older one; a newer or equal one stays."""
    statement = upsert(ticket_fact).values(**asdict(fact))
    newer = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={column.name: statement.excluded[column.name] for column in ticket_fact.c if column.name != "id"},
        where=ticket_fact.c.version < statement.excluded.version,
    )
    work.execute(newer)


def keep_site(work: UnitOfWork, known: Site) -> None:
    """Store a site unless a newer version is there."""
    statement = upsert(site).values(**asdict(known))
    newer = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={column.name: statement.excluded[column.name] for column in site.c if column.name != "id"},
        where=site.c.version < statement.excluded.version,
    )
    work.execute(newer)


def site_of(work: UnitOfWork, id: str) -> Site | None:
    """Return a site, or ``None`` when the catalogue has not told of it."""
    row = work.execute(sa.select(site).where(site.c.id == id)).mappings().first()
    return None if row is None else Site(**row)


def has_ticket_at(work: UnitOfWork, site_id: str) -> bool:
    """Whether any ticket has told of a site."""
    return bool(work.execute(sa.select(sa.exists().where(ticket_fact.c.site == site_id))).scalar_one())
