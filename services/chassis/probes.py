"""Health of a process: alive, and ready to take work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from services.chassis import metrics

Check = Callable[[], None]

MEASURE_SECONDS = 2.0


class Probes:
    """The checks of one process. A check raises when what it looks at is not ready."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked = ""

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

    def ready(self, before: Callable[[str], None] = lambda name: None) -> dict[str, str]:
        """Run all checks; return the failing ones with their reason (empty: ready). Reasons carry no secrets.

        What they say is also kept in the metric ``mpp_ready``.

        :param before: told each check's name before it is asked.
        """
        with self._lock:
            checks = dict(self._checks)
        failing = {}
        for name, check in checks.items():
            before(name)
            try:
                check()
            except Exception as error:  # noqa: BLE001  (any failure means "not ready")
                failing[name] = type(error).__name__
            with self._lock:
                if name in self._checks:  # one that was taken away meanwhile says nothing
                    metrics.READY.labels(name).set(name not in failing)
        return failing

    def measure(self, within: float = MEASURE_SECONDS) -> None:
        """Bring the metric ``mpp_ready`` up to date; the check that is waited for after some seconds counts as failing.

        A frozen database must not keep metrics from being read: the process would look dead.
        """
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._asking = threading.Thread(target=self.ready, args=(self._begin,), name="probes-measuring", daemon=True)
                self._asking.start()
            asking = self._asking
        asking.join(within)
        if asking.is_alive():
            with self._lock:
                if self._asked in self._checks:
                    metrics.READY.labels(self._asked).set(False)

    def _begin(self, name: str) -> None:
        self._asked = name


PROBES = Probes()
"""The process's own probes."""
