"""A bound on the whole of something that waits for others: each wait has its own timeout, a slow drip none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import eventlet.patcher
from eventlet import Timeout


class TimeLimitExceeded(Exception):
    """It took longer than it may."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeLimitExceeded` in the block after so many seconds, at the next wait.

    Only in a green process: elsewhere nothing can interrupt a thread, and the timeouts of the single waits have to do.
    """
    if not eventlet.patcher.is_monkey_patched("socket"):
        yield
        return
    with Timeout(seconds, TimeLimitExceeded()):
        yield
