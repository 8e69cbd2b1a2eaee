"""Ctrl-C while the platform is being prepared: noted at once, heeded at the next step.

Python would raise ``KeyboardInterrupt`` wherever the process happens to be. In the event loop, or in a callback of the
database driver, it is swallowed and the start goes on as if nothing had been said.
"""

from __future__ import annotations

import os
import signal
from typing import Any


class Interruption:
    """Takes SIGINT and SIGTERM over until the running platform has handlers of its own."""

    def __init__(self) -> None:
        self._received = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: Any) -> None:
        if self._received:
            os._exit(128 + number)  # asked twice; the servers' guards stop them
        self._received = True

    def heed(self) -> None:
        """Raise ``KeyboardInterrupt`` when an end was asked for."""
        if self._received:
            self._received = False
            raise KeyboardInterrupt
