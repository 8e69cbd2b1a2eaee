"""Who is called next when both lanes wait, and that nobody starves."""

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ticketing.domain import QueuePolicy, next_of
from tests.bench.fairness import PAGE, table
from tests.unit.ticketing.example import NOON, ticket

pytestmark = pytest.mark.unit


def waiting(minutes: float, priority_class: str | None = None, number: int = 1):
    return ticket(priority_class=priority_class, number=number, arrived_at=NOON - timedelta(minutes=minutes))


def chosen(policy: QueuePolicy, *, priority: float, regular: float, regular_calls: int = 0) -> str:
    """Lane of the next, of two who have waited so many minutes."""
    called = next_of(waiting(priority, "elderly"), waiting(regular), regular_calls, policy, NOON)
    assert called is not None
    return called.lane


class TestNext:
    def test_is_whoever_there_is(self):
        alone = waiting(5)
        assert next_of(None, alone, 0, QueuePolicy(regular_per_priority=3), NOON) == alone
        assert next_of(alone, None, 0, QueuePolicy(regular_per_priority=3), NOON) == alone
        assert next_of(None, None, 0, QueuePolicy(), NOON) is None

    def test_strict_priority_is_always_first(self):
        assert chosen(QueuePolicy(), priority=0, regular=600, regular_calls=0) == "priority"

    @pytest.mark.parametrize(("regular_calls", "lane"), [(0, "regular"), (2, "regular"), (3, "priority"), (9, "priority")])
    def test_after_k_regular_calls_priority_is_next(self, regular_calls, lane):
        assert chosen(QueuePolicy(regular_per_priority=3), priority=5, regular=5.5, regular_calls=regular_calls) == lane

    @pytest.mark.parametrize(("regular", "lane"), [(29.9, "priority"), (30, "regular"), (200, "regular")])
    def test_who_has_waited_as_long_as_the_cap_is_not_overtaken(self, regular, lane):
        assert chosen(QueuePolicy(ageing_cap_minutes=30), priority=1, regular=regular) == lane

    def test_the_cap_holds_for_both_lanes(self):
        policy = QueuePolicy(regular_per_priority=3, ageing_cap_minutes=30)
        assert chosen(policy, priority=40, regular=35, regular_calls=0) == "priority"
        assert chosen(policy, priority=35, regular=40, regular_calls=3) == "regular"


policies = st.builds(QueuePolicy, regular_per_priority=st.integers(0, 5), ageing_cap_minutes=st.none() | st.integers(1, 120))
arrivals = st.lists(st.tuples(st.integers(0, 240), st.booleans()), min_size=1, max_size=40)


@given(policies, arrivals, st.integers(1, 12))
def test_nobody_is_overtaken_after_the_cap(policy, arrivals, minutes_each):
    """One counter calls until all are served; at no call does somebody wait beyond the cap and see a later one go first."""
    queue = [
        ticket(priority_class="elderly" if priority else None, number=number, arrived_at=NOON + timedelta(minutes=minute))
        for number, (minute, priority) in enumerate(sorted(arrivals), 1)
    ]
    now, regular_calls, called = NOON, 0, []
    for _ in count():
        here = [each for each in queue if each.arrived_at <= now and each not in called]
        lanes = {lane: next((each for each in here if each.lane == lane), None) for lane in ("priority", "regular")}
        first = next_of(lanes["priority"], lanes["regular"], regular_calls, policy, now)
        if first is not None:
            called.append(first)
            regular_calls = regular_calls + 1 if first.lane == "regular" else 0
            if policy.ageing_cap_minutes is not None:
                cap = timedelta(minutes=policy.ageing_cap_minutes)
                assert not [each for each in here if each.turn < first.turn and now - each.turn >= cap]
        elif len(called) == len(queue):
            break
        now += timedelta(minutes=minutes_each)
    for lane in ("priority", "regular"):
        of_lane = [each.number for each in called if each.lane == lane]
        assert of_lane == sorted(of_lane)


def test_the_published_comparison_is_what_the_rule_does():
    assert table() in PAGE.read_text(encoding="utf-8")
