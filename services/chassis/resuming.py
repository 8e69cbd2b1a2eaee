"""Streams and their consumers after a regency was set back to an earlier moment.

What was published after that moment cannot be called back: it lies in queues, and readers outside know it. So no number
is given twice: every stream leaps ahead, and every consumer of ours is put behind the leap, where nothing of the lost
history can reach it any more. What a consumer had not handled when its state was kept is handed to it as an event to
be tried again, which needs no number. Readers outside meet a hole that the log does not fill, and know that they have to
ask for the state of now.

All functions work in an open transaction whose search path is the regency's new schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from services.chassis.events import Envelope

LEAP = 1_000_000
"""More than a site publishes in a year, so that it leaps over numbers that were given after the newest backup, even where
nobody can be asked any more how many these were."""

MOST_HANDED_ON = 10_000
"""With more than so many events to hand on, making the consumer's projections again is quicker."""

_HEADS = sa.text("SELECT source, sequence FROM stream")

_USED = sa.text("""
    SELECT source, max(sequence) AS sequence FROM (
        SELECT source, sequence FROM platform.stream_head WHERE regency = :regency
        UNION ALL SELECT source, sequence FROM platform.outbox WHERE regency = :regency
    ) AS known GROUP BY source
""")

_SET_HEADS = sa.text("""
    INSERT INTO stream (source, sequence) SELECT source, sequence FROM jsonb_to_recordset(CAST(:heads AS jsonb))
        AS given(source text, sequence bigint)
    ON CONFLICT (source) DO UPDATE SET sequence = excluded.sequence
""")

_FORGET_OUTBOX = sa.text("DELETE FROM platform.outbox WHERE regency = :regency")
_FORGET_HEADS = sa.text("DELETE FROM platform.stream_head WHERE regency = :regency")
_TELL_HEADS = sa.text(
    "INSERT INTO platform.stream_head (regency, source, sequence) SELECT :regency, source, sequence FROM stream ON CONFLICT DO NOTHING"
)

_MARK = sa.text("SELECT sequence FROM stream_mark WHERE consumer = :consumer AND source = :source")
_EARLY = sa.text("SELECT sequence FROM inbox WHERE consumer = :consumer AND source = :source AND sequence > :mark")

_READ_LOG = sa.text("""
    SELECT source, sequence, id, type, subject, time, data, traceparent FROM event_log
    WHERE source = :source AND sequence > :after ORDER BY sequence LIMIT :limit
""")

_HAND_ON = sa.text("""
    INSERT INTO inbox (consumer, source, sequence, event_id, type, status, received_at, next_attempt_at, reason, payload, replayed)
    SELECT :consumer, :source, :sequence, CAST(:event_id AS uuid), :type, 'failed', :now, :now, 'restored', CAST(:payload AS jsonb),
        :sequence <= m.replay_until AND :sequence <> ALL(m.replay_failed) OR :sequence = ANY(m.replay_early)
    FROM (SELECT 1) AS one LEFT JOIN stream_mark m ON m.consumer = :consumer AND m.source = :source
""")

_SET_MARK = sa.text("""
    INSERT INTO stream_mark (consumer, source, sequence) VALUES (:consumer, :source, :sequence)
    ON CONFLICT (consumer, source) DO UPDATE SET sequence = excluded.sequence
""")

# Who reads a snapshot of before must not move the marks of after.
_NEXT_NUMBER = sa.text("""
    INSERT INTO rebuild AS known (consumer, number, begun_at) VALUES (:consumer, :number, :now)
    ON CONFLICT (consumer) DO UPDATE SET number = greatest(known.number + 1, excluded.number), begun_at = excluded.begun_at
""")


@dataclass(frozen=True)
class Leap:
    """A stream: the last number that its history holds, and the one behind which it goes on."""

    last: int
    goes_on_behind: int


def leap(connection: Connection, regency: str, given: Mapping[str, int]) -> dict[str, Leap]:
    """Let every stream go on behind all numbers that were ever given; nothing of the lost history is published any more.

    :param given: the last number of each stream in the schema that is replaced, also of streams that did not exist yet.
    """
    history = {row.source: row.sequence for row in connection.execute(_HEADS)}
    used = {row.source: row.sequence for row in connection.execute(_USED, {"regency": regency})}
    leaps = {
        source: Leap(history.get(source, 0), max(history.get(source, 0), given.get(source, 0), used.get(source, 0)) + LEAP)
        for source in sorted({*history, *given, *used})
    }
    rows = [{"source": source, "sequence": each.goes_on_behind} for source, each in leaps.items()]
    connection.execute(_SET_HEADS, {"heads": json.dumps(rows)})
    for statement in (_FORGET_OUTBOX, _FORGET_HEADS, _TELL_HEADS):
        connection.execute(statement, {"regency": regency})
    return leaps


def unhandled(consumer: str, connection: Connection, owner: Connection, regency: str, source: str, leap: Leap) -> list[Envelope] | None:
    """Return what a consumer had not handled of a stream; ``None``: too much, or the owner's log does not hold all of it.

    :param owner: the transaction of the service that writes the stream.
    """
    key = {"consumer": consumer, "source": source}
    mark = connection.execute(_MARK, key).scalar_one_or_none() or 0
    early = set(connection.execute(_EARLY, {**key, "mark": mark}).scalars())
    if leap.last - mark - len(early) > MOST_HANDED_ON:
        return None
    rows = owner.execute(_READ_LOG, {"source": source, "after": mark, "limit": leap.last - mark}).all()
    events = [_envelope(row, regency) for row in rows if row.sequence not in early]
    return events if len(events) + len(early) == leap.last - mark else None


def put_behind(connection: Connection, consumer: str, source: str, leap: Leap, events: Iterable[Envelope]) -> None:
    """Let a consumer go on behind the leap, with these events still to be handled."""
    now = datetime.now(UTC)
    for event in events:
        row = {"sequence": event.sequence, "event_id": event.id, "type": event.type, "payload": json.dumps(event.to_cloudevent())}
        connection.execute(_HAND_ON, {"consumer": consumer, "source": source, "now": now, **row})
    connection.execute(_SET_MARK, {"consumer": consumer, "source": source, "sequence": leap.goes_on_behind})


def invalidate_snapshots(connection: Connection, consumer: str, number: int) -> None:
    """Let no snapshot that is being applied count.

    :param number: of the consumer's rebuilds in the schema that is replaced.
    """
    connection.execute(_NEXT_NUMBER, {"consumer": consumer, "number": number + 1, "now": datetime.now(UTC)})


def _envelope(row: Any, regency: str) -> Envelope:
    return Envelope(
        id=str(row.id),
        source=row.source,
        type=row.type,
        subject=row.subject,
        time=row.time,
        regency=regency,
        sequence=row.sequence,
        data=row.data,
        traceparent=row.traceparent,
    )
