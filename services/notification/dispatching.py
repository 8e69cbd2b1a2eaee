"""The dispatcher: finds what is due and has it delivered, never one receiver at the cost of another.

Hints (`store.hints`) name the regencies in which something is due. For each such regency one *visit* claims deliveries,
as many as its limits allow, tries each in a thread of its own, and goes on until nothing is left. Any number of replicas
do this at the same time: a claim is a row locked with SKIP LOCKED and then leased. While the database is away nothing
is claimed; what a dead process had claimed is free again when its lease ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.chassis import metrics
from services.chassis.connections import HOME
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger
from services.notification import store
from services.notification.channels import Channel, Parcel
from services.notification.domain import Outcome

log = get_logger(__name__)

POLL_SECONDS = 1.0
"""Fallback for hints that other processes left or that became due; the process's own commits wake it at once."""

PUT_OFF = timedelta(seconds=10)
MOST_HINTS = 500
LOOK_SECONDS = 5.0
MEASURE_SECONDS = 5.0
SETTLING_SECONDS = 45.0
"""How long to try to write an outcome down while the database is away; after that the lease decides."""

STOP_SECONDS = 20.0
"""Longer than a webhook may take; a letter that takes longer is uncertain."""


@dataclass(frozen=True)
class Limits:
    """How much may be under way in this process: in all, and of one channel in one regency."""

    in_all: int = 256
    per_regency: int = 8


class Dispatcher:
    """Delivers what is due in the regencies of one database server."""

    def __init__(self, database: Database, channels: Sequence[Channel], server: str = HOME, limits: Limits | None = None) -> None:
        self.database = database
        self.channels = tuple(channels)
        self.limits = limits or Limits()
        self.slots = threading.Semaphore(self.limits.in_all)
        self.stopping = threading.Event()
        self.finished = threading.Event()
        self._server = server
        self._wake = threading.Event()
        self._visits: dict[str, _Visit] = {}
        self._lock = threading.Lock()
        self._measure_at = 0.0
        self._failing = False
        database.committed.append(self.wake)

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    def run(self) -> None:
        """Dispatch until :meth:`stop`; never raises."""
        pause = POLL_SECONDS
        while not self.stopping.is_set():
            (self.stopping if self._failing else self._wake).wait(pause)
            self._wake.clear()
            try:
                self.look()
                if self._failing:
                    log.info("dispatcher_recovered", server=self._server)
                self._failing, pause = False, POLL_SECONDS
            except Exception as error:  # noqa: BLE001  (told, and tried again)
                self._failed(error)
                pause = min(LOOK_SECONDS, pause * 2)
        end = time.monotonic() + STOP_SECONDS
        while self._visits and time.monotonic() < end:
            time.sleep(0.05)
        self.finished.set()

    def look(self) -> None:
        """Take the hints that are due and visit their regencies; raises ``Unavailable`` when the database is away."""
        self._measure_in_time()
        with self.database.platform_work(server=self._server) as work:
            found = store.hints.take(work, MOST_HINTS, PUT_OFF)
        for regency, ids in found.items():
            self._visit(regency, ids)

    def stop(self) -> None:
        """Claim nothing more; :meth:`run` ends when what is under way has ended, or after :data:`STOP_SECONDS`."""
        self.stopping.set()
        self._wake.set()
        with self._lock:
            for visit in self._visits.values():
                visit.stir()

    def forget(self, hints: Sequence[int]) -> None:
        """Delete hints that were followed to the end."""
        with self.database.platform_work(server=self._server) as work:
            store.hints.forget(work, hints)

    def leave(self, visit: _Visit) -> bool:
        """End a visit; false when it was given new hints meanwhile."""
        with self._lock:
            if visit.has_hints and not self.stopping.is_set():
                return False
            del self._visits[visit.regency]
            return True

    def _visit(self, regency: str, hints: Sequence[int]) -> None:
        with self._lock:
            visit = self._visits.get(regency)
            fresh = visit is None
            if visit is None:
                visit = self._visits[regency] = _Visit(self, regency)
            visit.follow(hints)
        if fresh:
            threading.Thread(target=visit.run, name=f"deliveries-{regency}", daemon=True).start()

    def _measure_in_time(self) -> None:
        if time.monotonic() < self._measure_at:
            return
        self._measure_at = time.monotonic() + MEASURE_SECONDS
        with self.database.platform_work(server=self._server) as work:
            oldest = store.hints.oldest(work)
            age = 0.0 if oldest is None else (work.now - oldest).total_seconds()
        metrics.DELIVERY_OLDEST_DUE.labels(self._server or "home").set(age)

    def _failed(self, error: Exception) -> None:
        metrics.DELIVERY_FAILURES.inc()
        if not self._failing:
            if isinstance(error, Unavailable):
                log.warning("dispatcher_interrupted", server=self._server, reason=str(error))
            else:
                log.error("dispatcher_failed", server=self._server, exc_info=error)
        self._failing = True


