"""A hall that exists in memory only: who comes, who calls whom by the rules of ticketing, and how long each waits.

Virtual minutes, no clock and no database: a day takes milliseconds, so that policies and estimates can be compared over
many days. Citizens are drawn as `mpp simulate` draws them; whose turn it is decides ticketing's own rule.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from deploy.simulation.hours import USUAL_HOURS
from deploy.simulation.malls import Desk, Mall
from deploy.simulation.people import Visitor, visitors
from services.ticketing.domain import QueuePolicy, Ticket, issued, next_of

MIDNIGHT = datetime(2026, 5, 3, 17, tzinfo=UTC)
"""Of a Monday, in western Indonesia."""

MISSED_AFTER = 3.0
"""Minutes until an officer gives up somebody who does not come."""

HALL = Mall(
    "virtual/hall",
    "hall",
    (
        Desk("hall-01", ("CPL-KTP", "CPL-KK")),
        Desk("hall-02", ("CPL-KTP", "CPL-KK")),
        Desk("hall-03", ("CPL-KTP", "CPL-AKT")),
        Desk("hall-04", ("BPN-CEK",)),
        Desk("hall-05", ("SAM-PJK", "SAM-BBN")),
        Desk("hall-06", ("SAM-PJK",)),
        Desk("hall-07", ("BPJ-KES", "BPJ-TK")),
        Desk("hall-08", ("PTS-IZN", "PTS-OSS")),
    ),
    ("kiosk",),
    USUAL_HOURS,
    3,
)
"""Counters with one service, with several, and services that are served at several counters."""


@dataclass(frozen=True)
class Regime:
    """What makes one day unlike another; the default is the day that `mpp simulate` plays."""

    by_service: Mapping[str, float] = field(default_factory=dict)
    """So many times the usual time at the counter."""
    by_desk: Mapping[str, float] = field(default_factory=dict)
    """Slow and fast officers."""
    drift: float = 0.0
    """By so much longer everything takes at the end of the day than at its beginning."""
    pauses: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    """By counter: from which minute until which it calls nobody, whoever it serves is served."""

    def factor(self, desk: Desk, service: str, minute: float) -> float:
        """Return how many times the usual time it takes."""
        passed = min(1.0, max(0.0, (minute - USUAL_HOURS.opening) / (USUAL_HOURS.periods[-1][1] - USUAL_HOURS.opening)))
        return self.by_service.get(service, 1.0) * self.by_desk.get(desk.id, 1.0) * (1 + self.drift * passed)

    def at_work(self, desk: Desk, minute: float) -> float:
        """Return the minute, or the next one in which the counter calls."""
        minute = USUAL_HOURS.at_work(minute)
        for begins, ends in self.pauses.get(desk.id, ()):
            if begins <= minute < ends:
                return USUAL_HOURS.at_work(ends)
        return minute

    def is_paused(self, desk: Desk, minute: float) -> bool:
        """Whether its officer has paused the counter, as everybody can see; the hours of the site are no pause."""
        return any(begins <= minute < ends for begins, ends in self.pauses.get(desk.id, ()))

    def busy(self, desk: Desk, called: Seen, minute: float) -> float:
        """Return the minutes that a counter is taken by a call."""
        if called.visitor.comes_at_recall is None:
            return MISSED_AFTER
        serving = called.visitor.served_for * self.factor(desk, called.ticket.service, minute)
        return called.visitor.walks + called.visitor.comes_at_recall + serving


USUAL = Regime()


@dataclass
class Seen:
    """What became of a citizen; minutes of the day."""

    ticket: Ticket
    visitor: Visitor
    estimates: dict[str, float] = field(default_factory=dict)
    """Minutes of waiting that each estimator promised at the kiosk."""
    called: float | None = None
    overtaken_after_cap: int = 0
    """How often somebody with a later turn was called first when this one had waited as long as the cap."""

    @property
    def waited(self) -> float:
        """Minutes until the call."""
        assert self.called is not None
        return self.called - self.visitor.arrives


class Hall:
    """The state of a day: who waits, and what the counters do."""

    def __init__(self, desks: Sequence[Desk], policy: QueuePolicy, regime: Regime = USUAL) -> None:
        self.desks = desks
        self.policy = policy
        self.regime = regime
        self.waiting: list[Seen] = []
        self.serving: dict[str, tuple[Seen, float]] = {}
        """By counter: whom it serves, and since when."""
        self.minute = 0.0
        self.regular_calls: dict[str, int] = defaultdict(lambda: policy.regular_per_priority)

    def call(self, desk: Desk) -> Seen | None:
        """Take the next citizen for a counter out of those who wait."""
        mine = [seen for seen in self.waiting if seen.ticket.service in desk.services]
        heads = {lane: next((seen for seen in mine if seen.ticket.lane == lane), None) for lane in ("priority", "regular")}
        now = instant(self.minute)
        tickets = {lane: None if head is None else head.ticket for lane, head in heads.items()}
        chosen = next_of(tickets["priority"], tickets["regular"], self.regular_calls[desk.id], self.policy, now)
        if chosen is None:
            return None
        self.regular_calls[desk.id] = self.regular_calls[desk.id] + 1 if chosen.lane == "regular" else 0
        called = next(seen for seen in mine if seen.ticket is chosen)
        self._count_overtaken(mine, called, now)
        self.waiting.remove(called)
        called.called = self.minute
        self.serving[desk.id] = called, self.minute
        return called

    def _count_overtaken(self, mine: Sequence[Seen], called: Seen, now: datetime) -> None:
        if self.policy.ageing_cap_minutes is None:
            return
        cap = timedelta(minutes=self.policy.ageing_cap_minutes)
        for seen in mine:
            seen.overtaken_after_cap += seen.ticket.turn < called.ticket.turn and now - seen.ticket.turn >= cap


Watch = Callable[[Hall, Seen, str], None]
"""Is told of ``issued``, ``called`` and ``done``, after it has happened."""


def play(
    day: int, policy: QueuePolicy, *, per_desk: int, priority_share: float, watch: Watch | None = None, regime: Regime = USUAL
) -> list[Seen]:
    """Play one day; return all citizens in order of arrival. The same for the same arguments."""
    rng = random.Random(f"lanes/{day}")
    people = visitors(HALL, per_desk * len(HALL.desks), 1, day)
    seen = [_seen(visitor, number, rng.random() < priority_share) for number, visitor in enumerate(people, 1)]
    hall, tie = Hall(HALL.desks, policy, regime), itertools.count()
    agenda: list[tuple[float, int, Seen | Desk]] = [(each.visitor.arrives, next(tie), each) for each in seen]
    agenda += [(USUAL_HOURS.opening, next(tie), desk) for desk in HALL.desks]
    heapq.heapify(agenda)
    idle: dict[str, Desk] = {}
    while agenda:
        hall.minute, _, what = heapq.heappop(agenda)
        if isinstance(what, Seen):
            hall.waiting.append(what)
            if watch is not None:
                watch(hall, what, "issued")
        else:
            idle[what.id] = what
            if watch is not None and what.id in hall.serving:
                watch(hall, hall.serving[what.id][0], "done")
            hall.serving.pop(what.id, None)
        for desk in list(idle.values()):
            at_work = regime.at_work(desk, hall.minute)
            if at_work > hall.minute:
                heapq.heappush(agenda, (at_work, next(tie), idle.pop(desk.id)))
            elif (called := hall.call(desk)) is not None:
                heapq.heappush(agenda, (hall.minute + regime.busy(desk, called, hall.minute), next(tie), idle.pop(desk.id)))
                if watch is not None:
                    watch(hall, called, "called")
    return seen


def instant(minute: float) -> datetime:
    """Return the instant of a minute of the day."""
    return MIDNIGHT + timedelta(minutes=minute)


def _seen(visitor: Visitor, number: int, has_priority: bool) -> Seen:
    arrived = instant(visitor.arrives)
    ticket = Ticket(
        id=str(number),
        visit=str(number),
        site="hall",
        business_date=date(2026, 5, 4),
        agency=visitor.service.partition("-")[0],
        service=visitor.service,
        prefix="A",
        number=number,
        channel="kiosk",
        status="waiting",
        priority_class="elderly" if has_priority else None,
        arrived_at=arrived,
        issued_at=arrived,
    )
    return Seen(issued(ticket, None), visitor)
