"""Tickets as commands read, lock and change them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from services.chassis.database import UnitOfWork
from services.ticketing.domain import AT_COUNTER_STATES, OPEN_STATES, QueueRefusal, Ticket
from services.ticketing.store.tables import columns_of, from_row, periods_of, ticket

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


def insert(work: UnitOfWork, new: Ticket) -> None:
    """Store a new visit with its first ticket."""
    work.execute(_INSERT_VISIT_AND_TICKET, columns_of(new))


def update(work: UnitOfWork, new: Ticket) -> None:
    """Store what a command changes of a ticket that this transaction has locked.

    :raises QueueRefusal: ``counter_busy`` when a call of another day took the counter at the same moment, at midnight.
    """
    statement = (
        sa.update(ticket)
        .where(ticket.c.id == new.id, ticket.c.version == new.version - 1)
        .values(
            status=new.status,
            counter=new.counter,
            recalls=new.recalls,
            returns=new.returns,
            outcome=new.outcome,
            periods=periods_of(new),
            version=new.version,
        )
    )
    try:
        stored = work.execute(statement).rowcount
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) in _ONE_AT_COUNTER:
            raise QueueRefusal("counter_busy", counter=new.counter) from error
        raise
    if stored != 1:
        raise RuntimeError("a ticket was changed without having been locked")


def locked(work: UnitOfWork, ticket_id: str) -> Ticket | None:
    """Return a ticket and lock its row until the transaction ends."""
    return _first(work, sa.select(ticket).where(ticket.c.id == ticket_id).with_for_update())


def next_waiting(work: UnitOfWork, site: str, business_date: date, services: Sequence[str]) -> Ticket | None:
    """Return who is next for any of these services, and lock the row: priority lane first, then arrival."""
    return _first(
        work,
        sa.select(ticket)
        .where(
            ticket.c.status == "waiting",
            ticket.c.site == site,
            ticket.c.business_date == business_date,
            ticket.c.service.in_(services),
        )
        .order_by(ticket.c.priority_class.is_(None), ticket.c.arrived_at, ticket.c.number)
        .limit(1)
        .with_for_update(),
    )


def open_at_counter(work: UnitOfWork, counter: str) -> list[Ticket]:
    """Return the tickets called or serving at a counter, of whatever day, by number; they are not locked."""
    # One condition per state, so that each is answered by its unique index.
    either = sa.or_(*(sa.and_(ticket.c.counter == counter, ticket.c.status == state) for state in sorted(AT_COUNTER_STATES)))
    return _all(work, sa.select(ticket).where(either).order_by(ticket.c.prefix, ticket.c.number))


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


def _first(work: UnitOfWork, statement: sa.Select[Any]) -> Ticket | None:
    row = work.execute(statement).mappings().first()
    return None if row is None else from_row(row)


def _all(work: UnitOfWork, statement: sa.Select[Any]) -> list[Ticket]:
    return [from_row(row) for row in work.execute(statement).mappings()]
