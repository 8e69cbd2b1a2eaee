"""How far a consumer has come: per stream the contiguous *mark*, and above it, in the inbox, what arrived early."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.chassis.inbox_rows import enter

KEEP_HANDLED = timedelta(minutes=10)
"""Handled rows below the mark are kept this long, so that a statement that began before the mark moved still
meets the row (the claim reads mark and row in one snapshot)."""

# The mark moves to the end of the run that starts right after it. Dropped and dead events count as arrived. Below the
# mark lie minutes of handled rows, above it hardly any: so each stream is looked at from its mark on, and the streams
# themselves are found by leaping from one to the next in the key.
_ADVANCE = sa.text("""
    WITH RECURSIVE streams AS (
        SELECT min(source) AS source FROM inbox WHERE consumer = :consumer
        UNION ALL
        SELECT (SELECT min(i.source) FROM inbox i WHERE i.consumer = :consumer AND i.source > streams.source)
        FROM streams WHERE streams.source IS NOT NULL
    ), marks AS (
        SELECT source, sequence FROM stream_mark WHERE consumer = :consumer
    ), arrived AS (
        SELECT s.source, i.sequence, coalesce(m.sequence, 0) AS mark,
               row_number() OVER (PARTITION BY s.source ORDER BY i.sequence) AS place
        FROM streams s LEFT JOIN marks m USING (source)
        CROSS JOIN LATERAL (
            SELECT sequence FROM inbox
            WHERE consumer = :consumer AND source = s.source AND sequence > coalesce(m.sequence, 0) OFFSET 0
        ) i
    ), contiguous AS (
        SELECT source, max(sequence) AS sequence FROM arrived WHERE sequence = mark + place GROUP BY source
    ), moved AS (
        INSERT INTO stream_mark AS m (consumer, source, sequence)
        SELECT :consumer, source, sequence FROM contiguous ORDER BY source
        ON CONFLICT (consumer, source) DO UPDATE SET sequence = greatest(m.sequence, excluded.sequence)
        RETURNING source, sequence
    ), highest AS (
        SELECT source, max(sequence) AS sequence FROM arrived GROUP BY source
    )
    SELECT source, coalesce(moved.sequence, marks.sequence) AS mark, highest.sequence AS highest
    FROM marks FULL JOIN moved USING (source) FULL JOIN highest USING (source)
""")

# Snapshot items that failed and were handled since have numbers below zero, below every mark.
_PURGE = sa.text("""
    WITH ended AS (
        DELETE FROM handling h USING stream_mark m
        WHERE h.consumer = :consumer AND m.consumer = h.consumer AND m.source = h.source
          AND h.sequence BETWEEN 1 AND m.sequence
    )
    DELETE FROM inbox i USING stream_mark m
    WHERE i.consumer = :consumer AND m.consumer = i.consumer AND m.source = i.source
      AND i.sequence <= m.sequence AND i.status = 'handled' AND i.received_at < :before
""")

_STANDING = sa.text("""
    WITH mark AS (
        SELECT coalesce(max(sequence), 0) AS sequence FROM stream_mark WHERE consumer = :consumer AND source = :source
    )
    SELECT mark.sequence AS mark, coalesce(max(r.number), 0) AS rebuild, (
        SELECT count(*) FROM inbox i WHERE i.consumer = :consumer AND i.source = :source
            AND i.sequence > greatest(mark.sequence, :after) AND i.sequence <= :cut
    ) AS early
    FROM mark LEFT JOIN rebuild r ON r.consumer = :consumer GROUP BY mark.sequence
""")

_MOVE = sa.text("""
    INSERT INTO stream_mark AS m (consumer, source, sequence)
    SELECT :consumer, :source, :sequence
    WHERE coalesce((SELECT number FROM rebuild WHERE consumer = :consumer), 0) = :rebuild
    ON CONFLICT (consumer, source) DO UPDATE SET sequence = greatest(m.sequence, excluded.sequence)
    RETURNING sequence
""")

_ALL_MARKS = sa.text("SELECT consumer, source, sequence FROM stream_mark ORDER BY consumer, source")


@dataclass(frozen=True)
class Standing:
    """Where a consumer stands before a piece that its owner's log lacks."""

    mark: int
    rebuild: int
    """How often its projections were emptied (:func:`move` heeds it)."""
    arrived: bool
    """Whether it has the whole piece already."""


def advance(work: UnitOfWork, consumer: str) -> tuple[dict[str, int], dict[str, int]]:
    """Move the marks of a consumer in one regency as far as events arrived; return all marks, and what arrived above them."""
    reached = work.execute(_ADVANCE, {"consumer": consumer}).all()
    marks = {row.source: row.mark for row in reached if row.mark is not None}
    early = {row.source: row.highest for row in reached if row.highest is not None and row.highest > marks.get(row.source, 0)}
    return marks, early


def forget_handled(work: UnitOfWork, consumer: str) -> None:
    """Delete what was handled a while ago and lies below the marks."""
    work.later(_PURGE, {"consumer": consumer, "before": work.now - KEEP_HANDLED})


def standing(work: UnitOfWork, consumer: str, source: str, after: int, cut: int) -> Standing:
    """Return where a consumer stands that has read a log up to ``after`` and lacks what follows, up to ``cut``."""
    row = work.execute(_STANDING, {"consumer": consumer, "source": source, "after": after, "cut": cut}).one()
    return Standing(row.mark, row.rebuild, row.early >= cut - max(row.mark, after))


def move(work: UnitOfWork, consumer: str, source: str, sequence: int, rebuild: int) -> bool:
    """Move a mark behind what a snapshot has brought; ``False`` when the projections were emptied meanwhile."""
    enter(work)
    key = {"consumer": consumer, "source": source, "sequence": sequence, "rebuild": rebuild}
    return work.execute(_MOVE, key).first() is not None


def stream_marks(work: UnitOfWork) -> list[dict[str, Any]]:
    """Return how far each consumer of this service has come in this regency."""
    return [dict(row) for row in work.execute(_ALL_MARKS).mappings()]
