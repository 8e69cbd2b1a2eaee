"""How far estimates of the wait are off, over simulated days: ``python -m tests.bench.estimates [--publish | --tune]``.

Each estimator is asked when a number is taken, knows what ticketing knows at that moment, and is compared with the call.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean, median, quantiles

import pygal

from deploy.simulation.hours import USUAL_HOURS
from deploy.simulation.malls import Desk
from deploy.simulation.people import visitors
from services.contracts.queue_forecast import AtCounter, Calling, Hall, Place, Waiting, forecast
from services.ticketing.domain import DEFAULT_SERVING_SECONDS, QueuePolicy, new_pace
from tests.bench.charts import chart_of, svg_of
from tests.bench.virtual_hall import HALL, MISSED_AFTER, Regime, Seen, instant, play
from tests.bench.virtual_hall import Hall as VirtualHall

DAYS = 5
"""Of each regime; the first one is not counted: it only teaches how long serving takes."""

LONG = 10.0
"""Minutes: who waits less needs no estimate to go away and come back."""

AIM_PERCENT = 25.0
RECENT_MINUTES = 60.0
"""How far back calls are counted by the estimator that looks at them; the best of 20, 30, 45, 60 and 90 on the days for tuning."""

BY_SERVICE: Mapping[str, float] = {
    "CPL-KTP": 0.7,
    "CPL-KK": 0.8,
    "CPL-AKT": 1.2,
    "BPN-CEK": 1.2,
    "SAM-PJK": 0.6,
    "SAM-BBN": 1.1,
    "BPJ-KES": 0.9,
    "BPJ-TK": 1.1,
    "PTS-IZN": 1.2,
    "PTS-OSS": 1.3,
}
BY_DESK: Mapping[str, float] = {"hall-01": 1.3, "hall-02": 0.85, "hall-05": 1.25, "hall-06": 0.8}


def _pauses(seed: int) -> Mapping[str, tuple[tuple[float, float], ...]]:
    """Most officers leave their counters once or twice a day, for 10 to 30 minutes."""
    rng = random.Random(f"pauses/{seed}")
    pauses: dict[str, tuple[tuple[float, float], ...]] = {}
    for desk in HALL.desks:
        begins = [rng.uniform(500, 700), rng.uniform(790, 900)][: rng.choice((0, 1, 1, 2))]
        pauses[desk.id] = tuple((begin, begin + rng.uniform(10, 30)) for begin in begins)
    return pauses


@dataclass(frozen=True)
class Case:
    """A kind of day."""

    name: str
    per_desk: int = 26
    priority_share: float = 0.15
    policy: QueuePolicy = QueuePolicy()  # noqa: RUF009 - frozen
    slow: bool = False
    drift: float = 0.0
    pauses: bool = False

    def regime(self, day: int) -> Regime:
        """Return what makes a day of this kind."""
        return Regime(BY_SERVICE, BY_DESK if self.slow else {}, self.drift, _pauses(day) if self.pauses else {})


_FAIR = QueuePolicy(regular_per_priority=2, ageing_cap_minutes=90)
TUNING = Case("for tuning", slow=True, drift=0.15, pauses=True), 1000
CASES = (
    Case("busy"),
    Case("quieter: 17 citizens for each counter", per_desk=17),
    Case("slow and fast officers", slow=True),
    Case("slower by 40 % until the evening", drift=0.4),
    Case("pauses of 10 to 30 minutes", pauses=True),
    Case("40 % priority, 2 regular calls for each, cap 90 min", priority_share=0.4, policy=_FAIR),
    Case("all of it", priority_share=0.25, policy=_FAIR, slow=True, drift=0.3, pauses=True),
)
RULE, RULE_AND_HOURS, THROUGHPUT, FORWARD, ORACLE = (
    "formerly: ahead x mean / counters",
    "a: the same, at work only",
    "b: calls of the last hour",
    "c: played forward, as the product does",
    "knows every mean",
)
ESTIMATORS = (RULE, RULE_AND_HOURS, THROUGHPUT, FORWARD, ORACLE)
BASELINES, WINNER = (RULE, RULE_AND_HOURS, THROUGHPUT), FORWARD


@dataclass
class Clerk:
    """What ticketing has learned, and what each estimator makes of it. Learned is kept from day to day."""

    case: Case
    served: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By service: how many were served, and the mean seconds of serving alone."""
    taken: dict[str, tuple[int, float]] = field(default_factory=dict)
    """The same of the time for which the counter was taken, from call to call."""
    calls: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    """By service: the minutes of today's calls."""

    def watch(self, hall: VirtualHall, seen: Seen, what: str) -> None:
        """Learn from what happens in the hall, and estimate for who has just come."""
        service = seen.ticket.service
        if what == "called":
            self.calls[service].append(hall.minute)
        elif what == "done":
            assert seen.called is not None
            busy = 60 * (hall.minute - seen.called)
            if seen.visitor.comes_at_recall is not None:
                walked = 60 * (seen.visitor.walks + seen.visitor.comes_at_recall)
                self._learn(self.served, service, busy - walked)
                self._learn(self.taken, service, busy)
        else:
            seen.estimates = {name: value for name in ESTIMATORS if (value := self._estimate(name, hall, seen)) is not None}

    def _learn(self, means: dict[str, tuple[int, float]], service: str, seconds: float) -> None:
        samples, mean = means.get(service, (0, 0.0))
        means[service] = samples + 1, new_pace(mean, samples, seconds)

    def _estimate(self, name: str, hall: VirtualHall, seen: Seen) -> float | None:
        service = seen.ticket.service
        desks = [desk for desk in hall.desks if not hall.regime.is_paused(desk, hall.minute)]
        counters = [desk for desk in desks if service in desk.services]
        if not counters:
            return None
        ahead = self._ahead(hall, seen)
        mean = self.served.get(service, (0, None))[1]
        rule = ahead * (DEFAULT_SERVING_SECONDS if mean is None else mean) / len(counters)
        if name == RULE:
            return rule / 60
        if name == RULE_AND_HOURS:
            return _on_the_clock(hall.minute, rule / 60)
        if name == THROUGHPUT:
            worked = _worked(hall.minute)
            recent = [at for at in self.calls[service] if worked - _worked(at) <= RECENT_MINUTES]
            if len(recent) < 3:  # too few to tell
                return _on_the_clock(hall.minute, rule / 60)
            return _on_the_clock(hall.minute, (ahead + 1) * min(worked, RECENT_MINUTES) / len(recent))
        told = self._played(hall, seen, desks, knows=name == ORACLE).seconds
        return None if told is None else told / 60

    def _ahead(self, hall: VirtualHall, seen: Seen) -> int:
        same = [other for other in hall.waiting if other is not seen and other.ticket.service == seen.ticket.service]
        in_lane = sum(other.ticket.lane == seen.ticket.lane for other in same)
        return ahead_of(
            has_priority=seen.ticket.lane == "priority",
            in_lane=in_lane,
            in_other_lane=len(same) - in_lane,
            regular_per_priority=hall.policy.regular_per_priority,
        )

    def _played(self, hall: VirtualHall, seen: Seen, desks: Sequence[Desk], *, knows: bool) -> Place:
        by_id = {desk.id: desk for desk in desks}

        def learned(_: Calling, service: str) -> float:
            return self.taken.get(service, (0, DEFAULT_SERVING_SECONDS))[1]

        def known(counter: Calling, service: str) -> float:
            return _true_mean(hall.regime.factor(by_id[counter.id], service, hall.minute))

        cap = hall.policy.ageing_cap_minutes
        now = Hall(
            [_waiting(each) for each in hall.waiting],
            [_calling(hall, desk) for desk in desks],
            known if knows else learned,
            hall.policy.regular_per_priority,
            None if cap is None else 60.0 * cap,
            [(_unix(opens), _unix(closes)) for opens, closes in USUAL_HOURS.periods],
        )
        return forecast(now, _unix(hall.minute), seen.ticket.service).places[_waiting(seen)]


