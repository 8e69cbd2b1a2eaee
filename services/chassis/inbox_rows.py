"""The inbox's table: one row per event and consumer until the mark has passed it, longer for what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.chassis.events import Envelope

# Nothing is inserted when the mark has passed the event or a row is there already.
_CLAIM = sa.text("""
    INSERT INTO inbox (consumer, source, sequence, event_id, type, status, received_at)
    SELECT :consumer, :source, :sequence, CAST(:event_id AS uuid), :type, 'handled', :now
    WHERE NOT EXISTS (
        SELECT 1 FROM stream_mark WHERE consumer = :consumer AND source = :source AND sequence >= :sequence
    )
    ON CONFLICT (consumer, source, sequence) DO NOTHING
    RETURNING (
        SELECT :sequence <= replay_until AND :sequence <> ALL(replay_failed) OR :sequence = ANY(replay_early)
        FROM stream_mark WHERE consumer = :consumer AND source = :source
    ) AS replayed
""")

_CLAIM_BEGUN = sa.text("""
    WITH ended AS (
        DELETE FROM handling WHERE consumer = :consumer AND source = :source AND sequence = :sequence
    )
    INSERT INTO inbox (consumer, source, sequence, event_id, type, status, received_at)
    SELECT :consumer, :source, :sequence, CAST(:event_id AS uuid), :type, 'handled', :now
    WHERE NOT EXISTS (
        SELECT 1 FROM stream_mark WHERE consumer = :consumer AND source = :source AND sequence >= :sequence
    )
    ON CONFLICT (consumer, source, sequence) DO NOTHING
    RETURNING (
        SELECT :sequence <= replay_until AND :sequence <> ALL(replay_failed) OR :sequence = ANY(replay_early)
        FROM stream_mark WHERE consumer = :consumer AND source = :source
    ) AS replayed
""")

# In order of the key, so that two who claim the same events wait for each other one way only.
_CLAIM_ALL = sa.text("""
    WITH given AS (
        SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:sequences AS bigint[]), CAST(:event_ids AS uuid[]), CAST(:types AS text[]))
            AS given(source, sequence, event_id, type)
    )
    INSERT INTO inbox (consumer, source, sequence, event_id, type, status, received_at)
    SELECT :consumer, source, sequence, event_id, type, 'handled', :now FROM given
    WHERE NOT EXISTS (
        SELECT 1 FROM stream_mark m WHERE m.consumer = :consumer AND m.source = given.source AND m.sequence >= given.sequence
    )
    ORDER BY source, sequence
    ON CONFLICT (consumer, source, sequence) DO NOTHING
    RETURNING source, sequence, (
        SELECT inbox.sequence <= m.replay_until AND inbox.sequence <> ALL(m.replay_failed) OR inbox.sequence = ANY(m.replay_early)
        FROM stream_mark m WHERE m.consumer = inbox.consumer AND m.source = inbox.source
    ) AS replayed
""")

# Items of a snapshot have numbers below zero and are no news. One that failed before and was handled since may fail
# anew, in a newer state; an event has one state.
_PUT_ASIDE = sa.text("""
    WITH ended AS (
        DELETE FROM handling WHERE consumer = :consumer AND source = :source AND sequence = :sequence
    )
    INSERT INTO inbox AS known (consumer, source, sequence, event_id, type, status, received_at,
                                attempts, next_attempt_at, reason, payload, replayed)
    SELECT :consumer, :source, :sequence, CAST(:event_id AS uuid), :type, :status, :now,
        1, :next_attempt_at, :reason, CAST(:payload AS jsonb), :sequence < 0
            OR :sequence <= m.replay_until AND :sequence <> ALL(m.replay_failed) OR :sequence = ANY(m.replay_early)
    FROM (SELECT 1) AS one LEFT JOIN stream_mark m ON m.consumer = :consumer AND m.source = :source
    WHERE :sequence < 0 OR coalesce(m.sequence, 0) < :sequence
    ON CONFLICT (consumer, source, sequence) DO UPDATE
        SET status = excluded.status, received_at = excluded.received_at, attempts = excluded.attempts,
            next_attempt_at = excluded.next_attempt_at, reason = excluded.reason, payload = excluded.payload
        WHERE known.sequence < 0 AND known.status <> 'dropped'
    RETURNING sequence
