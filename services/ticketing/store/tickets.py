"""Tickets as commands read, lock and change them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.chassis.database import UnitOfWork
from services.ticketing.domain import AT_COUNTER_STATES, OPEN_STATES, QueueRefusal, Ticket
from services.ticketing.store.tables import Row, columns_of, from_row, ticket, tickets_of

_INSERT_VISIT_AND_TICKET = sa.text("""
    WITH arrived AS (
        INSERT INTO visit (id, site, business_date, arrived_at)
        VALUES (CAST(:visit AS uuid), :site, :business_date, :arrived_at)
    )
    INSERT INTO ticket (id, visit, site, business_date, agency, service, prefix, number, channel, status,
        priority_class, arrived_at, issued_at, counter, recalls, returns, outcome, periods, version)
    VALUES (CAST(:id AS uuid), CAST(:visit AS uuid), :site, :business_date, :agency, :service, :prefix, :number, :channel,
        :status, :priority_class, :arrived_at, :issued_at, :counter, :recalls, :returns, :outcome, :periods, :version)
""").bindparams(sa.bindparam("periods", type_=JSONB))

_EXPIRED = sa.text("""
    SELECT count(*) FROM ticket WHERE site = :site AND business_date = :business_date AND status = 'expired'
""")

_ONE_AT_COUNTER = {f"ticket_{state}_at_counter" for state in AT_COUNTER_STATES}
"""The unique indexes that are the last guard of a counter."""

# A ticket that is not as it was when it was locked gets no version, which the table refuses.
_UPDATE = sa.text("""
    UPDATE ticket SET status = :status, counter = :counter, recalls = :recalls, returns = :returns, outcome = :outcome,
        periods = :periods, version = CASE version WHEN :version - 1 THEN :version END
    WHERE id = CAST(:id AS uuid)
""").bindparams(sa.bindparam("periods", type_=JSONB))

_LOCKED = tickets_of(sa.text("SELECT * FROM ticket WHERE id = CAST(:id AS uuid) FOR UPDATE"))

# One branch per state, so that each is answered by its unique index.
_OPEN_AT_COUNTER = tickets_of(
    sa.text("""
    SELECT false AS is_it, ticket.* FROM ticket WHERE counter = :counter AND status = 'called' UNION ALL
    SELECT false AS is_it, ticket.* FROM ticket WHERE counter = :counter AND status = 'serving'
""")
)
_LOCKED_AND_AT_ITS_COUNTER = tickets_of(
    sa.text("""
    WITH it AS (SELECT * FROM ticket WHERE id = CAST(:id AS uuid) FOR UPDATE)
    SELECT true AS is_it, it.* FROM it UNION ALL
    SELECT false AS is_it, ticket.* FROM ticket WHERE counter = (SELECT counter FROM it) AND status = 'called' UNION ALL
    SELECT false AS is_it, ticket.* FROM ticket WHERE counter = (SELECT counter FROM it) AND status = 'serving'
