"""How long it takes: the pace of a service, from which follows who is called when (`services.contracts.queue_forecast`)."""

from __future__ import annotations

DEFAULT_SERVING_SECONDS = 600.0
"""That a call takes a counter; assumed until a service has been observed."""

PACE_WEIGHT = 0.1
"""Weight of the newest service in the moving average, once ten have been seen."""


def new_pace(mean_seconds: float, samples: int, seconds: float) -> float:
    """Return the moving average of the seconds that a call takes a counter, after one more observation.

    :param samples: how many observations ``mean_seconds`` stands for so far.
    """
    weight = max(PACE_WEIGHT, 1 / (samples + 1))
    return mean_seconds + weight * (seconds - mean_seconds)
