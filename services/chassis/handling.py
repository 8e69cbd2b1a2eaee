"""Handlings that did not end: how an event is found out that ends the process which handles it.

An exception is told; a process that dies tells nothing. So where an event may have ended a process before (the broker
hands it out again, it is fetched from the log, it is retried), a row says so before its handling begins, in a
transaction of its own, and goes away in the transaction with the handling's outcome. A row that is found is a death,
or somebody who is at it just now, whose claim the next one waits for. An event on its first way through the
broker costs nothing of this.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

MOST_BEGINNINGS = 3
"""Handlings that were begun for this event alone and never ended, after which it is given up."""

DEADLY = f"its handling ended the process, {MOST_BEGINNINGS + 1} times or more"

# Those that had been announced before are suspects: somebody died with them in hand.
_ANNOUNCE = sa.text("""
    WITH announced AS (
        INSERT INTO handling (consumer, source, sequence, begun)
        SELECT :consumer, :source, given, 0 FROM unnest(CAST(:sequences AS bigint[])) AS given
        ON CONFLICT (consumer, source, sequence) DO NOTHING
        RETURNING sequence
    )
    SELECT given FROM unnest(CAST(:sequences AS bigint[])) AS given
    WHERE given NOT IN (SELECT sequence FROM announced)
""")

_BEGIN = sa.text("""
    INSERT INTO handling AS h (consumer, source, sequence, begun) VALUES (:consumer, :source, :sequence, 1)
    ON CONFLICT (consumer, source, sequence) DO UPDATE SET begun = h.begun + 1
    RETURNING begun
""")

# What the database's absence stopped was not stopped by the event.
_TAKE_BACK = sa.text("""
    UPDATE handling SET begun = greatest(0, begun - 1)
    WHERE consumer = :consumer AND source = :source AND sequence = :sequence
""")

_END = sa.text("""
    DELETE FROM handling WHERE consumer = :consumer AND source = :source AND sequence = ANY(CAST(:sequences AS bigint[]))
""")


def announce(work: UnitOfWork, consumer: str, source: str, sequences: Sequence[int]) -> set[int]:
    """Say that these will be handled; return those of which that has been said before."""
    found = work.execute(_ANNOUNCE, {"consumer": consumer, "source": source, "sequences": list(sequences)})
    return set(found.scalars())


def begin(work: UnitOfWork, consumer: str, source: str, sequence: int) -> int:
    """Say that this one alone is being handled; return how often that has been said, this time included."""
    return int(work.execute(_BEGIN, {"consumer": consumer, "source": source, "sequence": sequence}).scalar_one())


def take_back(work: UnitOfWork, consumer: str, source: str, sequence: int) -> None:
    """Say that a handling which was begun ended for a reason that is not the event's."""
    work.execute(_TAKE_BACK, {"consumer": consumer, "source": source, "sequence": sequence})


def end(work: UnitOfWork, consumer: str, source: str, sequences: Sequence[int]) -> None:
    """Say that these handlings ended, in the transaction of their outcome."""
    work.later(_END, {"consumer": consumer, "source": source, "sequences": list(sequences)})
