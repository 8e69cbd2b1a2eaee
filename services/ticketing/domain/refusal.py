"""How a rule of the queue says no."""

from __future__ import annotations

from typing import Any


class QueueRefusal(Exception):
    """A rule of the queue was broken; ``code`` is stable, ``details`` are safe to show."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details
