"""What events have told: facts of tickets, and sites."""

from __future__ import annotations

import json
from collections.abc import Iterable
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


# In order of the key, so that two who keep the same facts wait for each other one way only.
_KEEP_FACTS = sa.text("""
    INSERT INTO ticket_fact AS known (id, visit, site, agency, service, business_date, channel, status, lane, outcome,
        issued_at, arrived_at, first_called_at, ended_at, first_call_seconds, first_estimate_seconds,
        wait_seconds, walk_seconds, serve_seconds, version)
    SELECT id, visit, site, agency, service, business_date, channel, status, lane, outcome,
        issued_at, arrived_at, first_called_at, ended_at, first_call_seconds, first_estimate_seconds,
        wait_seconds, walk_seconds, serve_seconds, version
    FROM json_to_recordset(CAST(:facts AS json)) AS given(id uuid, visit uuid, site text, agency text, service text,
        business_date date, channel text, status text, lane text, outcome text, issued_at timestamptz, arrived_at timestamptz,
        first_called_at timestamptz, ended_at timestamptz, first_call_seconds double precision, first_estimate_seconds integer,
        wait_seconds double precision, walk_seconds double precision, serve_seconds double precision, version integer)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET visit = excluded.visit, site = excluded.site, agency = excluded.agency,
        service = excluded.service, business_date = excluded.business_date, channel = excluded.channel,
        status = excluded.status, lane = excluded.lane, outcome = excluded.outcome, issued_at = excluded.issued_at,
        arrived_at = excluded.arrived_at, first_called_at = excluded.first_called_at, ended_at = excluded.ended_at,
        first_call_seconds = excluded.first_call_seconds, first_estimate_seconds = excluded.first_estimate_seconds,
        wait_seconds = excluded.wait_seconds, walk_seconds = excluded.walk_seconds, serve_seconds = excluded.serve_seconds,
        version = excluded.version
    WHERE known.version < excluded.version
""")


def keep_facts(work: UnitOfWork, facts: Iterable[TicketFact]) -> None:
    """Put each fact in the place of its ticket's older one; a newer or equal one stays. At most one fact per ticket."""
    work.later(_KEEP_FACTS, {"facts": json.dumps([vars(fact) for fact in facts], default=str)})


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
