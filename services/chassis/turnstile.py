"""Waiting in the process instead of in the database.

What one regency asks for mostly waits for the same rows, or for a table that is being migrated. Were each command,
query and event to take a connection first, one regency could hold all connections of the process while the others
starve. A few pass, some wait, more are refused.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.chassis import metrics
from services.chassis.errors import Busy, DeadlineExceeded

PERMITS = 3
"""Connections that one regency may hold at a time, out of the pool's five."""

LONGEST_QUEUE = 100
"""Far fewer than the requests a replica takes at a time, so that the others' are among them."""


@dataclass
class _Gate:
    permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(PERMITS))
    present: int = 0


class Turnstile:
    """Admits :data:`PERMITS` per key at a time and lets :data:`LONGEST_QUEUE` wait."""

    def __init__(self, service: str, *, longest_queue: int = LONGEST_QUEUE) -> None:
        self._gates: dict[str, _Gate] = {}
        self._lock = threading.Lock()
        self._longest_queue = longest_queue
        self._waiters = metrics.TURNSTILE_WAITERS.labels(service)

    @contextmanager
    def turn(self, key: str, timeout: float) -> Iterator[None]:
        """Wait for a turn of ``key``, at most ``timeout`` seconds.

        :raises Busy: too many wait already.
        :raises DeadlineExceeded: no turn in time.
        """
        gate = self._enter(key)
        try:
            self._waiters.inc()
            try:
                admitted = gate.permits.acquire(timeout=max(0.0, timeout))
            finally:
                self._waiters.dec()
            if not admitted:
                raise DeadlineExceeded("waited too long for a turn")
            try:
                yield
            finally:
                gate.permits.release()
        finally:
            self._leave(key, gate)

    def _enter(self, key: str) -> _Gate:
        with self._lock:
            gate = self._gates.setdefault(key, _Gate())
            if gate.present >= self._longest_queue + PERMITS:
                raise Busy
            gate.present += 1
            return gate

    def _leave(self, key: str, gate: _Gate) -> None:
        with self._lock:
            gate.present -= 1
            if gate.present == 0:
                del self._gates[key]
