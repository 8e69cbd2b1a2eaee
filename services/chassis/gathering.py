"""Gathers what arrives under a key while the key is busy: it is then handled together.

Like a group commit: nothing waits while all is quiet, and the more there is to do, the more is done at a time. A key has
a pace too: one that was busy a moment ago waits a little for more to come. And its groups may grow only while they are
quick: what takes long is not made to take longer, all or nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

LONG_SECONDS = 0.5
"""After a group that took longer the next one may have half as many."""

MOST_AT_FIRST = 8
"""May go together before it is known how long that takes: where little happens, what follows shortly after is one group."""

MOST_QUIET = 100
"""So many keys are remembered although nothing is under way for them."""


@dataclass
class _Line(Generic[T]):
    waiting: deque[T] = field(default_factory=deque)
    led: bool = False
    """Whether somebody waits at the gate to take along all that is waiting."""
    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))
    present: int = 0
    begun: float = float("-inf")
    """When the last group began."""
    most: int = MOST_AT_FIRST
    """How many may go together now."""


class Gathering(Generic[T]):
    """Hands over what it is given in groups, one group of a key at a time."""

    def __init__(
        self,
        spawn: Callable[[Callable[[], None]], object],
        handle: Callable[[str, Sequence[T]], None],
        give_up: Callable[[str, Sequence[T]], None],
        *,
        most: int,
        patience: float,
        pace: float,
    ) -> None:
        """``spawn`` begins a thread; neither ``handle`` nor ``give_up`` may raise.

        :param give_up: is given what has waited for ``patience`` seconds while one group was being handled.
        :param most: how many may go together.
        :param pace: a group that is not full begins no sooner than so many seconds after the one before it began.
        """
        self._spawn = spawn
        self._handle = handle
        self._give_up = give_up
        self._most = most
        self._patience = patience
        self._pace = pace
        self._lines: dict[str, _Line[T]] = {}
        self._lock = threading.Lock()

    def add(self, key: str, item: T) -> None:
        """Have an item handled: at once, or with all others of its key that wait when the group before it is done."""
        with self._lock:
            line = self._lines.get(key) or self._new_line(key)
            line.waiting.append(item)
            begin = not line.led
            if begin:
                line.led = True
                line.present += 1
        if begin:
            self._spawn(partial(self._lead, key, line))

    def _lead(self, key: str, line: _Line[T]) -> None:
        admitted = line.gate.acquire(timeout=self._patience)
        try:
            if admitted:
                self._keep_pace(line)
            group = self._taken(key, line, line.most if admitted else len(line.waiting))
            (self._handle if admitted else self._give_up)(key, group)
            if admitted:
                quick = time.monotonic() - line.begun < LONG_SECONDS
                line.most = min(self._most, 2 * line.most) if quick else max(1, len(group) // 2)
        finally:
            if admitted:
                line.gate.release()
            with self._lock:
                line.present -= 1

    def _keep_pace(self, line: _Line[T]) -> None:
        early = line.begun + self._pace - time.monotonic()
        if early > 0 and len(line.waiting) < line.most:
            time.sleep(early)
        line.begun = time.monotonic()

    def _new_line(self, key: str) -> _Line[T]:
        if len(self._lines) >= MOST_QUIET:
            now = time.monotonic()
            quiet = [key for key, line in self._lines.items() if line.present == 0 and line.begun + self._pace < now]
            for each in quiet:
                del self._lines[each]
        line: _Line[T] = _Line(most=min(MOST_AT_FIRST, self._most))
        self._lines[key] = line
        return line

    def _taken(self, key: str, line: _Line[T], most: int) -> list[T]:
        """Take the group that goes now; what is too many for it gets a leader of its own."""
        with self._lock:
            group = [line.waiting.popleft() for _ in range(min(most, len(line.waiting)))]
            line.led = bool(line.waiting)
            line.present += line.led
        if line.led:
            self._spawn(partial(self._lead, key, line))
        return group
