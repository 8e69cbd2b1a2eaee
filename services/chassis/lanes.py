"""Doing things side by side, so that a slow one holds up few others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable


class Lanes:
    """Runs up to ``width`` actions at a time, never two of one key; with a width of 0 at once and in the caller's thread."""

    def __init__(self, name: str, width: int) -> None:
        self._name = name
        self.width = width
        self._under_way: set[Hashable] = set()
        self._changed = threading.Condition()

    def offer(self, key: Hashable, action: Callable[[], object]) -> bool:
        """Begin an action unless all lanes are taken or one of this key is under way; return whether it was begun.

        The action must not raise.
        """
        if self.width == 0:
            action()
            return True
        with self._changed:
            if key in self._under_way or len(self._under_way) >= self.width:
                return False
            self._under_way.add(key)
        threading.Thread(target=self._run, args=(key, action), name=f"{self._name}-{key}", daemon=True).start()
        return True

    def _run(self, key: Hashable, action: Callable[[], object]) -> None:
        try:
            action()
        finally:
            with self._changed:
                self._under_way.discard(key)
                self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is under way; return whether that came to be in time."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._under_way:
                if not self._changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    return False
        return True