def ahead_of(*, has_priority: bool, in_lane: int, in_other_lane: int, regular_per_priority: int) -> int:
    """Return how many are called before a ticket by the former rule, which knew no ageing cap.

    :param in_lane: those of its own lane with an earlier turn.
    :param in_other_lane: all who wait in the other lane.
    :param regular_per_priority: so many regular calls follow each priority call; 0: priority always first.
    """
    if has_priority:
        return in_lane + min(in_other_lane, in_lane * regular_per_priority)
    overtaking = in_other_lane if regular_per_priority == 0 else in_lane // regular_per_priority + 1
    return in_lane + min(in_other_lane, overtaking)


def _unix(minute: float) -> float:
    return instant(minute).timestamp()


def _waiting(seen: Seen) -> Waiting:
    return Waiting(round(1_000_000 * _unix(seen.visitor.arrives)), seen.ticket.number, seen.ticket.service, seen.ticket.lane == "priority")


def _calling(hall: VirtualHall, desk: Desk) -> Calling:
    seen, since = hall.serving.get(desk.id, (None, 0.0))
    busy = () if seen is None else (AtCounter(_unix(since), seen.ticket.service),)
    return Calling(desk.id, desk.services, busy, hall.regular_calls.get(desk.id))


@cache
def _parts_of_a_call() -> tuple[float, float]:
    """Mean seconds of walking and waiting for who does not come, and of serving as usual, over all citizens there might be."""
    drawn = visitors(HALL, 4000, 77, 0)
    away = fmean(MISSED_AFTER if each.comes_at_recall is None else each.walks + each.comes_at_recall for each in drawn)
    return 60 * away, 60 * fmean(0.0 if each.comes_at_recall is None else each.served_for for each in drawn)