class _Visit:
    """Delivers in one regency until nothing is due there any more."""

    def __init__(self, dispatcher: Dispatcher, regency: str) -> None:
        self.regency = regency
        self._dispatcher = dispatcher
        self._new: set[int] = set()
        self._followed: set[int] = set()
        self._under_way = {channel.name: 0 for channel in dispatcher.channels}
        self._count = threading.Lock()
        self._stirred = threading.Event()

    @property
    def has_hints(self) -> bool:
        """Whether hints have come that were not followed yet."""
        return bool(self._new)

    def follow(self, hints: Sequence[int]) -> None:
        """Take note of hints."""
        with self._count:
            self._new.update(hints)
        self._stirred.set()

    def stir(self) -> None:
        """Look again now."""
        self._stirred.set()

    def run(self) -> None:
        """Claim and deliver until nothing is due; never raises."""
        while True:
            self._stirred.clear()
            with self._count:
                self._followed |= self._new
                self._new = set()
                # Before claiming: an attempt that ends meanwhile may leave something to claim.
                idle = not any(self._under_way.values())
            claimed, failed = 0, False
            try:
                if not self._dispatcher.stopping.is_set():
                    claimed = sum(self._begin(channel) for channel in self._dispatcher.channels)
            except Exception as error:
                failed = True
                metrics.DELIVERY_FAILURES.inc()
                log.warning("deliveries_not_claimed", regency=self.regency, exc_info=None if isinstance(error, Unavailable) else error)
            if idle and claimed == 0 and self._ended(failed):
                return
            if claimed == 0 or failed:
                self._stirred.wait(LOOK_SECONDS)

    def _ended(self, failed: bool) -> bool:
        followed, self._followed = self._followed, set()
        if followed and not failed and not self._dispatcher.stopping.is_set():
            try:
                self._dispatcher.forget(sorted(followed))
            except Unavailable:
                log.debug("hints_kept", regency=self.regency)
        return self._dispatcher.leave(self)

    def _begin(self, channel: Channel) -> int:
        """Claim what the limits allow and begin to deliver it; return how much."""
        free = self._taken(self._dispatcher.limits.per_regency - self._under_way[channel.name])
        if free == 0:
            return 0
        begun = 0
        try:
            with self._dispatcher.database.regency_work(self.regency) as work:
                recovered = store.deliveries.recover(work)
                parcels = channel.claim(work, free)
            begun = len(parcels)
        finally:
            for _ in range(free - begun):
                self._dispatcher.slots.release()
        for state in recovered:
            metrics.DELIVERIES.labels("any", "uncertain" if state == "uncertain" else "recovered").inc()
        with self._count:
            self._under_way[channel.name] += len(parcels)
        for parcel in parcels:
            threading.Thread(target=self._deliver, args=(channel, parcel), name=f"{channel.name}-{self.regency}", daemon=True).start()
        return len(parcels)

    def _taken(self, wanted: int) -> int:
        taken = 0
        while taken < wanted and self._dispatcher.slots.acquire(blocking=False):
            taken += 1
        return taken

    def _deliver(self, channel: Channel, parcel: Parcel) -> None:
        try:
            with (
                metrics.DELIVERIES_UNDER_WAY.labels(channel.name).track_inprogress(),
                metrics.DELIVERY_DURATION.labels(channel.name).time(),
            ):
                outcome = self._outcome(channel, parcel)
            state = self._settled(channel, parcel, outcome)
            log.info(
                "delivery_tried",
                channel=channel.name,
                regency=self.regency,
                delivery=parcel.id,
                state=state,
                error=outcome.error,
                status=outcome.status,
            )
        except Exception:
            log.exception("delivery_failed", channel=channel.name, regency=self.regency, delivery=parcel.id)
        finally:
            self._dispatcher.slots.release()
            with self._count:
                self._under_way[channel.name] -= 1
            self._stirred.set()

    def _outcome(self, channel: Channel, parcel: Parcel) -> Outcome:
        handed_over = False

        def hand_over() -> bool:
            nonlocal handed_over
            with self._dispatcher.database.regency_work(self.regency) as work:
                allowed = channel.hand_over(work, parcel)
            handed_over = allowed
            return allowed

        try:
            return channel.deliver(parcel, hand_over)
        except Exception:
            log.exception("channel_failed", channel=channel.name, regency=self.regency, delivery=parcel.id)
            return Outcome("uncertain" if handed_over else "retry", "fault")

    def _settled(self, channel: Channel, parcel: Parcel, outcome: Outcome) -> str:
        """Write the outcome down as soon as the database lets us."""
        end, pause = time.monotonic() + SETTLING_SECONDS, 0.2
        while True:
            try:
                with self._dispatcher.database.regency_work(self.regency) as work:
                    state = channel.settle(work, parcel, outcome)
            except Unavailable:
                if time.monotonic() + pause > end:
                    raise
                log.info("outcome_waits", channel=channel.name, regency=self.regency, delivery=parcel.id)
                time.sleep(pause)
                pause = min(LOOK_SECONDS, pause * 2)
                continue
            outcome_shown = "retry" if state == "pending" else state
            metrics.DELIVERIES.labels(channel.name, outcome_shown).inc()
            metrics.REGENCY_DELIVERIES.labels(self.regency, channel.name, outcome_shown).inc()
            return state
