"""The dispatcher: has deliveries posted and sent, never one receiver at the cost of another.

Two ways lead here. What was *born claimed* (`usecases.planning`) comes from the transaction that planned it. Everything else
is found: hints (`store.hints`) name the regencies in which something is due, and their visits claim it. Any number of
replicas do this at the same time: a claim is a row locked with SKIP LOCKED and then leased. While the database is away
nothing is claimed; what a dead process had claimed is free again when its lease ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.chassis import metrics
from services.chassis.connections import HOME
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger
from services.notification import store
from services.notification.channels import Channel, Parcel
from services.notification.usecases import Room
from services.notification.visiting import Visit

log = get_logger(__name__)

POLL_SECONDS = 1.0
"""Fallback for hints that other processes left or that became due; the process's own commits wake it at once."""

PUT_OFF = timedelta(seconds=10)
MOST_HINTS = 500
LOOK_SECONDS = 5.0
MEASURE_SECONDS = 5.0
TURNS = 2
"""So many visits use a connection at a time, of the five that a process has; the others wait in line."""

STOP_SECONDS = 20.0
"""Longer than a webhook may take; a letter that takes longer is uncertain."""


@dataclass(frozen=True)
class Limits:
    """How much may be under way in this process: in all, and of one channel in one regency."""

    in_all: int = 256
    per_regency: int = 8


class Dispatcher:
    """Delivers in the regencies of one database server."""

    def __init__(self, database: Database, channels: Sequence[Channel], server: str = HOME, limits: Limits | None = None) -> None:
        self.database = database
        self.channels = {channel.name: channel for channel in channels}
        self.limits = limits or Limits()
        self.slots = threading.Semaphore(self.limits.in_all)
        self.turns = threading.Semaphore(TURNS)
        self.stopping = threading.Event()
        self.finished = threading.Event()
        self.lock = threading.Lock()
        """Held for a moment by who looks at or changes what is said here or in a visit about what is under way."""
        self.under_way = 0
        self._server = server
        self._wake = threading.Event()
        self._visits: dict[str, Visit] = {}
        self._watched: dict[str, datetime] = {}
        self._followed: list[int] = []
        self._measure_at = 0.0
        self._failing = False
        database.roused.append(self.wake)

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
        followed, self._followed = self._followed, []  # should this fail, they come up again and lead nowhere
        with self.database.platform_work(server=self._server) as work:
            if followed:
                store.hints.forget(work, followed)
            if time.monotonic() >= self._measure_at:
                self._measure_at = time.monotonic() + MEASURE_SECONDS
                oldest = store.hints.oldest(work)
                age = 0.0 if oldest is None else (work.now - oldest).total_seconds()
                metrics.DELIVERY_OLDEST_DUE.labels(self._server or "home").set(age)
            found = store.hints.take(work, MOST_HINTS, PUT_OFF)
        for regency, hints in found.items():
            self._visit(regency, hints, ())

    def stop(self) -> None:
        """Claim nothing more; :meth:`run` ends when what is under way has ended, or after :data:`STOP_SECONDS`."""
        self.stopping.set()
        self._wake.set()
        with self.lock:
            for visit in self._visits.values():
                visit.stir()

    def room(self, regency: str) -> Room:
        """Return what could be posted at once in a regency: nothing where something older waits."""
        with self.lock:
            visit = self._visits.get(regency)
            if self.stopping.is_set() or (visit is not None and visit.looks):
                return Room()
            watched_until = self._watched.get(regency)
            if visit is None:
                return Room(min(self.limits.per_regency, self.limits.in_all - self.under_way), (), watched_until)
            return Room(visit.free("webhook"), visit.ended, watched_until)

    def begin(self, regency: str, parcels: Sequence[Parcel], watched_until: datetime | None) -> None:
        """Post what was born claimed; a hint that comes up at this time was left with it, or none."""
        if watched_until is not None:
            self._watched[regency] = watched_until
        self._visit(regency, (), [(self.channels["webhook"], parcel) for parcel in parcels])

    def forget(self, hints: Iterable[int]) -> None:
        """Have hints deleted that were followed to the end."""
        self._followed.extend(hints)

    def leave(self, visit: Visit) -> bool:
        """End a visit, if it has nothing left to do."""
        with self.lock:
            over = visit.is_over()
            if over:
                del self._visits[visit.regency]
            return over

    def _visit(self, regency: str, hints: Collection[int], parcels: Sequence[tuple[Channel, Parcel]]) -> None:
        with self.lock:
            visit = self._visits.get(regency)
            fresh = visit is None
            if visit is None:
                visit = self._visits[regency] = Visit(self, regency)
            visit.follow(hints)
            for channel, _ in parcels:
                visit.count(channel.name, 1)
        visit.begin(parcels)
        if fresh:
            threading.Thread(target=visit.run, name=f"deliveries-{regency}", daemon=True).start()

    def _failed(self, error: Exception) -> None:
        metrics.DELIVERY_FAILURES.inc()
        if not self._failing:
            if isinstance(error, Unavailable):
                log.warning("dispatcher_interrupted", server=self._server, reason=str(error))
            else:
                log.error("dispatcher_failed", server=self._server, exc_info=error)
        self._failing = True
