"""When somebody who waits will be called, played forward: who comes before, at which counters, by ticketing's rules."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

LEAST_REMAINING = 0.25
"""Who is served longer than usual is taken to need another quarter of the usual time."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket that waits."""

    service: str
    priority: bool
    turn: float
    """Since when it waits, in seconds of the clock by which `expected_call` is asked."""
    number: int


@dataclass(frozen=True, slots=True)
class Serving:
    """A counter that calls."""

    id: str
    services: Sequence[str]
    busy_for: float | None = None
    """Seconds since its last call, while it is busy; ``None``: it is free."""
    busy_with: str | None = None
    """The service of whom it is busy with."""
    regular_calls: int | None = None
    """How many regular tickets it has called since its last priority call; ``None``: it begins with the priority lane."""


Pace = Callable[[Serving, str], float]
"""Seconds that a counter is taken by a call for a service."""


def expected_call(
    target: Waiting,
    waiting: Iterable[Waiting],
    counters: Sequence[Serving],
    pace: Pace,
    *,
    regular_per_priority: int,
    cap_seconds: float | None,
    now: float,
) -> float | None:
    """Return seconds of work until ``target`` is called; ``None`` when no counter serves it.

    Everybody is taken to need as long as is usual of late, and nobody else to come: whoever comes later is called later, but for
    priority.

    :param waiting: who waits at the site, ``target`` included.
    :param cap_seconds: the ageing cap of the site's policy.
    """
    lanes: dict[tuple[str, bool], deque[Waiting]] = defaultdict(deque)
    for each in sorted(waiting, key=lambda each: (each.turn, each.number)):
        lanes[each.service, each.priority].append(each)
    calls = [regular_per_priority if counter.regular_calls is None else counter.regular_calls for counter in counters]
    agenda = [(_free_in(counter, pace), index) for index, counter in enumerate(counters)]
    heapq.heapify(agenda)
    while agenda:
        free, index = heapq.heappop(agenda)
        counter = counters[index]
        priority, regular = _first(lanes, counter.services, True), _first(lanes, counter.services, False)
        called = _next(priority, regular, calls[index], regular_per_priority, cap_seconds, now + free)
        if called is None:
            continue  # nobody is left who could be called there
        if called is target:
            return free
        calls[index] = 0 if called.priority else calls[index] + 1
        lanes[called.service, called.priority].popleft()
        heapq.heappush(agenda, (free + pace(counter, called.service), index))
    return None


def _free_in(counter: Serving, pace: Pace) -> float:
    if counter.busy_for is None or counter.busy_with is None:
        return 0.0
    usual = pace(counter, counter.busy_with)
    return max(usual - counter.busy_for, usual * LEAST_REMAINING)


def _first(lanes: dict[tuple[str, bool], deque[Waiting]], services: Sequence[str], priority: bool) -> Waiting | None:
    first: Waiting | None = None
    for service in services:
        lane = lanes.get((service, priority))
        if lane and (first is None or (lane[0].turn, lane[0].number) < (first.turn, first.number)):
            first = lane[0]
    return first


def _next(
    priority: Waiting | None, regular: Waiting | None, calls: int, regular_per_priority: int, cap: float | None, now: float
) -> Waiting | None:
    """The rule of ticketing, `next_of`, to which a test keeps it: that one takes whole tickets."""
    if priority is None or regular is None:
        return priority or regular
    earlier = min(priority, regular, key=lambda each: (each.turn, each.number))
    if cap is not None and now - earlier.turn >= cap:
        return earlier
    return priority if calls >= regular_per_priority else regular