""")

# Pushed into the future, so that no other replica begins it meanwhile.
_LEASE = sa.text("""
    WITH due AS (
        SELECT source, sequence, next_attempt_at FROM inbox
        WHERE consumer = :consumer AND status = 'failed' AND next_attempt_at <= :now
        ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE inbox i SET next_attempt_at = :until FROM due
    WHERE i.consumer = :consumer AND i.source = due.source AND i.sequence = due.sequence
    RETURNING i.source, i.sequence, i.attempts, i.payload, i.replayed, due.next_attempt_at AS was_due_at
""")

_GIVE_BACK = sa.text("""
    UPDATE inbox SET next_attempt_at = :was_due_at
    WHERE consumer = :consumer AND source = :source AND sequence = :sequence AND status = 'failed'
""")

_STILL_FAILED = sa.text("""
    SELECT 1 FROM inbox WHERE consumer = :consumer AND source = :source AND sequence = :sequence AND status = 'failed'
    FOR UPDATE
""")

_LEFT = sa.text("""
    SELECT count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'dead') AS dead
    FROM inbox WHERE consumer = :consumer AND status IN ('failed', 'dead')
""")

_SETTLE = sa.text("""
    UPDATE inbox SET status = :status, attempts = :attempts, next_attempt_at = :next_attempt_at, reason = :reason,
        payload = CASE WHEN :status = 'handled' THEN NULL ELSE payload END
    WHERE consumer = :consumer AND source = :source AND sequence = :sequence
""")

_ENTER = sa.text("LOCK TABLE inbox IN ROW EXCLUSIVE MODE")


def key_of(item: Envelope) -> int:
    """Return the number under which an item of a snapshot is kept when it fails: below zero, where no event is."""
    return -(int(item.id.replace("-", ""), 16) >> 66) - 1


def claim(work: UnitOfWork, consumer: str, event: Envelope, *, begun: bool) -> Any:
    """Make an event the consumer's own until the transaction ends; ``None`` when it has arrived before.

    The answer's ``replayed``: the consumer had handled it before its projections were emptied. ``begun``: its handling
    was announced or begun, which ends with this transaction.
    """
    return work.execute(_CLAIM_BEGUN if begun else _CLAIM, _row(work, consumer, event, event.sequence)).first()


def claim_all(work: UnitOfWork, consumer: str, events: Sequence[Envelope]) -> list[Envelope]:
    """Claim several events like :func:`claim`; return the new ones, each once, those among them ``replayed`` that are.

    In order of subject and sequence: whoever handles several locks what belongs to one subject before the next one's.
    """
    given = {(event.source, event.sequence): event for event in reversed(events)}
    row = {
        "consumer": consumer,
        "sources": [source for source, _ in given],
        "sequences": [sequence for _, sequence in given],
        "event_ids": [event.id for event in given.values()],
        "types": [event.type for event in given.values()],
        "now": work.now,
    }
    claimed = work.execute(_CLAIM_ALL, row)
    new = [(given[row.source, row.sequence], bool(row.replayed)) for row in claimed]
    events = [replace(event, replayed=True) if replayed else event for event, replayed in new]
    return sorted(events, key=lambda event: (event.subject, event.source, event.sequence))


def put_aside(work: UnitOfWork, consumer: str, event: Envelope, key: int | None, **outcome: Any) -> bool:
    """Keep an event that could not be handled; return whether it had not arrived before."""
    row = _row(work, consumer, event, event.sequence if key is None else key)
    return work.execute(_PUT_ASIDE, {**row, **outcome}).first() is not None


def lease(work: UnitOfWork, consumer: str, until: datetime) -> Any:
    """Take the event whose next attempt has been due for longest, away from everyone else until then; or ``None``."""
    return work.execute(_LEASE, {"consumer": consumer, "now": work.now, "until": until}).first()


def give_back(work: UnitOfWork, consumer: str, row: Any) -> None:
    """End a lease as if there had been none."""
    work.execute(_GIVE_BACK, {**_key(consumer, row), "was_due_at": row.was_due_at})


def still_failed(work: UnitOfWork, consumer: str, row: Any) -> bool:
    """Whether a leased event has not been dropped meanwhile; lock it."""
    return work.execute(_STILL_FAILED, _key(consumer, row)).first() is not None


def left(work: UnitOfWork, consumer: str) -> tuple[int, int]:
    """Return how many events of the regency wait for an attempt, and how many dead ones for somebody's decision."""
    row = work.execute(_LEFT, {"consumer": consumer}).one()
    return row.failed, row.dead


def settle(work: UnitOfWork, consumer: str, row: Any, **outcome: Any) -> None:
    """Keep the outcome of an attempt."""
    work.execute(_SETTLE, {**_key(consumer, row), **outcome})


def enter(work: UnitOfWork) -> None:
    """Wait until no rebuild is about to empty what this transaction writes; it then waits for this transaction's end."""
    work.execute(_ENTER)


def _key(consumer: str, row: Any) -> dict[str, Any]:
    return {"consumer": consumer, "source": row.source, "sequence": row.sequence}


def _row(work: UnitOfWork, consumer: str, event: Envelope, sequence: int) -> dict[str, Any]:
    return {
        "consumer": consumer,
        "source": event.source,
        "sequence": sequence,
        "event_id": event.id,
        "type": event.type,
        "now": work.now,
    }
