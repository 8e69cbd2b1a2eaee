"""The shape of an MPP day: when a mall works, and when people come. Minutes count from local midnight."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

DOORS_BEFORE_OPENING = 45.0
"""Numbers are taken before the counters open: people queue from early morning."""

LAST_NUMBER_BEFORE_CLOSING = 60.0
"""No numbers in the last hour, so that everybody can be served."""

_ARRIVALS = ((0.0, 0.7), (0.06, 1.0), (0.22, 1.0), (0.42, 0.5), (0.52, 0.15), (0.6, 0.15), (0.68, 0.45), (0.85, 0.3), (1.0, 0.05))
"""How many come, relative to the morning's peak, by the share of the time in which numbers are taken; linear in between."""


@dataclass(frozen=True)
class Hours:
    """The periods in which the counters of a mall work, in order."""

    periods: tuple[tuple[float, float], ...] = ((480.0, 720.0), (780.0, 960.0))

    @property
    def doors(self) -> float:
        """From when numbers are taken."""
        return max(0.0, self.opening - DOORS_BEFORE_OPENING)

    @property
    def opening(self) -> float:
        """When the counters begin."""
        return self.periods[0][0]

    @property
    def last_number(self) -> float:
        """Until when numbers are taken."""
        return max(self.opening + 1, self.periods[-1][1] - LAST_NUMBER_BEFORE_CLOSING)

    def at_work(self, minute: float) -> float:
        """Return the minute, or the next one at which counters work; after closing time they serve whoever still waits."""
        for opening, closing in self.periods:
            if minute < closing:
                return max(minute, opening)
        return minute


USUAL_HOURS = Hours()
"""08:00 to 16:00 with an hour at noon, for sites that have published none."""


def hours_of(week: Mapping[str, Sequence[Mapping[str, str]]], weekday: str) -> Hours:
    """Return a weekday's hours by the catalogue; those of another day where the site is closed that day, or the usual ones."""
    periods = week.get(weekday) or next((week[day] for day in week if week[day]), None)
    if not periods:
        return USUAL_HOURS
    return Hours(tuple((_minutes(period["open"]), _minutes(period["close"])) for period in periods))


def arrival(hours: Hours, rng: random.Random) -> float:
    """Draw the minute at which somebody takes a number: a peak in the morning, few at noon, some in the afternoon."""
    while True:
        share = rng.random()
        if rng.random() <= _relative(share):
            return hours.doors + share * (hours.last_number - hours.doors)


def _relative(share: float) -> float:
    for (left, low), (right, high) in pairwise(_ARRIVALS):
        if share <= right:
            return low + (high - low) * (share - left) / (right - left)
    return _ARRIVALS[-1][1]


def _minutes(clock: str) -> float:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60.0 + int(minutes)
