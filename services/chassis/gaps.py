"""Catch-up: a consumer finds out by itself that it missed an event, and fetches it from the owner's log.

Per stream a consumer keeps the contiguous *mark* (everything up to it has arrived) and, in the inbox, what arrived
early. Something above the mark that does not close within :data:`GRACE_SECONDS`, be it a hole or the distance to
the owner's head, is missing: lost by a broker that lost its disk, by the in-process broker of a former run, or by a
queue that did not exist yet. So no fact depends on the broker keeping it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.database import Database, UnitOfWork
from services.chassis.errors import DomainError, Unavailable
from services.chassis.events import Envelope
from services.chassis.inbox import Inbox
from services.chassis.logs import get_logger

log = get_logger(__name__)

GRACE_SECONDS = 5.0
COMPARE_SECONDS = 30.0
SWEEP_SECONDS = 1.0
PAGE = 200
KEEP_HANDLED = timedelta(minutes=10)
"""Handled rows below the mark are kept this long, so that a statement that began before the mark moved still
meets the row (the claim reads mark and row in one snapshot)."""

# The mark moves to the end of the run that starts right after it. Dropped and dead events count as arrived.
_ADVANCE = sa.text("""
    WITH arrived AS (
        SELECT i.source, i.sequence, coalesce(m.sequence, 0) AS mark,
               row_number() OVER (PARTITION BY i.source ORDER BY i.sequence) AS place
        FROM inbox i LEFT JOIN stream_mark m ON m.consumer = i.consumer AND m.source = i.source
        WHERE i.consumer = :consumer AND i.sequence > coalesce(m.sequence, 0)
    ), contiguous AS (
        SELECT source, max(sequence) AS sequence FROM arrived WHERE sequence = mark + place GROUP BY source
    )
    INSERT INTO stream_mark AS m (consumer, source, sequence)
    SELECT :consumer, source, sequence FROM contiguous ORDER BY source
    ON CONFLICT (consumer, source) DO UPDATE SET sequence = greatest(m.sequence, excluded.sequence)
""")

_MARKS = sa.text("SELECT source, sequence FROM stream_mark WHERE consumer = :consumer")

_EARLY = sa.text("""
    SELECT i.source, max(i.sequence) AS sequence FROM inbox i
    LEFT JOIN stream_mark m ON m.consumer = i.consumer AND m.source = i.source
    WHERE i.consumer = :consumer AND i.sequence > coalesce(m.sequence, 0) GROUP BY i.source
""")

_PURGE = sa.text("""
    DELETE FROM inbox i USING stream_mark m
    WHERE i.consumer = :consumer AND m.consumer = i.consumer AND m.source = i.source
      AND i.sequence <= m.sequence AND i.status = 'handled' AND i.received_at < :before
""")

_PASS_OVER = sa.text("""
    INSERT INTO stream_mark AS m (consumer, source, sequence) VALUES (:consumer, :source, :sequence)
    ON CONFLICT (consumer, source) DO UPDATE SET sequence = greatest(m.sequence, excluded.sequence)
