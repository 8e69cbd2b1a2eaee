"""Tickets as commands read, lock and change them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.chassis.database import UnitOfWork
from services.ticketing.domain import AT_COUNTER_STATES, OPEN_STATES, QueueRefusal, Ticket
from services.ticketing.store.tables import Row, columns_of, from_row, ticket, tickets_of

_PERIODS = sa.bindparam("periods", type_=JSONB)
_INSERT_VISIT = sa.text("""
    INSERT INTO visit (id, site, business_date, arrived_at) VALUES (CAST(:visit AS uuid), :site, :business_date, :arrived_at)
""")
_INSERT_TICKET = sa.text("""
    INSERT INTO ticket (id, visit, site, business_date, agency, service, prefix, number, channel, status,
        priority_class, arrived_at, issued_at, recalls, returns, transferred_from, leg,
        first_estimate_seconds, periods, version)
    VALUES (CAST(:id AS uuid), CAST(:visit AS uuid), :site, :business_date, :agency, :service, :prefix, :number, :channel,
        :status, :priority_class, :arrived_at, :issued_at, 0, 0, CAST(:transferred_from AS uuid), :leg,
        :first_estimate_seconds, :periods, :version)
""").bindparams(_PERIODS)

_PRINTING = sa.text("""
    SELECT CAST(id AS text) AS id, issued_at FROM ticket WHERE status = 'printing' ORDER BY issued_at LIMIT :limit
""")
_EXPIRED = sa.text("""
    SELECT count(*) FROM ticket WHERE site = :site AND business_date = :business_date AND status = 'expired'
""")

_ONE_AT_COUNTER = {f"ticket_{state}_at_counter" for state in AT_COUNTER_STATES}
"""The unique indexes that are the last guard of a counter."""

# A ticket that is not as it was when it was locked gets no version, which the table refuses.
_UPDATE = sa.text("""
    UPDATE ticket SET status = :status, counter = :counter, priority_class = :priority_class, turn_at = :turn_at,
        recalls = :recalls, last_called_at = :last_called_at, returns = :returns, outcome = :outcome,
        collect_on = :collect_on, transferred_to = CAST(:transferred_to AS uuid),
        first_estimate_seconds = coalesce(first_estimate_seconds, :first_estimate_seconds),
        periods = :periods, version = CASE version WHEN :version - 1 THEN :version END
    WHERE id = CAST(:id AS uuid)
""").bindparams(_PERIODS)

_LOCKED = tickets_of(sa.text("SELECT * FROM ticket WHERE id = CAST(:id AS uuid) FOR UPDATE"))

# The day's row first, then the ticket's, like every call: the lock of a row that is read is taken when it is found.
_LOCK_DAY_OF = sa.text("""
    SELECT FROM queue_day JOIN ticket USING (site, business_date) WHERE ticket.id = CAST(:id AS uuid) FOR UPDATE OF queue_day
""")
_LOCK_DAY_OF_LEG = sa.text("""
    SELECT FROM queue_day JOIN ticket USING (site, business_date)
    WHERE ticket.id = CAST(:id AS uuid) AND ticket.leg IS NOT NULL FOR UPDATE OF queue_day
""")
_LEGS = tickets_of(sa.text("SELECT * FROM ticket WHERE visit = CAST(:visit AS uuid) AND leg IS NOT NULL ORDER BY leg, number FOR UPDATE"))
_LOCKED_WITH_DAY = tickets_of(
    sa.text("""
    SELECT ticket.*, (
        SELECT closed_at FROM queue_day WHERE site = ticket.site AND business_date = ticket.business_date
    ) AS day_closed_at
    FROM ticket WHERE id = CAST(:id AS uuid) FOR UPDATE OF ticket
""")
)
# Of all tickets of the day, also of those that are called at the moment and may come back: no turn is given twice.
_FIRST_TURN = sa.text("""
    SELECT min(coalesce(turn_at, arrived_at)) FROM ticket WHERE site = :site AND business_date = :business_date
""")
_OF_ONE_VISIT = sa.text("""
    SELECT count(*) = 2 AND count(DISTINCT visit) = 1 FROM ticket WHERE id IN (CAST(:id AS uuid), CAST(:other AS uuid))
""")

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
            ORDER BY priority_class IS NULL, coalesce(turn_at, arrived_at), number LIMIT 1 FOR UPDATE
        ) AS first
        WHERE EXISTS (SELECT FROM queue_day WHERE site = :site AND business_date = :business_date AND closed_at IS NULL)
        ORDER BY priority_class IS NULL, coalesce(turn_at, arrived_at), number LIMIT 1
    )
    SELECT true AS is_it, it.* FROM it UNION ALL
    SELECT false AS is_it, ticket.* FROM ticket WHERE counter = :counter AND status = 'called' UNION ALL
    SELECT false AS is_it, ticket.* FROM ticket WHERE counter = :counter AND status = 'serving'
    """)
)

