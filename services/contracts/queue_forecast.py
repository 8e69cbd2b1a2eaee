"""When those who wait will be called, played forward by ticketing's rules: ticketing answers it, and boards must say the same.

Everybody who waits is called in the order of the rules at the counter that is free first and serves the service. Each call
takes a counter as long as is usual of late, and nobody else is taken to come. Decision 0033 says how right that is.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

LEAST_REMAINING = 0.25
"""Who is served longer than usual is taken to need another quarter of the usual time."""

AS_OF_SECONDS = 60
"""Places are told as of the whole minute, so that whoever is asked says the same, and phones need no news each second."""


class Waiting(NamedTuple):
    """A ticket that waits; those with the earlier turn are less."""

    turn: int
    """Since when it waits, as its turn counts: microseconds of the Unix clock."""
    number: int
    service: str
    priority: bool


class AtCounter(NamedTuple):
    """Somebody who is called or served at a counter."""

    since: float
    """When the call was, Unix seconds."""
    service: str


@dataclass(frozen=True, slots=True)
class Calling:
    """A counter that calls."""

    id: str
    services: Sequence[str]
    busy: Sequence[AtCounter] = ()
    """Whom it has now, in order of their calls."""
    regular_calls: int | None = None
    """How many regular tickets it has called since its last priority call; ``None``: it begins with the priority lane."""


Pace = Callable[[Calling, str], float]
"""Seconds that a counter is taken by a call for a service."""


@dataclass(frozen=True)
class Hall:
    """A site as far as it decides who is called when."""

    waiting: Sequence[Waiting]
    counters: Sequence[Calling]
    """Those that call: only open ones where officers say which are."""
    pace: Pace
    regular_per_priority: int = 0
    cap_seconds: float | None = None
    """The ageing cap of the site's policy."""
    working: Sequence[tuple[float, float]] = ()
    """When the site works today, Unix seconds, in order. Without any, and after the last, it is taken to be at work."""


class Place(NamedTuple):
    """Where a ticket stands."""

    ahead: int
    """So many are called before it for the same service."""
    seconds: int | None
    """Until its call; ``None``: no counter that calls serves it."""


@dataclass(frozen=True)
class Forecast:
    """What is told of a hall."""

    places: dict[Waiting, Place] = field(default_factory=dict)
    newcomers: dict[str, int] = field(default_factory=dict)
    """By service: seconds until the call for who takes a number now, without priority. What no counter serves is missing."""


def forecast(hall: Hall, now: float, service: str | None = None) -> Forecast:
    """Play a hall forward from the whole minute of ``now`` (Unix seconds).

    :param service: what is asked for; only what can change its calls is looked at. ``None``: everything.
    """
    now -= now % AS_OF_SECONDS
    services = None if service is None else _sharing(service, hall.counters)
    play = _Play(hall, now, services)
    clock = _Clock(hall, now)
    told, called = Forecast(), defaultdict[str, int](int)
    for free, ticket, newcomers in play.calls():
        for each in newcomers:
            told.newcomers[each] = clock.until(free)
        if ticket is not None:
            seconds = clock.until(free) if ticket.service in play.served else None
            told.places[ticket] = Place(called[ticket.service], seconds)
            called[ticket.service] += 1
    return told


def _sharing(service: str, counters: Iterable[Calling]) -> set[str]:
    """Return the services that share a counter with one, or with one that does, and so on: others cannot matter to it."""
    found, left = {service}, [set(counter.services) for counter in counters]
    while joined := [each for each in left if not found.isdisjoint(each)]:
        left = [each for each in left if found.isdisjoint(each)]
        found.update(*joined)
    return found