""")

_ALL_MARKS = sa.text("SELECT consumer, source, sequence FROM stream_mark ORDER BY consumer, source")


@dataclass
class _Expectation:
    """The mark of a stream should reach ``sequence`` within the grace period.

    ``published``: the owner itself says so; else only an event that arrived does, which anybody may have sent.
    """

    sequence: int
    since: float
    published: bool


class GapFinder:
    """Watches the streams of one consumer in all regencies.

    :param heads: asks the owner for ``[{"source", "regency", "sequence"}]`` of all streams.
    :param log_page: asks the owner for events: ``(regency, source, after, limit) -> [Envelope]``.
    """

    def __init__(
        self,
        inbox: Inbox,
        heads: Callable[[], list[dict[str, Any]]],
        log_page: Callable[[str, str, int, int], list[Envelope]],
        *,
        grace: float = GRACE_SECONDS,
        compare_every: float = COMPARE_SECONDS,
    ) -> None:
        self._inbox = inbox
        self._database: Database = inbox.database
        self._heads = heads
        self._log_page = log_page
        self._grace = grace
        self._compare_every = compare_every
        self._touched: set[str] = set()
        self._marks: dict[str, int] = {}
        self._expected: dict[tuple[str, str], _Expectation] = {}
        self._compared = False
        self._compare_at = self._look_at = 0.0
        self._stopping = threading.Event()
        self.finished = threading.Event()

    def touched(self, regency: str) -> None:
        """Say that an event of this regency arrived, so that its marks are looked at."""
        self._touched.add(regency)

    def run(self) -> None:
        """Sweep, retry and compare until :meth:`stop`; never raises."""
        while not self._stopping.is_set():
            # One by one: while the owner is away, what it has nothing to do with goes on.
            for step in (self._look_at_all, self._compare_in_time, self.sweep, self._retry):
                self._attempt(step)
            self._stopping.wait(SWEEP_SECONDS)
        self.finished.set()

    def _attempt(self, step: Callable[..., object], *arguments: Any) -> bool:
        """Do a step; tell whether it succeeded. The next round tries again."""
        try:
            if not self._stopping.is_set():
                step(*arguments)
        except Unavailable as error:
            log.debug("catch_up_postponed", consumer=self._inbox.consumer, reason=str(error))
            return False
        except Exception:
            log.exception("catch_up_failed", consumer=self._inbox.consumer)
            return False
        return True

    def stop(self) -> None:
        """End :meth:`run`, after the page under way."""
        self._stopping.set()

    def _look_at_all(self) -> None:
        """Now and then look at every regency: another process may have failed there, or died."""
        if time.monotonic() >= self._look_at:
            regencies = self._database.regencies()
            self._inbox.troubled.update(regencies)
            self._touched.update(regencies)
            self._look_at = time.monotonic() + 2 * self._compare_every

    def _compare_in_time(self) -> None:
        if time.monotonic() >= self._compare_at:
            self.compare()
            self._compare_at = time.monotonic() + self._compare_every

    def compare(self) -> None:
        """Compare all streams with their owner's heads; the first time what is missing is fetched at once."""
        since = time.monotonic() if self._compared else time.monotonic() - self._grace
        for head in self._heads():
            if head["sequence"] > self._marks.get(head["source"], 0):
                self._expect(head["regency"], head["source"], _Expectation(head["sequence"], since, published=True))
                self._touched.add(head["regency"])
        self._compared = True

    def sweep(self) -> None:
        """Advance the marks of the regencies in which something happened, and fetch what is overdue."""
        for regency in list(self._touched):
            self._touched.discard(regency)
            if not self._attempt(self._sweep_regency, regency):
                self._touched.add(regency)
        for (regency, source), expected in list(self._expected.items()):
            if self._marks.get(source, 0) >= expected.sequence:
                del self._expected[regency, source]
            elif time.monotonic() - expected.since >= self._grace:
                self._close_gap(regency, source, expected)

    def _close_gap(self, regency: str, source: str, expected: _Expectation) -> None:
        del self._expected[regency, source]
        metrics.SEQUENCE_GAPS.labels(self._inbox.consumer).inc()
        try:
            self.catch_up(regency, source, expected)
            self._touched.add(regency)
        except Unavailable:
            # Again after the grace period. The other streams would only wait for the same: in the next round.
            self._expect(regency, source, replace(expected, since=time.monotonic()))
            raise
        except DomainError as error:  # a regency that is not, or not yet, provisioned on both sides
            log.warning("stream_unreadable", consumer=self._inbox.consumer, source=source, reason=error.code)

    def _sweep_regency(self, regency: str) -> None:
        consumer = {"consumer": self._inbox.consumer}
        try:
            with self._database.regency_work(regency) as work:
                work.execute(_ADVANCE, consumer)
                self._marks.update({row.source: row.sequence for row in work.execute(_MARKS, consumer)})
                for row in work.execute(_EARLY, consumer):
                    self._expect(regency, row.source, _Expectation(row.sequence, time.monotonic(), published=False))
                work.execute(_PURGE, {**consumer, "before": work.now - KEEP_HANDLED})
        except DomainError as error:
            if error.code != "regency_unknown":
                raise

    def _expect(self, regency: str, source: str, expectation: _Expectation) -> None:
        known = self._expected.setdefault((regency, source), expectation)
        if expectation.published and not known.published:
            self._expected[regency, source] = replace(expectation, since=min(known.since, expectation.since))

    def catch_up(self, regency: str, source: str, expected: _Expectation) -> int:
        """Fetch and handle everything above the mark of one stream; return how many were new."""
        after, fetched = self._marks.get(source, 0), 0
        while not self._stopping.is_set() and (page := self._log_page(regency, source, after, PAGE)):
            if page[0].sequence > after + 1:
                self._pass_over(regency, source, after, page[0].sequence - 1)
            for event in page:
                if self._inbox.receive(event) != "duplicate":
                    fetched += 1
            after = page[-1].sequence
        if expected.published and after < expected.sequence and not self._stopping.is_set():
            self._pass_over(regency, source, after, expected.sequence)
        if fetched:
            metrics.EVENTS_CAUGHT_UP.labels(self._inbox.consumer).inc(fetched)
            log.info("caught_up", consumer=self._inbox.consumer, source=source, events=fetched)
        return fetched

    def _pass_over(self, regency: str, source: str, mark: int, cut: int) -> None:
        """The owner's log no longer holds what comes after the mark: say so loudly and go on behind it."""
        log.error("event_log_cut", consumer=self._inbox.consumer, source=source, mark=mark, lost_up_to=cut)
        with self._database.regency_work(regency) as work:
            work.execute(_PASS_OVER, {"consumer": self._inbox.consumer, "source": source, "sequence": cut})
        self._marks[source] = max(self._marks.get(source, 0), cut)

    def _retry(self) -> None:
        for regency in list(self._inbox.troubled):
            self._attempt(self._retry_in, regency)

    def _retry_in(self, regency: str) -> None:
        if self._inbox.retry(regency) == 0:
            self._inbox.troubled.discard(regency)


def stream_marks(work: UnitOfWork) -> list[dict[str, Any]]:
    """Return how far each consumer of this service has come in this regency."""
    return [dict(row) for row in work.execute(_ALL_MARKS).mappings()]
