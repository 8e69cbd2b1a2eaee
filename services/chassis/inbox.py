"""The event inbox: an event has its effect once, whatever the broker does.

The handler's effect and the inbox row (consumer, stream, sequence) are one transaction; the message is acknowledged
after it. A handler that fails leaves a row with payload, attempts, next attempt and reason, and the message is
acknowledged too: retrying is the database's work, so nothing loops through the broker. After the last attempt, or
at once for a :class:`PermanentFailure`, the row is a dead letter that an operator lists, replays or drops.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.connections import meaning
from services.chassis.context import SYSTEM, CallContext
from services.chassis.database import Database, UnitOfWork
from services.chassis.errors import Busy, DatabaseUnavailable, PermanentFailure, code_of
from services.chassis.events import Envelope
from services.chassis.logs import get_logger

log = get_logger(__name__)

MAX_ATTEMPTS = 8
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 300.0
REASON_LENGTH = 300
HANDLER_SECONDS = 30.0
"""How long one handling may take; its unit of work ends then."""

Handler = Callable[[UnitOfWork, Envelope], None]

# Nothing is inserted when the mark has passed the event or a row is there already.
_CLAIM = sa.text("""
    INSERT INTO inbox (consumer, source, sequence, event_id, type, status, received_at)
    SELECT :consumer, :source, :sequence, CAST(:event_id AS uuid), :type, 'handled', :now
    WHERE NOT EXISTS (
        SELECT 1 FROM stream_mark WHERE consumer = :consumer AND source = :source AND sequence >= :sequence
    )
    ON CONFLICT (consumer, source, sequence) DO NOTHING
    RETURNING sequence
""")

_PUT_ASIDE = sa.text("""
    INSERT INTO inbox (consumer, source, sequence, event_id, type, status, received_at,
                       attempts, next_attempt_at, reason, payload)
    VALUES (:consumer, :source, :sequence, CAST(:event_id AS uuid), :type, :status, :now,
            1, :next_attempt_at, :reason, CAST(:payload AS jsonb))
    ON CONFLICT (consumer, source, sequence) DO NOTHING
""")

_DUE = sa.text("""
    SELECT source, sequence, attempts, payload FROM inbox
    WHERE consumer = :consumer AND status = 'failed' AND next_attempt_at <= :now
    ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
""")

_FAILED_LEFT = sa.text("SELECT count(*) FROM inbox WHERE consumer = :consumer AND status = 'failed'")

_SETTLE = sa.text("""
    UPDATE inbox SET status = :status, attempts = :attempts, next_attempt_at = :next_attempt_at, reason = :reason,
        payload = CASE WHEN :status = 'handled' THEN NULL ELSE payload END
    WHERE consumer = :consumer AND source = :source AND sequence = :sequence
