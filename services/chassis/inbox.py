"""The event inbox: an event has its effect once, whatever the broker does.

The handler's effect and the inbox row (consumer, stream, sequence) are one transaction; the message is acknowledged
after it. A handler that fails leaves a row with payload, attempts, next attempt and reason, and the message is
acknowledged too: retrying is the database's work, so nothing loops through the broker. After the last attempt, at
once for a :class:`PermanentFailure`, and when it ended the process again and again, the row is a dead letter that an
operator lists, replays or drops.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.chassis import handling, metrics
from services.chassis import inbox_rows as rows
from services.chassis.connections import meaning
from services.chassis.context import SYSTEM, CallContext
from services.chassis.database import Database, UnitOfWork
from services.chassis.errors import Blocked, Busy, DatabaseUnavailable, Unavailable, code_of
from services.chassis.events import Envelope
from services.chassis.handlers import GroupHandler
from services.chassis.logs import get_logger
from services.chassis.outcomes import MAX_ATTEMPTS, REASON_LENGTH, count_group, counted, observe_age, pause_after, reason_of, verdict

log = get_logger(__name__)

HANDLER_SECONDS = 30.0
"""How long one handling may take; its unit of work ends then."""

LOCK_SECONDS = 2.0
"""How long a handling waits for a lock; a table in repair is no failure of the event, and must not hold a connection."""

LEASE = timedelta(seconds=HANDLER_SECONDS + 5)
"""How long a retry belongs to who began it; then it died."""

MOST_TOGETHER = 50
"""Events in one transaction: its fixed cost is shared by then, and what a failure undoes is still little."""

APART_SECONDS = 10.0
"""So long after a group met a lock each event of the regency goes alone, so that the lock holds up only whom it concerns."""


class Inbox:
    """What one consumer has received, in every regency's schema of its service."""

    def __init__(self, database: Database, consumer: str, handler: GroupHandler, *, max_attempts: int = MAX_ATTEMPTS) -> None:
        self.database = database
        self.consumer = consumer
        self._handler = handler
        self._max_attempts = max_attempts
        self._alone = threading.Lock()
        self.troubled: set[str] = set()
        """Regencies in which this process knows of events to retry, or to count anew."""
        self._with_dead: set[str] = set()
        self._apart_until: dict[str, float] = {}

    def receive(self, event: Envelope, *, again: bool = False, announced: bool = False) -> str:
        """Handle one event; return ``handled``, ``duplicate``, ``failed`` or ``dead``.

        :param again: somebody had it in hand before and did not come to an end with it; perhaps it ended him.
        :param announced: as one of a page (:meth:`receive_page`).
        :raises DomainError: ``regency_unknown`` when the regency is not provisioned here.
        :raises Unavailable: database away or busy; nothing is recorded and the event must be given again.
        """
        if not again:
            return self._receive(event, begun=announced)
        with self._alone:  # so that it is blamed for no death but its own
            if self._begin(event.regency, event.source, event.sequence) > handling.MOST_BEGINNINGS:
                return self._record(event, "dead", handling.DEADLY)
            try:
                return self._receive(event, begun=True)
            except Exception:
                self._take_back(event.regency, event.source, event.sequence)
                raise

    def receive_page(self, regency: str, events: Sequence[Envelope]) -> int:
        """Handle events of one stream out of its log; return how many were new. Raises like :meth:`receive`."""
        suspects, new = self._announce(regency, events[0].source, [event.sequence for event in events]), 0
        calm = [event for event in events if event.sequence not in suspects]
        for first in range(0, len(calm), MOST_TOGETHER):
            group = calm[first : first + MOST_TOGETHER]
            together = self.receive_together(group, announced=True)
            new += self._new_alone(group) if together is None else together
        return new + self._new_alone([event for event in events if event.sequence in suspects], again=True)

    def _new_alone(self, events: Sequence[Envelope], *, again: bool = False) -> int:
        return sum(self.receive(event, again=again, announced=True) != "duplicate" for event in events)

    def receive_together(self, events: Sequence[Envelope], *, announced: bool = False) -> int | None:
        """Handle events of one regency in one transaction; return how many were new.

        ``None`` when that cannot be done: nothing has happened, and each must be received alone, which also shows whose
        fault it is. Only for events that nobody had in hand before. Raises like :meth:`receive`.
        """
        first = events[0]
        if len(events) == 1:
            return int(self.receive(first, announced=announced) != "duplicate")
        if time.monotonic() < self._apart_until.get(first.regency, 0.0):
            return None
        try:
            with self._handling(first) as work:
                new = rows.claim_all(work, self.consumer, events)
                if announced:
                    handling.end(work, self.consumer, first.source, [event.sequence for event in events])
                if new:
                    self._handler(work, new)
        except (DatabaseUnavailable, Busy) as error:
            if isinstance(error, Blocked):
                self._apart_until[first.regency] = time.monotonic() + APART_SECONDS
            raise
        except Exception as error:
            if code_of(error) == "regency_unknown":
                raise
            log.info("group_failed", consumer=self.consumer, regency=first.regency, events=len(events), reason=reason_of(error))
            return None
        observe_age(self.consumer, new, self.database.clock.now())
        count_group(self.consumer, events, new)
        return len(new)

    def _receive(self, event: Envelope, *, begun: bool) -> str:
        try:
            with self._handling(event) as work:
                claim = rows.claim(work, self.consumer, event, begun=begun)
                if claim is None:
                    return self._counted(event, "duplicate")
                self._handler(work, [replace(event, replayed=True) if claim.replayed else event])
        except (DatabaseUnavailable, Busy):
            raise
        except Exception as error:
            if code_of(error) == "regency_unknown":
                raise
            return self._put_aside(event, error)
        observe_age(self.consumer, [event], self.database.clock.now())
        return self._counted(event, "handled")

    def _handling(self, event: Envelope) -> AbstractContextManager[UnitOfWork]:
        return self.database.regency_work(event.regency, context=_context_of(event), lock_timeout=LOCK_SECONDS, plan_once=True)

    # --- snapshots

    def apply_snapshot(self, regency: str, items: Sequence[Envelope]) -> None:
        """Let the handler follow a page of an owner's snapshot; an item that fails is put aside and retried like an event.

        :raises Unavailable: database away or busy; the page must be given again.
        """
        source = items[0].source
        suspects = self._announce(regency, source, [rows.key_of(item) for item in items])
        calm = [item for item in items if rows.key_of(item) not in suspects]
        try:
            self._apply(regency, calm)
        except (DatabaseUnavailable, Busy):
            raise
        except Exception:  # noqa: BLE001  (whose fault it is shows when each is applied by itself)
            for item in calm:
                self._apply_alone(item)
        for item in items:
            if rows.key_of(item) in suspects:
                with self._alone:
                    self._apply_suspect(item)

    def _apply(self, regency: str, items: Sequence[Envelope]) -> None:
        if not items:
            return
        with self.database.regency_work(regency, timeout=HANDLER_SECONDS, lock_timeout=LOCK_SECONDS) as work:
            rows.enter(work)
            self._handler(work, [replace(item, replayed=True) for item in sorted(items, key=lambda item: item.subject)])
            handling.end(work, self.consumer, items[0].source, [rows.key_of(item) for item in items])

    def _apply_alone(self, item: Envelope) -> None:
        try:
            self._apply(item.regency, [item])
        except (DatabaseUnavailable, Busy):
            raise
        except Exception as error:  # noqa: BLE001  (a handler may raise anything)
            self._put_aside(item, error, key=rows.key_of(item))

    def _apply_suspect(self, item: Envelope) -> None:
        key = rows.key_of(item)
        if self._begin(item.regency, item.source, key) > handling.MOST_BEGINNINGS:
            self._record(item, "dead", handling.DEADLY, key=key)
            return
        try:
            self._apply_alone(item)
        except Exception:
            self._take_back(item.regency, item.source, key)
            raise

    # --- retries

    def check(self, work: UnitOfWork) -> None:
        """See whether there are events to retry in a regency: another process may have failed there."""
        failed, dead = rows.left(work, self.consumer)
        self._show_dead(work.regency, dead)
        if failed:
            self.troubled.add(work.regency)

    def retry(self, regency: str, *, seconds: float = float("inf")) -> int:
        """Try again what is due in one regency, for some seconds; return how many failed events are left.

        :raises Unavailable: database away or busy; that was nobody's attempt.
        """
        end = time.monotonic() + seconds
        while True:
            with self.database.regency_work(regency, timeout=HANDLER_SECONDS, lock_timeout=LOCK_SECONDS) as work:
                row = rows.lease(work, self.consumer, work.now + LEASE) if time.monotonic() < end else None
                if row is None:
                    failed, dead = rows.left(work, self.consumer)
                    self._show_dead(regency, dead)
                    return failed
                begun = handling.begin(work, self.consumer, row.source, row.sequence)
            try:
                self._retry_leased(regency, row, begun)
            except Exception:
                with suppress(Unavailable), self.database.regency_work(regency) as work:
                    rows.give_back(work, self.consumer, row)
                    handling.take_back(work, self.consumer, row.source, row.sequence)
                raise

    def _retry_leased(self, regency: str, row: Any, begun: int) -> None:
        try:
            event = replace(Envelope.from_cloudevent(row.payload), replayed=bool(row.replayed))
        except ValueError:
            event = None
        context = _context_of(event) if event else CallContext(regency, SYSTEM).within(HANDLER_SECONDS)
        with self.database.regency_work(regency, context=context, lock_timeout=LOCK_SECONDS) as work:
            if not rows.still_failed(work, self.consumer, row):
                return handling.end(work, self.consumer, row.source, [row.sequence])
            if event is None:
                return self._settle(work, row, "dead", row.attempts, "its payload cannot be read")
            if begun > handling.MOST_BEGINNINGS:
                self._settle(work, row, "dead", row.attempts, handling.DEADLY)
                outcome = "dead"
            else:
                outcome = self._retry_one(work, row, event)
        self._counted(event, outcome)
        return None

    def _retry_one(self, work: UnitOfWork, row: Any, event: Envelope) -> str:
        attempts = row.attempts + 1
        try:
            with work.attempt():
                self._handler(work, [event])
        except Exception as error:
            if isinstance(meaning(error, impatient=True), (DatabaseUnavailable, Busy)):
                raise
            outcome = verdict(error, attempts, self._max_attempts)
            self._settle(work, row, outcome, attempts, reason_of(error))
        else:
            outcome = "handled"
            self._settle(work, row, outcome, attempts, None)
        return outcome

    def _settle(self, work: UnitOfWork, row: Any, status: str, attempts: int, reason: str | None) -> None:
        next_attempt_at = work.now + pause_after(attempts) if status == "failed" else None
        rows.settle(work, self.consumer, row, status=status, attempts=attempts, next_attempt_at=next_attempt_at, reason=reason)
        handling.end(work, self.consumer, row.source, [row.sequence])

    # --- what cannot be handled now

    def _put_aside(self, event: Envelope, error: Exception, key: int | None = None) -> str:
        return self._record(event, verdict(error, 1, self._max_attempts), reason_of(error), key=key)

    def _record(self, event: Envelope, status: str, reason: str, *, key: int | None = None) -> str:
        """Keep what could not be handled with its payload, or, when PostgreSQL refuses that, as dead without it."""
        log.warning(
            "event_failed",
            consumer=self.consumer,
            type=event.type,
            event_id=event.id,
            regency=event.regency,
            outcome=status,
            reason=reason,
        )
        try:
            recorded = self._store(event, status, reason, json.dumps(event.to_cloudevent()), key)
        except Unavailable:
            raise
        except Exception as refused:  # noqa: BLE001  (whatever it is about: without the payload, or not at all)
            status = "dead"
            reason = f"its payload cannot be stored ({type(getattr(refused, 'orig', refused)).__name__}); {reason}"[:REASON_LENGTH]
            recorded = self._store(event, status, reason, None, key)
        if not recorded:
            return self._counted(event, "duplicate")
        if status == "failed":
            self.troubled.add(event.regency)
        return self._counted(event, status)

    def _store(self, event: Envelope, status: str, reason: str, payload: str | None, key: int | None) -> bool:
        with self.database.regency_work(event.regency, timeout=HANDLER_SECONDS, lock_timeout=LOCK_SECONDS) as work:
            next_attempt_at = work.now + pause_after(1) if status == "failed" else None
            return rows.put_aside(
                work, self.consumer, event, key, status=status, next_attempt_at=next_attempt_at, reason=reason, payload=payload
            )

    def _announce(self, regency: str, source: str, sequences: Sequence[int]) -> set[int]:
        with self.database.regency_work(regency, lock_timeout=LOCK_SECONDS) as work:
            return handling.announce(work, self.consumer, source, sequences)

    def _begin(self, regency: str, source: str, sequence: int) -> int:
        with self.database.regency_work(regency, lock_timeout=LOCK_SECONDS) as work:
            return handling.begin(work, self.consumer, source, sequence)

    def _take_back(self, regency: str, source: str, sequence: int) -> None:
        # While the database is away it counts; only as often as that happens to one event does it matter.
        with suppress(Unavailable), self.database.regency_work(regency, lock_timeout=LOCK_SECONDS) as work:
            handling.take_back(work, self.consumer, source, sequence)

    def _counted(self, event: Envelope, outcome: str) -> str:
        if outcome == "dead":
            self.troubled.add(event.regency)  # so that those that wait are counted now
        return counted(self.consumer, event, outcome)

    def _show_dead(self, regency: str, waiting: int) -> None:
        """Show how many dead letters wait in a regency; most never have one, and are no series."""
        if waiting or regency in self._with_dead:
            self._with_dead.add(regency)
            metrics.DEAD_LETTERS_WAITING.labels(regency, self.consumer).set(waiting)


def _context_of(event: Envelope) -> CallContext:
    """What a handler does belongs to the trace of the event that made it."""
    return CallContext(event.regency, SYSTEM, traceparent=event.traceparent).within(HANDLER_SECONDS)
