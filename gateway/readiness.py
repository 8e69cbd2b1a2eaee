"""Whether this process is ready, asked of its checks no more than once a second, however many want to know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from gateway.call import Readiness

SECONDS_TRUE = 1.0


class RecentReadiness:
    """The answer of some probes, kept for :data:`SECONDS_TRUE`. Who asks while they are being asked waits for that answer."""

    def __init__(self, probes: Readiness, now: Callable[[], float] = time.monotonic) -> None:
        self._probes = probes
        self._now = now
        self._asking = threading.Lock()
        self._failing: Mapping[str, str] = {}
        self._until = float("-inf")

    def ready(self) -> Mapping[str, str]:
        """Return the failing checks by name; empty when all is well."""
        with self._asking:
            if self._now() >= self._until:
                self._failing = dict(self._probes.ready())
                self._until = self._now() + SECONDS_TRUE
            return self._failing