class _Play:
    """One game: who waits in which lane, and which counter is free when, in seconds of work from now."""

    def __init__(self, hall: Hall, now: float, services: set[str] | None) -> None:
        self._now = now
        self._hall = hall
        self._lanes: dict[tuple[str, bool], deque[Waiting]] = {}
        for each in sorted(hall.waiting if services is None else (each for each in hall.waiting if each.service in services)):
            self._lanes.setdefault((each.service, each.priority), deque()).append(each)
        counters = [counter for counter in hall.counters if services is None or not services.isdisjoint(counter.services)]
        self.served = {service for counter in counters for service in counter.services}
        unserved = sorted({service for service, _ in self._lanes} - self.served)
        # What no counter serves has an order all the same: that of one that would.
        self._counters = [*counters, *(Calling("", (service,)) for service in unserved)]

    def calls(self) -> Iterable[tuple[float, Waiting | None, set[str]]]:
        """Yield each call in order, and for which services somebody who comes now would be called at that moment instead."""
        hall, awaited = self._hall, set(self.served)
        k = hall.regular_per_priority
        regular_calls = [k if counter.regular_calls is None else counter.regular_calls for counter in self._counters]
        lanes = [
            [[lane for service in counter.services if (lane := self._lanes.get((service, priority)))] for priority in (True, False)]
            for counter in self._counters
        ]
        agenda = [(self._free_in(counter), index) for index, counter in enumerate(self._counters)]
        heapq.heapify(agenda)
        while agenda:
            free, index = agenda[0]
            counter = self._counters[index]
            priority, regular = (min((lane[0] for lane in some if lane), default=None) for some in lanes[index])
            called = _next(priority, regular, regular_calls[index], k, hall.cap_seconds, self._now + free)
            newcomers: set[str] = set()
            if regular is None and awaited and (priority is None or not self._first(priority, regular_calls[index], free)):
                newcomers = awaited.intersection(counter.services)
                awaited -= newcomers
            yield free, called, newcomers
            if called is None:
                heapq.heappop(agenda)  # nobody is left who could be called there
                continue
            regular_calls[index] = 0 if called.priority else regular_calls[index] + 1
            self._lanes[called.service, called.priority].popleft()
            heapq.heapreplace(agenda, (free + hall.pace(counter, called.service), index))

    def _first(self, priority: Waiting, regular_calls: int, free: float) -> bool:
        """Whether somebody with priority is called before a newcomer without."""
        hall, newcomer = self._hall, Waiting(_LATEST, 0, "", False)
        return _next(priority, newcomer, regular_calls, hall.regular_per_priority, hall.cap_seconds, self._now + free) is priority

    def _free_in(self, counter: Calling) -> float:
        if not counter.busy:
            return 0.0
        (since, service), *later = counter.busy
        usual = self._hall.pace(counter, service)
        rest = max(usual - max(0.0, self._now - since), usual * LEAST_REMAINING)
        return rest + sum(self._hall.pace(counter, each.service) for each in later)


_LATEST = 1 << 62


def _next(
    priority: Waiting | None, regular: Waiting | None, calls: int, regular_per_priority: int, cap: float | None, now: float
) -> Waiting | None:
    """The rule of ticketing, `next_of`, to which a test keeps it: that one takes whole tickets."""
    if priority is None or regular is None:
        return priority or regular
    if cap is not None:
        earlier = min(priority, regular)
        if now - earlier.turn / 1_000_000 >= cap:
            return earlier
    return priority if calls >= regular_per_priority else regular


class _Clock:
    """Turns seconds of work into seconds: nobody is called before the opening and during a break.

    Unless somebody was: where a call was made out of hours, the counters are at work now, whatever stands in the calendar.
    """

    def __init__(self, hall: Hall, now: float) -> None:
        self._now = self._at = now
        self._breaks = [(closes, opens) for (_, closes), (opens, _) in pairwise(hall.working)]
        opens = next((opens for opens, closes in hall.working if now < closes), now)
        closed = max((closes for _, closes in hall.working if closes <= now), default=0.0)
        at_work = any(closed < each.since for counter in hall.counters for each in counter.busy)
        if opens > now and not at_work:
            self._at = opens

    def until(self, work: float) -> int:
        """Return seconds from now until so many seconds of work are done."""
        at = self._at
        for closes, opens in self._breaks:
            if at < closes <= at + work:
                at, work = opens, work - (closes - at)
        return round(at + work - self._now)
