"""CPU-heavy calls (argon2, documents) leave the event loop, so that a slow one does not stall every other request."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import eventlet.patcher
from eventlet import tpool

THREADS = 2
"""Real threads per process. Each keeps the memory of the largest hash it ever made; eventlet's 20 kept 400 MB."""

tpool.set_num_threads(THREADS)

P = ParamSpec("P")
R = TypeVar("R")


def offload(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run ``function`` in a real thread when the process is green, directly otherwise; return or raise its outcome."""
    if eventlet.patcher.is_monkey_patched("socket"):
        outcome: R = tpool.execute(function, *args, **kwargs)
        return outcome
    return function(*args, **kwargs)
