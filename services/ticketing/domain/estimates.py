"""How long it takes: the pace of a service, and the wait that follows from it."""

from __future__ import annotations

DEFAULT_SERVING_SECONDS = 600.0
"""Assumed until a service has been observed."""

PACE_WEIGHT = 0.1
"""Weight of the newest service in the moving average, once ten have been seen."""


def estimated_wait(ahead: int, mean_seconds: float | None, counters: int) -> int | None:
    """Return seconds until the turn: waiting ahead x mean serving time / counters that serve it; ``None`` while there are none."""
    if counters == 0:
        return None
    mean = DEFAULT_SERVING_SECONDS if mean_seconds is None else mean_seconds
    return round(ahead * mean / counters)


def new_pace(mean_seconds: float, samples: int, seconds: float) -> float:
    """Return the moving average of serving seconds after one more observation.

    :param samples: how many observations ``mean_seconds`` stands for so far.
    """
    weight = max(PACE_WEIGHT, 1 / (samples + 1))
    return mean_seconds + weight * (seconds - mean_seconds)
