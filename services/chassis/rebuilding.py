"""Making projections again: emptied together with the marks of their consumer, they fill by themselves.

A projection holds nothing but what its consumer was told. In one transaction its tables are emptied, the marks are
forgotten, and what was handled until then is remembered as *replayed*: its handlers fill tables when it comes again, but
nobody is told anything twice. The running service then finds itself behind the owners' heads and catches up, from log
or snapshot. A process that dies in between changes nothing about that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.chassis import marks
from services.chassis.database import UnitOfWork

EMPTYING_SECONDS = 300.0
"""For emptying the tables of one regency; the consumer waits meanwhile, and nobody else."""

WAITING_SECONDS = 10.0
"""For the handlings under way to end. New ones queue up behind."""

# Whoever handles an event, moves a mark or applies a snapshot holds a weaker lock on one of them until it commits.
_LOCK = sa.text("LOCK TABLE stream_mark, inbox IN EXCLUSIVE MODE")

_REMEMBER = sa.text("""
    WITH known AS (
        SELECT consumer, source, sequence, status FROM inbox WHERE consumer = ANY(CAST(:consumers AS text[])) AND sequence > 0
        UNION ALL
        SELECT consumer, source, 0, 'mark' FROM stream_mark WHERE consumer = ANY(CAST(:consumers AS text[]))
    )
    INSERT INTO stream_mark AS m (consumer, source, sequence, replay_until, replay_failed, replay_early)
    SELECT k.consumer, k.source, 0, coalesce(max(m.sequence), 0),
        coalesce(array_agg(k.sequence) FILTER (WHERE k.status IN ('failed', 'dead')), '{}'),
        coalesce(array_agg(k.sequence) FILTER (WHERE k.sequence > coalesce(m.sequence, 0) AND k.status = 'handled'), '{}')
    FROM known k LEFT JOIN stream_mark m ON m.consumer = k.consumer AND m.source = k.source
    GROUP BY k.consumer, k.source
    ON CONFLICT (consumer, source) DO UPDATE SET
        sequence = 0,
        replay_until = greatest(m.replay_until, excluded.replay_until),
        replay_early = coalesce(m.replay_early, '{}') || excluded.replay_early,
        replay_failed = excluded.replay_failed || ARRAY(
            SELECT f FROM unnest(m.replay_failed) AS f WHERE f > excluded.replay_until AND f <> ALL(excluded.replay_early)
        )
""")
_NUMBER = sa.text("""
    INSERT INTO rebuild AS known (consumer, number, begun_at)
    SELECT given, 1, :now FROM unnest(CAST(:consumers AS text[])) AS given
    ON CONFLICT (consumer) DO UPDATE SET number = known.number + 1, begun_at = excluded.begun_at
""")
_FORGET_HANDLINGS = sa.text("DELETE FROM handling WHERE consumer = ANY(CAST(:consumers AS text[]))")
# What an operator gave up for good stays given up.
_FORGET_INBOX = sa.text("DELETE FROM inbox WHERE consumer = ANY(CAST(:consumers AS text[])) AND status <> 'dropped'")

_BEHIND = sa.text("SELECT 1 FROM stream_mark WHERE consumer = ANY(CAST(:consumers AS text[])) AND sequence < replay_until LIMIT 1")
_TROUBLE = sa.text("""
    SELECT count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'dead') AS dead FROM inbox
    WHERE consumer = ANY(CAST(:consumers AS text[]))
""")
_ARRIVED = sa.text("""
    SELECT i.consumer, i.source, count(*) AS early FROM inbox i
    LEFT JOIN stream_mark m ON m.consumer = i.consumer AND m.source = i.source
    WHERE i.consumer = ANY(CAST(:consumers AS text[])) AND i.sequence > coalesce(m.sequence, 0) GROUP BY i.consumer, i.source
""")

Projections = Mapping[str, Sequence[sa.Table]]
"""Consumer -> the tables that hold nothing but what it was told."""


@dataclass(frozen=True)
class Progress:
    """How far a rebuild has come in one regency."""

    handled: int
    wanted: int
    failed: int
    dead: int
    behind: int
    """Streams that have not reached their owner's head."""

    @property
    def caught_up(self) -> bool:
        """Whether every stream has reached the head that it had when it was asked for."""
        return self.behind == 0


def reset(work: UnitOfWork, projections: Projections) -> int:
    """Empty projections and forget how far their consumers had come; return how many rows were removed.

    :raises Blocked: handlings under way did not end in time; nothing was changed.
    """
    consumers = {"consumers": sorted(projections)}
    work.execute(_LOCK)
    work.execute(_REMEMBER, consumers)
    work.execute(_NUMBER, {**consumers, "now": work.now})
    for forget in (_FORGET_HANDLINGS, _FORGET_INBOX):
        work.execute(forget, consumers)
    tables = {table.name: table for each in projections.values() for table in each}
    return sum(work.execute(sa.delete(table)).rowcount for table in tables.values())


def unfinished(work: UnitOfWork, projections: Projections) -> bool:
    """Whether a rebuild was begun that has not come to where it had been before."""
    return work.execute(_BEHIND, {"consumers": sorted(projections)}).first() is not None


def progress(work: UnitOfWork, projections: Projections, heads: Iterable[Mapping[str, Any]]) -> Progress:
    """Compare how far the consumers have come with their owners' heads.

    :param heads: ``{consumer, source, sequence}`` of all streams of the regency.
    """
    consumers = {"consumers": sorted(projections)}
    known = {(row["consumer"], row["source"]): row["sequence"] for row in marks.stream_marks(work)}
    early = {(row.consumer, row.source): row.early for row in work.execute(_ARRIVED, consumers)}
    trouble = work.execute(_TROUBLE, consumers).one()
    handled = wanted = behind = 0
    for head in heads:
        stream = (head["consumer"], head["source"])
        wanted += head["sequence"]
        handled += min(head["sequence"], known.get(stream, 0) + early.get(stream, 0))
        behind += known.get(stream, 0) < head["sequence"]
    return Progress(handled, wanted, trouble.failed, trouble.dead, behind)