""")
)

# Who is next: the priority lane first, then arrival. The first of each service is found, and locked, in its own queue.
# Nobody once the day is closed, also while its tickets expire.
_NEXT_AND_AT_COUNTER = tickets_of(
    sa.text("""
    WITH it AS (
        SELECT first.* FROM jsonb_array_elements_text(CAST(:services AS jsonb)) AS offered(service) CROSS JOIN LATERAL (
            SELECT * FROM ticket
            WHERE status = 'waiting' AND site = :site AND business_date = :business_date AND ticket.service = offered.service
            ORDER BY priority_class IS NULL, arrived_at, number LIMIT 1 FOR UPDATE
        ) AS first
        WHERE EXISTS (SELECT FROM queue_day WHERE site = :site AND business_date = :business_date AND closed_at IS NULL)
        ORDER BY priority_class IS NULL, arrived_at, number LIMIT 1
    )
    SELECT true AS is_it, it.* FROM it UNION ALL
    SELECT false AS is_it, ticket.* FROM ticket WHERE counter = :counter AND status = 'called' UNION ALL
    SELECT false AS is_it, ticket.* FROM ticket WHERE counter = :counter AND status = 'serving'
    """)
)


def insert(work: UnitOfWork, new: Ticket) -> None:
    """Store a new visit with its first ticket."""
    work.later(_INSERT_VISIT_AND_TICKET, columns_of(new))


def update(work: UnitOfWork, new: Ticket) -> None:
    """Store what a command changes of a ticket that this transaction has locked.

    The transaction ends with :class:`QueueRefusal` ``counter_busy`` when a call of another day took the counter at the
    same moment, at midnight.
    """
    work.later(_UPDATE, columns_of(new), refused=partial(_refused, new.counter))


def _refused(counter: str | None, error: BaseException) -> Exception | None:
    if isinstance(error, psycopg.errors.UniqueViolation) and error.diag.constraint_name in _ONE_AT_COUNTER:
        return QueueRefusal("counter_busy", counter=counter)
    if isinstance(error, psycopg.errors.NotNullViolation) and error.diag.column_name == "version":
        return RuntimeError("a ticket was changed without having been locked")
    return None


def locked(work: UnitOfWork, ticket_id: str) -> Ticket | None:
    """Return a ticket and lock its row until the transaction ends."""
    return _first(work.execute(_LOCKED, {"id": ticket_id}).mappings().first())


def locked_and_at_its_counter(work: UnitOfWork, ticket_id: str) -> tuple[Ticket | None, list[Ticket]]:
    """Return a ticket, whose row is locked, and those called or serving at its counter, by number (they are not locked)."""
    return _split(work, _LOCKED_AND_AT_ITS_COUNTER, {"id": ticket_id})


def next_and_at_counter(
    work: UnitOfWork, site: str, business_date: date, services: Sequence[str], counter: str
) -> tuple[Ticket | None, list[Ticket]]:
    """Return who is next for any of these services, whose row is locked, and those called or serving at a counter.

    The latter of whatever day, by number; they are not locked. Nobody is next on a day that is closed.
    """
    wanted = {"site": site, "business_date": business_date, "services": json.dumps(list(services)), "counter": counter}
    return _split(work, _NEXT_AND_AT_COUNTER, wanted)


def open_at_counter(work: UnitOfWork, counter: str) -> list[Ticket]:
    """Return the tickets called or serving at a counter, of whatever day, by number; they are not locked."""
    return _split(work, _OPEN_AT_COUNTER, {"counter": counter})[1]


def open_tickets(work: UnitOfWork, site: str, business_date: date, limit: int) -> list[Ticket]:
    """Return up to ``limit`` tickets of a day that are still open, locked, in order of their numbers."""
    return _all(
        work,
        sa.select(ticket)
        .where(ticket.c.site == site, ticket.c.business_date == business_date, ticket.c.status.in_(sorted(OPEN_STATES)))
        .order_by(ticket.c.prefix, ticket.c.number)
        .limit(limit)
        .with_for_update(),
    )


def expired_count(work: UnitOfWork, site: str, business_date: date) -> int:
    """Return how many tickets of a day expired."""
    return int(work.execute(_EXPIRED, {"site": site, "business_date": business_date}).scalar_one())


def tickets_by_id(work: UnitOfWork, site: str | None, after: str | None, limit: int) -> list[Ticket]:
    """Return up to ``limit`` tickets of a site in the order of their ids, behind the id ``after``, of all days."""
    statement = sa.select(ticket).where(ticket.c.site == site).order_by(ticket.c.id).limit(limit)
    if after is not None:
        statement = statement.where(ticket.c.id > after)
    return _all(work, statement)


def _first(row: Row | None) -> Ticket | None:
    return None if row is None else from_row(row)


def _split(work: UnitOfWork, statement: sa.TextualSelect, parameters: dict[str, Any]) -> tuple[Ticket | None, list[Ticket]]:
    rows = work.execute(statement, parameters).mappings().all()
    others = sorted((from_row(row) for row in rows if not row["is_it"]), key=lambda ticket: (ticket.prefix, ticket.number))
    return _first(next((row for row in rows if row["is_it"]), None)), others


def _all(work: UnitOfWork, statement: sa.Select[Any]) -> list[Ticket]:
    return [from_row(row) for row in work.execute(statement).mappings()]
