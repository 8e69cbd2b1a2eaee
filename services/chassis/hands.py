"""What a consumer has in hand, by regency: a blocked one must not fill both hands while the others wait in the queue."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

BLOCKED_SECONDS = 10.0
"""So long a regency is taken for blocked after it was found so; whoever tries again finds out."""

STALLED_SECONDS = 2.0
"""A regency in which nothing came to an end for so long while events wait for their turn stands still."""


class Hands:
    """Counts the events in hand; of a blocked regency one may stay, to find out when it is free.

    All blocked regencies together may fill half of the hands.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_blocked = most // 2
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._blocked: dict[str, float] = {}
        self._moved: dict[str, float] = {}
        self._lock = threading.Lock()

    def holding(self, regency: str) -> Hold:
        """Have an event of a regency in hand from now on, until the hold ends."""
        with self._lock:
            self._held[regency] += 1
        return Hold(self, regency)

    def let_go(self, hold: Hold) -> None:
        """Have an event in hand no longer."""
        with self._lock:
            self._release(hold)

    def keeps(self, hold: Hold) -> bool:
        """Whether an event may stay in hand; it is let go of with the refusal, so that one of several can stay."""
        with self._lock:
            if not self._is_blocked(hold.regency):
                return True
            held = sum(count for regency, count in self._held.items() if self._is_blocked(regency))
            if self._held[hold.regency] <= 1 and held <= self._most_blocked:
                return True
            self._release(hold)
            return False

    def _release(self, hold: Hold) -> None:
        if hold.released:
            return
        hold.released = True
        self._held[hold.regency] -= 1
        if self._held[hold.regency] == 0:
            del self._held[hold.regency]

    def _is_blocked(self, regency: str) -> bool:
        return self._clock() - self._blocked.get(regency, float("-inf")) < BLOCKED_SECONDS

    def blocked(self, regency: str) -> None:
        """Say that nothing can be done in a regency just now."""
        with self._lock:
            self._blocked[regency] = self._clock()

    def waited(self, regency: str) -> None:
        """Say that an event got no turn: the regency is blocked if nothing has moved there meanwhile."""
        with self._lock:
            if self._clock() - self._moved.get(regency, float("-inf")) >= STALLED_SECONDS:
                self._blocked[regency] = self._clock()

    def moved(self, regency: str) -> None:
        """Say that an event of a regency was done."""
        with self._lock:
            self._moved[regency] = self._clock()
            self._blocked.pop(regency, None)


class Hold:
    """One event in hand."""

    def __init__(self, hands: Hands, regency: str) -> None:
        self.regency = regency
        self.released = False
        self._hands = hands

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._hands.let_go(self)

    def may_stay(self) -> bool:
        """Whether it may stay in hand; once told no, it counts no more."""
        return self._hands.keeps(self)
