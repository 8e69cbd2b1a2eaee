"""What is to be done when: actions by the minute of the day that is played, done by a few threads in real time.

The minutes are those of a day in the mall; the speed says how many of them pass in a real one. Without a speed nobody
waits: whatever comes first in the day is done first, so that even then the day keeps its shape.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

Action = Callable[[float], None]
"""Takes the minute at which it is really done: later than planned when the platform is slower than the speed asks."""


class Agenda:
    """Actions of one day at all malls."""

    def __init__(self, begins: float, speed: float | None) -> None:
        """:param begins: minute at which playing begins. :param speed: times faster than the real day; ``None``: no waiting."""
        self._begins, self._speed = begins, speed
        self._planned: list[tuple[float, int, Action, bool]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._busy = 0
        self._stopping = False
        self._error: BaseException | None = None
        self._started = 0.0

    def add(self, minute: float, action: Action, *, must: bool = False) -> None:
        """Plan an action; one that `must` be done (somebody stands at the counter) is done even when playing is stopped."""
        with self._changed:
            if must or not self._stopping:
                heapq.heappush(self._planned, (minute, next(self._order), action, must))
                self._changed.notify()

    def start(self, workers: int) -> None:
        """Begin; the threads end by themselves when nothing is left."""
        self._started = time.monotonic()
        self._threads = [threading.Thread(target=self._work, name=f"agenda-{number}", daemon=True) for number in range(workers)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Drop what is planned, except for what must be done; that is done without waiting."""
        with self._changed:
            self._stopping = True
            self._planned = [each for each in self._planned if each[3]]
            heapq.heapify(self._planned)
            self._changed.notify_all()

    def done(self, within: float) -> bool:
        """Wait at most so many seconds; return whether everything is done. Raises what went wrong in an action."""
        end = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        if self._error is not None:
            raise self._error
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            try:
                taken[1](taken[0])
            except BaseException as error:  # noqa: BLE001 - raised again by done()
                self._error = self._error or error
                self.stop()
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self) -> tuple[float, Action] | None:
        """Wait for the next action that is due; ``None`` when nothing is left and nobody can add anything."""
        with self._changed:
            while True:
                if not self._planned:
                    if not self._busy:
                        return None
                    self._changed.wait()
                    continue
                minute = self._planned[0][0]
                ahead = 0.0 if self._stopping else self._due(minute) - time.monotonic()
                if ahead > 0:
                    self._changed.wait(ahead)
                    continue
                _, _, action, _ = heapq.heappop(self._planned)
                self._busy += 1
                return max(minute, self._now()), action

    def _due(self, minute: float) -> float:
        return self._started if self._speed is None else self._started + (minute - self._begins) * 60 / self._speed

    def _now(self) -> float:
        return self._begins if self._speed is None else self._begins + (time.monotonic() - self._started) * self._speed / 60
