"""Dead letters: events that a consumer gave up, for an operator to look at, try again or drop."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError

_LIST = sa.text("""
    SELECT consumer, event_id, source, sequence, type, status, attempts, received_at, next_attempt_at, reason FROM inbox
    WHERE status = 'dead' OR (:failed AND status = 'failed') ORDER BY received_at, source, sequence LIMIT :limit
""")
_SHOW = sa.text("""
    SELECT consumer, event_id, source, sequence, type, status, attempts, received_at, next_attempt_at, reason, payload
    FROM inbox WHERE CAST(event_id AS text) = :event_id AND status IN ('dead', 'failed') ORDER BY consumer
""")
_REPLAY = sa.text("""
    UPDATE inbox SET status = 'failed', attempts = 0, next_attempt_at = :now
    WHERE CAST(event_id AS text) = :event_id AND status IN ('dead', 'failed') AND payload IS NOT NULL
""")
_DROP = sa.text("""
    UPDATE inbox SET status = 'dropped', payload = NULL, next_attempt_at = NULL
    WHERE CAST(event_id AS text) = :event_id AND status IN ('dead', 'failed')
""")


def list_dead_letters(work: UnitOfWork, *, include_failed: bool = False, limit: int = 200) -> list[dict[str, Any]]:
    """Return the dead letters of one regency, oldest first; with ``include_failed`` also what is still retried."""
    return [_plain(row) for row in work.execute(_LIST, {"failed": include_failed, "limit": limit}).mappings()]


def show_dead_letter(work: UnitOfWork, event_id: str) -> list[dict[str, Any]]:
    """Return one event with its payload, once per consumer that gave it up; raises ``dead_letter_unknown``."""
    rows = [_plain(row) for row in work.execute(_SHOW, {"event_id": event_id}).mappings()]
    if not rows:
        raise DomainError("dead_letter_unknown")
    return rows


def replay_dead_letter(work: UnitOfWork, event_id: str) -> int:
    """Let the consumers try again; return how many consumers.

    :raises DomainError: ``dead_letter_unknown``; ``dead_letter_empty`` when PostgreSQL had refused its payload.
    """
    count = work.execute(_REPLAY, {"event_id": event_id, "now": work.now}).rowcount
    if count == 0 and show_dead_letter(work, event_id):
        raise DomainError("dead_letter_empty")
    return count


def drop_dead_letter(work: UnitOfWork, event_id: str) -> int:
    """Give an event up for good; the row stays as a record. Raises ``dead_letter_unknown``."""
    return _touched(work.execute(_DROP, {"event_id": event_id}).rowcount)


def _touched(count: int) -> int:
    if count == 0:
        raise DomainError("dead_letter_unknown")
    return count


def _plain(row: Any) -> dict[str, Any]:
    plain = dict(row)
    plain["event_id"] = str(plain["event_id"])
    for name in ("received_at", "next_attempt_at"):
        if isinstance(plain[name], datetime):
            plain[name] = plain[name].isoformat()
    return plain
