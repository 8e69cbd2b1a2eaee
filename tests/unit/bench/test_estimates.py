"""Estimators of the wait, compared over simulated days."""

import random
from datetime import timedelta

import pytest

from services.ticketing.domain import QueuePolicy, next_of
from tests.bench.estimates import AIM_PERCENT, BASELINES, WINNER, Errors, compared, table
from tests.bench.estimates import PAGE as ESTIMATES
from tests.bench.expected_call import Serving, Waiting, expected_call
from tests.unit.ticketing.example import NOON, ticket

pytestmark = pytest.mark.unit

MINUTES_EACH = 7


def expected(waiting, counters, policy=None):
    policy = policy or QueuePolicy()
    cap = policy.ageing_cap_minutes
    return [
        expected_call(
            each,
            waiting,
            counters,
            lambda _, service: 600.0 if service == "slow" else 60.0 * MINUTES_EACH,
            regular_per_priority=policy.regular_per_priority,
            cap_seconds=None if cap is None else 60.0 * cap,
            now=NOON.timestamp(),
        )
        for each in waiting
    ]


def waits(service: str, number: int, *, priority: bool = False) -> Waiting:
    return Waiting(service, priority, NOON.timestamp() - 100 + number, number)


@pytest.mark.parametrize(
    "policy", [QueuePolicy(), QueuePolicy(regular_per_priority=2), QueuePolicy(regular_per_priority=1, ageing_cap_minutes=25)]
)
@pytest.mark.parametrize("seed", range(5))
def test_calls_in_the_order_of_ticketing(policy, seed):
    """At one counter: also when the ageing cap steps in meanwhile."""
    rng = random.Random(seed)
    tickets = [
        ticket(number=number, priority_class=rng.choice((None, "elderly")), arrived_at=NOON - timedelta(minutes=rng.uniform(0, 60)))
        for number in range(1, 20)
    ]
    waiting = [Waiting(each.service, each.lane == "priority", each.turn.timestamp(), each.number) for each in tickets]
    told = dict(zip((each.number for each in waiting), expected(waiting, [Serving("1", ["CPL-KTP"])], policy), strict=True))
    left, now, calls = sorted(tickets, key=lambda each: each.turn), NOON, policy.regular_per_priority
    while left:
        lanes = {lane: next((each for each in left if each.lane == lane), None) for lane in ("priority", "regular")}
        called = next_of(lanes["priority"], lanes["regular"], calls, policy, now)
        assert called is not None
        assert told[called.number] == pytest.approx((now - NOON).total_seconds())
        calls = calls + 1 if called.lane == "regular" else 0
        left.remove(called)
        now += timedelta(minutes=MINUTES_EACH)


def test_counts_those_of_other_services_who_are_called_to_the_same_counters():
    waiting = [waits("slow", 1), waits("quick", 2), waits("slow", 3)]
    assert expected(waiting, [Serving("1", ["slow", "quick"])]) == [0, 600, 600 + 60 * MINUTES_EACH]
    assert expected(waiting, [Serving("1", ["slow"]), Serving("2", ["quick"])]) == [0, 0, 600]


def test_waits_for_who_is_served_now():
    [soon] = expected([waits("slow", 1)], [Serving("1", ["slow"], busy_for=400, busy_with="slow")])
    [overdue] = expected([waits("slow", 1)], [Serving("1", ["slow"], busy_for=4000, busy_with="slow")])
    assert (soon, overdue) == (200, 150)


def test_tells_nothing_when_no_counter_serves_it():
    assert expected([waits("slow", 1)], [Serving("1", ["quick"])]) == [None]


def test_the_best_estimator_is_right_enough_on_every_kind_of_day():
    for case, seen in compared().items():
        best = Errors.of(seen, WINNER).median_percent
        assert best < AIM_PERCENT, case
        assert all(best < Errors.of(seen, other).median_percent for other in BASELINES), case


def test_the_published_comparison_of_estimates_is_what_they_do():
    assert table() in ESTIMATES.read_text(encoding="utf-8")