# The first of either lane, and how many regular tickets the counter has called since its last priority call.
_FIRST_OF_LANES_AND_AT_COUNTER = tickets_of(
    sa.text("""
    WITH day AS (
        SELECT CAST(regular_calls->>:counter AS integer) AS regular_calls FROM queue_day
        WHERE site = :site AND business_date = :business_date AND closed_at IS NULL
    ), priority AS (
        SELECT first.* FROM jsonb_array_elements_text(CAST(:services AS jsonb)) AS offered(service) CROSS JOIN LATERAL (
            SELECT * FROM ticket
            WHERE status = 'waiting' AND site = :site AND business_date = :business_date AND ticket.service = offered.service
              AND priority_class IS NOT NULL
            ORDER BY priority_class IS NULL, coalesce(turn_at, arrived_at), number LIMIT 1 FOR UPDATE
        ) AS first
        WHERE EXISTS (SELECT FROM day)
        ORDER BY coalesce(turn_at, arrived_at), number LIMIT 1
    ), regular AS (
        SELECT first.* FROM jsonb_array_elements_text(CAST(:services AS jsonb)) AS offered(service) CROSS JOIN LATERAL (
            SELECT * FROM ticket
            WHERE status = 'waiting' AND site = :site AND business_date = :business_date AND ticket.service = offered.service
              AND priority_class IS NULL
            ORDER BY priority_class IS NULL, coalesce(turn_at, arrived_at), number LIMIT 1 FOR UPDATE
        ) AS first
        WHERE EXISTS (SELECT FROM day)
        ORDER BY coalesce(turn_at, arrived_at), number LIMIT 1
    )
    SELECT 'priority' AS part, day.regular_calls, priority.* FROM priority, day UNION ALL
    SELECT 'regular' AS part, day.regular_calls, regular.* FROM regular, day UNION ALL
    SELECT 'counter' AS part, NULL, ticket.* FROM ticket WHERE counter = :counter AND status = 'called' UNION ALL
    SELECT 'counter' AS part, NULL, ticket.* FROM ticket WHERE counter = :counter AND status = 'serving'
    """)
)


@dataclass(frozen=True)
class Heads:
    """Who could be called next to a counter, both locked, and whom the counter has now."""

    priority: Ticket | None
    regular: Ticket | None
    regular_calls: int | None
    """How many regular tickets the counter has called since its last priority call; ``None``: it has not called yet."""
    at_counter: list[Ticket]
    """Called or serving there, of whatever day, by number; not locked."""


def insert(work: UnitOfWork, new: Ticket) -> None:
    """Store a new visit with its first ticket."""
    work.later(_INSERT_VISIT, {name: getattr(new, name) for name in ("visit", "site", "business_date", "arrived_at")})
    insert_next(work, new)


def insert_next(work: UnitOfWork, new: Ticket) -> None:
    """Store a further ticket of a visit."""
    work.later(_INSERT_TICKET, columns_of(new))


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


def locked_with_day(work: UnitOfWork, ticket_id: str) -> tuple[Ticket, datetime | None] | None:
    """Return a ticket and when its day was closed, if it was; the day's row is locked, and then the ticket's."""
    work.later(_LOCK_DAY_OF, {"id": ticket_id})
    row = work.execute(_LOCKED_WITH_DAY, {"id": ticket_id}).mappings().first()
    return None if row is None else (from_row(row), row["day_closed_at"])


def lock_day_of_leg(work: UnitOfWork, ticket_id: str) -> None:
    """Lock the day of a ticket before the next statement, if it is a leg: its end may let another one wait."""
    work.later(_LOCK_DAY_OF_LEG, {"id": ticket_id})


def legs(work: UnitOfWork, visit: str) -> list[Ticket]:
    """Return the legs of a visit, locked, in their order; none for a visit to one public service."""
    return [from_row(row) for row in work.execute(_LEGS, {"visit": visit}).mappings()]


def first_turn(work: UnitOfWork, site: str, business_date: date) -> datetime:
    """Return the first turn that a ticket of the site and day has; there is one at least."""
    turn: datetime = work.execute(_FIRST_TURN, {"site": site, "business_date": business_date}).scalar_one()
    return turn


def of_one_visit(work: UnitOfWork, ticket_id: str, other: str) -> bool:
    """Whether two different tickets belong to the same visit."""
    return bool(work.execute(_OF_ONE_VISIT, {"id": ticket_id, "other": other}).scalar_one())


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


def heads_and_at_counter(work: UnitOfWork, site: str, business_date: date, services: Sequence[str], counter: str) -> Heads:
    """Return the first of either lane who waits for any of these services. Nobody is next on a day that is closed."""
    wanted = {"site": site, "business_date": business_date, "services": json.dumps(list(services)), "counter": counter}
    rows = work.execute(_FIRST_OF_LANES_AND_AT_COUNTER, wanted).mappings().all()
    first = {row["part"]: from_row(row) for row in rows if row["part"] != "counter"}
    at_counter = _by_number(from_row(row) for row in rows if row["part"] == "counter")
    regular_calls = next((row["regular_calls"] for row in rows if row["part"] != "counter"), None)
    return Heads(first.get("priority"), first.get("regular"), regular_calls, at_counter)


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


def printing(work: UnitOfWork, limit: int) -> dict[str, datetime]:
    """Return up to ``limit`` tickets of the regency whose slips are being printed, the earliest first: when each was issued."""
    return {row.id: row.issued_at for row in work.execute(_PRINTING, {"limit": limit})}


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
    others = _by_number(from_row(row) for row in rows if not row["is_it"])
    return _first(next((row for row in rows if row["is_it"]), None)), others


def _by_number(tickets: Iterable[Ticket]) -> list[Ticket]:
    return sorted(tickets, key=lambda ticket: (ticket.prefix, ticket.number))


def _all(work: UnitOfWork, statement: sa.Select[Any]) -> list[Ticket]:
    return [from_row(row) for row in work.execute(statement).mappings()]