""")


class Inbox:
    """What one consumer has received, in every regency's schema of its service."""

    def __init__(self, database: Database, consumer: str, handler: Handler, *, max_attempts: int = MAX_ATTEMPTS) -> None:
        self.database = database
        self.consumer = consumer
        self._handler = handler
        self._max_attempts = max_attempts
        self.troubled: set[str] = set()
        """Regencies in which this process knows of events to retry."""

    def receive(self, event: Envelope) -> str:
        """Handle one event; return ``handled``, ``duplicate``, ``failed`` or ``dead``.

        :raises DomainError: ``regency_unknown`` when the regency is not provisioned here.
        :raises Unavailable: database away or busy; nothing is recorded and the event must be given again.
        """
        try:
            with self.database.regency_work(event.regency, context=_context_of(event)) as work:
                if work.execute(_CLAIM, self._row(event, work)).first() is None:
                    return self._counted(event, "duplicate")
                self._handler(work, event)
        except (DatabaseUnavailable, Busy):
            raise
        except Exception as error:
            if code_of(error) == "regency_unknown":
                raise
            return self._put_aside(event, error)
        metrics.EVENT_AGE.labels(self.consumer).observe(max(0.0, (self.database.clock.now() - event.time).total_seconds()))
        return self._counted(event, "handled")

    def retry(self, regency: str) -> int:
        """Try again what is due in one regency; return how many failed events are left."""
        while True:
            with self.database.regency_work(regency, timeout=HANDLER_SECONDS) as work:
                row = work.execute(_DUE, {"consumer": self.consumer, "now": work.now}).first()
                if row is None:
                    return int(work.execute(_FAILED_LEFT, {"consumer": self.consumer}).scalar_one())
                self._retry_one(work, row)

    def _retry_one(self, work: UnitOfWork, row: Any) -> None:
        event = Envelope.from_cloudevent(row.payload)
        work.context = _context_of(event)
        try:
            with work.attempt():
                self._handler(work, event)
        except Exception as error:
            if isinstance(meaning(error), (DatabaseUnavailable, Busy)):
                raise
            outcome = self._verdict(error, row.attempts + 1)
            self._settle(work, row, outcome, row.attempts + 1, _reason(error))
        else:
            outcome = "handled"
            self._settle(work, row, outcome, row.attempts + 1, None)
        self._counted(event, outcome)

    def _settle(self, work: UnitOfWork, row: Any, status: str, attempts: int, reason: str | None) -> None:
        work.execute(
            _SETTLE,
            {
                "consumer": self.consumer,
                "source": row.source,
                "sequence": row.sequence,
                "status": status,
                "attempts": attempts,
                "next_attempt_at": work.now + pause_after(attempts) if status == "failed" else None,
                "reason": reason,
            },
        )

    def _put_aside(self, event: Envelope, error: Exception) -> str:
        status = self._verdict(error, 1)
        log.warning(
            "event_failed",
            consumer=self.consumer,
            type=event.type,
            event_id=event.id,
            regency=event.regency,
            outcome=status,
            reason=_reason(error),
        )
        with self.database.regency_work(event.regency, timeout=HANDLER_SECONDS) as work:
            row = self._row(event, work)
            row.update(
                status=status,
                next_attempt_at=work.now + pause_after(1) if status == "failed" else None,
                reason=_reason(error),
                payload=json.dumps(event.to_cloudevent()),
            )
            work.execute(_PUT_ASIDE, row)
        if status == "failed":
            self.troubled.add(event.regency)
        return self._counted(event, status)

    def _verdict(self, error: Exception, attempts: int) -> str:
        return "dead" if isinstance(error, PermanentFailure) or attempts >= self._max_attempts else "failed"

    def _row(self, event: Envelope, work: UnitOfWork) -> dict[str, Any]:
        return {
            "consumer": self.consumer,
            "source": event.source,
            "sequence": event.sequence,
            "event_id": event.id,
            "type": event.type,
            "now": work.now,
        }

    def _counted(self, event: Envelope, outcome: str) -> str:
        metrics.EVENTS_HANDLED.labels(self.consumer, event.type, outcome).inc()
        if outcome in ("failed", "dead"):
            metrics.INBOX_FAILURES.labels(self.consumer, event.type).inc()
        if outcome == "dead":
            metrics.DEAD_LETTERS.labels(self.consumer, event.type).inc()
        return outcome


def _context_of(event: Envelope) -> CallContext:
    """What a handler does belongs to the trace of the event that made it."""
    return CallContext(event.regency, SYSTEM, traceparent=event.traceparent).within(HANDLER_SECONDS)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after the given number of failed attempts: doubling, capped, with jitter."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts - 1, 30))
    return timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311  (jitter, not a secret)


def _reason(error: Exception) -> str:
    """Return a short reason without values: a driver's message may quote a row."""
    code = code_of(error)
    if code is not None:
        return code
    text = str(error) if isinstance(error, (PermanentFailure, KeyError, ValueError, TypeError)) else ""
    return f"{type(error).__name__}: {text}"[:REASON_LENGTH]
