"""Catch-up: a consumer finds out by itself that it missed an event, and fetches it from the owner.

Per stream a consumer keeps the contiguous *mark* (everything up to it has arrived) and, in the inbox, what arrived
early. Something above the mark that does not close within :data:`GRACE_SECONDS`, be it a hole or the distance to
the owner's head, is missing: lost by a broker that lost its disk, by the in-process broker of a former run, by a
queue that did not exist yet, or left to the log because its regency was blocked. So no fact depends on the broker
keeping it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from services.chassis import marks, metrics
from services.chassis.attention import Ear
from services.chassis.catch_up import CatchUp, Owner
from services.chassis.errors import DomainError, Unavailable
from services.chassis.events import Envelope
from services.chassis.inbox import LOCK_SECONDS, Inbox
from services.chassis.lanes import Lanes
from services.chassis.logs import get_logger
from services.chassis.rota import Rota

log = get_logger(__name__)

GRACE_SECONDS = 5.0
COMPARE_SECONDS = 30.0
SWEEP_SECONDS = 1.0
LISTEN_SECONDS = 2.0

LOOK_SECONDS = 1.0
"""For each regency, between two looks at all of them: hundreds keep nobody busy who has nothing to do."""

FORGET_EVERY = timedelta(minutes=5)
TURN_SECONDS = 5.0
"""After so long a regency whose streams or retries take time gives the others their turn."""

LANES = 2
"""Regencies tended at a time: each takes one of the process's few connections, and a slow one must not hold up all."""