def _true_mean(factor: float) -> float:
    away, serving = _parts_of_a_call()
    return away + factor * serving


def _worked(minute: float) -> float:
    """Minutes of work until a minute of the day."""
    return sum(max(0.0, min(minute, closing) - opening) for opening, closing in USUAL_HOURS.periods)


def _on_the_clock(minute: float, work: float) -> float:
    """Return minutes until so much work is done: nobody is called before the opening and during the break."""
    at = USUAL_HOURS.at_work(minute)
    for opening, closing in USUAL_HOURS.periods[:-1]:
        if opening <= at < closing and at + work >= closing:
            work -= closing - at
            at = USUAL_HOURS.at_work(closing)
    return at + work - minute


@dataclass(frozen=True)
class Errors:
    """How far an estimator was off, for waits of more than ten minutes; percent of the real wait, bias in minutes."""

    compared: int
    untold: int
    """Who waited so long and was told nothing, because no counter for it was open."""
    median_percent: float
    p90_percent: float
    within_25_percent: float
    bias: float

    @classmethod
    def of(cls, seen: Sequence[Seen], name: str) -> Errors:
        """Compare what was told with what came."""
        long = [(each.estimates[name], each.waited) for each in seen if each.waited > LONG and name in each.estimates]
        untold = sum(each.waited > LONG and name not in each.estimates for each in seen)
        off = [100 * abs(told - waited) / waited for told, waited in long]
        within = 100 * fmean(percent <= 25 for percent in off)
        return cls(len(long), untold, median(off), quantiles(off, n=10)[-1], within, fmean(told - waited for told, waited in long))


def played(case: Case, first_day: int, days: int = DAYS) -> list[Seen]:
    """Play days of a kind; return the citizens of all but the first, each with what every estimator told."""
    clerk, seen = Clerk(case), []
    for day in range(first_day, first_day + days):
        clerk.calls.clear()
        of_day = play(
            day, case.policy, per_desk=case.per_desk, priority_share=case.priority_share, watch=clerk.watch, regime=case.regime(day)
        )
        seen += of_day if day > first_day else []
    return seen


def _line(label: str, name: str, seen: Sequence[Seen]) -> str:
    errors = Errors.of(seen, name)
    return (
        f"| {label} | {name} | {errors.compared} | {errors.untold} | {errors.median_percent:.1f} % | {errors.p90_percent:.0f} % "
        f"| {errors.within_25_percent:.0f} % | {errors.bias:+.1f} |"
    )


@cache
def compared() -> Mapping[str, Sequence[Seen]]:
    """Return the citizens of all days by kind of day."""
    return {case.name: played(case, 100 * number) for number, case in enumerate(CASES)}


def table() -> str:
    """Return the comparison as Markdown."""
    lines = [
        "| days | estimator | waits above 10 min | none told | median error | 9 of 10 below | within 25 % | bias, min |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case, seen in compared().items():
        lines += [_line(case, name, seen) for name in ESTIMATORS]
    everybody = [each for seen in compared().values() for each in seen]
    lines += [_line("**all days**", name, everybody) for name in ESTIMATORS]
    return "\n".join(lines) + "\n"


PAGE = Path(__file__).parents[2] / "deploy" / "benchmarks" / "estimates.md"
BEGIN, END = "<!-- table: written by python -m tests.bench.estimates --publish -->\n\n", "\n<!-- end of table -->"


def chart() -> str:
    """Return the median errors as SVG."""
    drawn = chart_of(
        pygal.HorizontalBar, "Median error of the estimated wait, waits above ten minutes", compared(), "", formatter=lambda x: f"{x:.0f} %"
    )
    drawn.width, drawn.height = 900, 900
    for name in ESTIMATORS:
        drawn.add(name, [round(Errors.of(seen, name).median_percent, 1) for seen in compared().values()])
    return svg_of(drawn)


def main() -> None:
    """Print the table, or write it into its page; ``--tune``: the days for tuning only."""
    if "--tune" in sys.argv:
        seen = played(*TUNING)
        print("\n".join(_line("tuning", name, seen) for name in ESTIMATORS))  # noqa: T201 - its purpose
        return
    made = table()
    if "--publish" not in sys.argv:
        print(made, end="")  # noqa: T201 - its purpose
        return
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + BEGIN + made + END + rest.partition(END)[2], encoding="utf-8")
    PAGE.with_suffix(".svg").write_text(chart(), encoding="utf-8")


if __name__ == "__main__":
    main()
