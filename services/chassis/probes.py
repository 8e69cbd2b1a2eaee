"""Health of a process: alive, and ready to take work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from services.chassis import metrics

Check = Callable[[], None]


class Probes:
    """The checks of one process. A check raises when what it looks at is not ready."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._lock = threading.Lock()

    def register(self, name: str, check: Check) -> None:
        """Add a check under a name that an operator understands, e.g. ``ticketing.database``."""
        with self._lock:
            self._checks[name] = check

    def unregister(self, name: str) -> None:
        """Remove a check; unknown names are ignored."""
        with self._lock:
            self._checks.pop(name, None)
            with suppress(KeyError):  # never asked
                metrics.READY.remove(name)

    def ready(self) -> dict[str, str]:
        """Run all checks; return the failing ones with their reason (empty: ready). Reasons carry no secrets.

        What they say is also kept in the metric ``mpp_ready``.
        """
        with self._lock:
            checks = dict(self._checks)
        failing = {}
        for name, check in checks.items():
            try:
                check()
            except Exception as error:  # noqa: BLE001  (any failure means "not ready")
                failing[name] = type(error).__name__
        with self._lock:
            for name in checks.keys() & self._checks.keys():  # one that was taken away meanwhile says nothing
                metrics.READY.labels(name).set(name not in failing)
        return failing


PROBES = Probes()
"""The process's own probes."""