LONGEST_PAUSE = 30.0
LONGEST_FRUITLESS_PAUSE = 300.0
STOP_SECONDS = 10.0


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

    :param lanes: how many regencies are tended side by side; 0: one after the other, in the caller's thread.
    """

    def __init__(
        self,
        inbox: Inbox,
        owner: Owner,
        *,
        grace: float = GRACE_SECONDS,
        compare_every: float = COMPARE_SECONDS,
        lanes: int = 0,
    ) -> None:
        self._inbox = inbox
        self._database = inbox.database
        self._owner = owner
        self._grace = grace
        self._compare_every = compare_every
        self._lanes = Lanes(f"{inbox.consumer}-tending", lanes)
        self._comparing = Lanes(f"{inbox.consumer}-comparing", min(1, lanes))
        self._ear = Ear(inbox.database)
        self._rota = Rota()
        self._expected: dict[tuple[str, str], _Expectation] = {}
        self._under_way: dict[tuple[str, str], CatchUp] = {}
        self._fruitless: dict[tuple[str, str], int] = {}
        self._pauses: dict[Hashable, float] = {}
        self._not_before: dict[Hashable, float] = {}
        self._unchecked: set[str] = set()
        self._tended: dict[str, float] = {}
        self._forget_after: dict[str, datetime] = {}
        self._turns: deque[str] = deque()
        self._tending: set[str] = set()
        self._compared = False
        self._compare_at = self._look_at = self._listen_at = 0.0
        self._stopping = threading.Event()
        self.finished = threading.Event()

    # --- what others tell

    def arrived(self, events: Sequence[Envelope]) -> None:
        """Say that events were handled, so that the marks of their regencies are looked at."""
        for event in sorted(events, key=lambda event: event.sequence):
            self._rota.arrived(event.regency, event.source, event.sequence)

    def left(self, regency: str, source: str, sequence: int) -> None:
        """Say that an event was taken off the queue and not handled: the log has to bring it."""
        self._expect(regency, source, _Expectation(sequence, time.monotonic(), published=False))

    # --- the watch

    def run(self) -> None:
        """Sweep, retry and compare until :meth:`stop`; never raises."""
        while not self._stopping.is_set():
            self._attempt(None, self._listen_in_time)
            self._attempt(None, self._look_at_all)
            if time.monotonic() >= self._compare_at and not self._paused("compare"):
                self._comparing.offer("compare", partial(self._attempt, "compare", self._compare_in_time))
            if not self._turns:
                self._turns.extend(self._pending(self._rota.due(self._paused)))
            for lane in range(max(1, self._lanes.width)):
                self._lanes.offer(lane, self._tend_in_turn)
            self._stopping.wait(SWEEP_SECONDS)
        self._lanes.wait(STOP_SECONDS)
        self.finished.set()

    def stop(self) -> None:
        """End :meth:`run`, after the page under way."""
        self._stopping.set()

    def _attempt(self, key: Hashable, step: Callable[[], object]) -> None:
        """Do a step; one that fails is tried again after a pause that grows."""
        try:
            if not self._stopping.is_set():
                step()
        except Exception as error:
            if isinstance(error, Unavailable):
                log.debug("catch_up_postponed", consumer=self._inbox.consumer, key=key, reason=str(error))
            else:
                log.exception("catch_up_failed", consumer=self._inbox.consumer, key=key)
            self._pauses[key] = min(LONGEST_PAUSE, 2 * self._pauses.get(key, SWEEP_SECONDS / 2))
            self._not_before[key] = time.monotonic() + self._pauses[key]
        else:
            self._pauses.pop(key, None)
            self._not_before.pop(key, None)

    def _paused(self, key: Hashable) -> bool:
        return time.monotonic() < self._not_before.get(key, 0.0)

    def _pending(self, waiting: Sequence[str]) -> list[str]:
        """Return these regencies and those in which something is wrong, those first that have waited longest."""
        pending = {*waiting, *self._overdue(), *self._inbox.troubled}
        return sorted((each for each in pending if not self._paused(each)), key=lambda each: self._tended.get(each, 0.0))

    def _overdue(self) -> set[str]:
        """Return where something is missing. Of what nobody has looked at one cannot tell: that has its turn in the rota."""
        overdue = set()
        for (regency, source), expected in list(self._expected.items()):
            if self._rota.reached(regency, source) >= expected.sequence:
                self._forget(regency, source)
            elif self._is_overdue(expected) and self._rota.knows(regency):
                overdue.add(regency)
        return overdue

    def _listen_in_time(self) -> None:
        if time.monotonic() >= self._listen_at:
            self._listen_at = time.monotonic() + LISTEN_SECONDS
            called = self._ear.calls()
            self._unchecked.update(called)
            for regency in called:
                self._rota.forget(regency)
            if called:
                self._compared, self._compare_at = False, 0.0

    def _look_at_all(self) -> None:
        """Now and then look at every regency: another process may have failed there, or died."""
        if time.monotonic() >= self._look_at:
            regencies = self._database.regencies()
            self._unchecked.update(regencies)
            for regency in regencies:
                self._rota.remind(regency)
            self._look_at = time.monotonic() + max(4 * self._compare_every, LOOK_SECONDS * len(regencies))

    def _compare_in_time(self) -> None:
        self.compare()
        self._compare_at = time.monotonic() + self._compare_every

    def compare(self) -> None:
        """Compare all streams with their owner's heads; the first time what is missing is fetched at once."""
        since = time.monotonic() if self._compared else time.monotonic() - self._grace
        for head in self._owner.heads():
            regency, source = head["regency"], head["source"]
            if head["sequence"] > self._rota.reached(regency, source):
                self._expect(regency, source, _Expectation(head["sequence"], since, published=True))
        self._compared = True

    # --- one regency

    def _tend_in_turn(self) -> None:
        """Tend one regency after the other, beside other lanes that do so, until all of this round had their turn."""
        while not self._stopping.is_set():
            try:
                regency = self._turns.popleft()
            except IndexError:
                return
            if regency not in self._tending:
                self._tending.add(regency)
                self._attempt(regency, partial(self._tend, regency))
                self._tending.discard(regency)

    def _tend(self, regency: str) -> None:
        """Move the marks of a regency, retry what failed there, and fetch what is overdue, for a while."""
        self._tended[regency] = time.monotonic()
        self._sweep_regency(regency)
        if regency in self._inbox.troubled and self._inbox.retry(regency, seconds=TURN_SECONDS) == 0:
            self._inbox.troubled.discard(regency)
        self._close_overdue(regency, seconds=TURN_SECONDS)

    def sweep(self) -> None:
        """Move the marks of all regencies in which something happened, and fetch what is overdue, to its end."""
        for regency in self._pending(self._rota.waiting()):
            self._sweep_regency(regency)
            self._close_overdue(regency)

    def _sweep_regency(self, regency: str) -> None:
        self._rota.looking(regency)
        try:
            with self._database.regency_work(regency, lock_timeout=LOCK_SECONDS, plan_once=True) as work:
                known, early = marks.advance(work, self._inbox.consumer)
                if regency in self._unchecked:
                    self._inbox.check(work)
                if work.now >= self._forget_after.get(regency, work.now):
                    marks.forget_handled(work, self._inbox.consumer)
                    self._forget_after[regency] = work.now + FORGET_EVERY
        except DomainError as error:
            if error.code != "regency_unknown":
                self._rota.urge(regency)
                raise
            known, early = {}, {}
        except Exception:
            self._rota.urge(regency)
            raise
        self._unchecked.discard(regency)
        self._rota.looked(regency, known)
        for source, sequence in early.items():
            self._expect(regency, source, _Expectation(sequence, time.monotonic(), published=False))

    def _is_overdue(self, expected: _Expectation) -> bool:
        return time.monotonic() - expected.since >= self._grace

    def _close_overdue(self, regency: str, seconds: float = float("inf")) -> None:
        end = time.monotonic() + seconds
        for (where, source), expected in list(self._expected.items()):
            if where != regency:
                continue
            if self._rota.reached(regency, source) >= expected.sequence:
                self._forget(regency, source)
            elif self._is_overdue(expected) and time.monotonic() < end:
                self._close_gap(regency, source, expected, end)

    def _close_gap(self, regency: str, source: str, expected: _Expectation, end: float) -> None:
        """Catch up with one stream until it is done or the turn is over; what is left is continued in the next turn."""
        catch_up = self._under_way.get((regency, source))
        if catch_up is None:
            metrics.SEQUENCE_GAPS.labels(self._inbox.consumer).inc()
            head = expected.sequence if expected.published else None
            catch_up = CatchUp(self._inbox, self._owner, regency, source, self._rota.reached(regency, source), head)
            self._under_way[regency, source] = catch_up
        try:
            while not self._stopping.is_set() and not catch_up.step():
                if time.monotonic() >= end:
                    self._rota.urge(regency)
                    return
        except Unavailable:
            # Again after the grace period. The other streams would only wait for the same.
            self._expected[regency, source] = replace(expected, since=time.monotonic())
            raise
        except DomainError as error:  # a regency that is not, or not yet, provisioned on both sides
            log.warning("stream_unreadable", consumer=self._inbox.consumer, source=source, reason=error.code)
        if catch_up.new:
            log.info("caught_up", consumer=self._inbox.consumer, source=source, events=catch_up.new)
        self._forget(regency, source)
        self._note_fruit(regency, source, catch_up.reached >= expected.sequence)
        self._rota.urge(regency)

    def _note_fruit(self, regency: str, source: str, reached: bool) -> None:
        """Where the log does not bring what an event claimed, ask less and less often: its number may be a lie."""
        if reached:
            self._fruitless.pop((regency, source), None)
        else:
            self._fruitless[regency, source] = self._fruitless.get((regency, source), 0) + 1

    def _forget(self, regency: str, source: str) -> None:
        self._expected.pop((regency, source), None)
        self._under_way.pop((regency, source), None)

    def _expect(self, regency: str, source: str, expectation: _Expectation) -> None:
        fruitless = self._fruitless.get((regency, source), 0)
        if fruitless and not expectation.published:
            pause = min(LONGEST_FRUITLESS_PAUSE, self._grace * 2 ** min(fruitless, 10)) - self._grace
            expectation = replace(expectation, since=expectation.since + pause)
        if not self._rota.knows(regency):
            self._rota.urge(regency)
        known = self._expected.setdefault((regency, source), expectation)
        if expectation.published and not known.published:
            self._expected[regency, source] = replace(expectation, since=min(known.since, expectation.since))
