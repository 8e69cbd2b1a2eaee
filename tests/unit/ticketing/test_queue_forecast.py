"""Who is called when, played forward: by ticketing's rule of calling, at the counters that there are, in the hours of the day."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.queue_forecast import AtCounter, Calling, Hall, Place, Waiting, forecast
from services.ticketing.domain import QueuePolicy, next_of
from tests.unit.ticketing.example import NOON, ticket

pytestmark = pytest.mark.unit

NOW = NOON.timestamp()
PACES = {"slow": 600.0}
EACH = 420.0


def hall(waiting=(), counters=(), policy=None, working=()):
    policy = policy or QueuePolicy()
    cap = policy.ageing_cap_minutes
    return Hall(
        list(waiting),
        list(counters),
        lambda _, service: PACES.get(service, EACH),
        policy.regular_per_priority,
        None if cap is None else 60.0 * cap,
        working,
    )


def waits(service: str, number: int, *, priority: bool = False) -> Waiting:
    return Waiting(int(1e6 * (NOW - 100 + number)), number, service, priority)


def seconds(given_hall, now=NOW):
    return [forecast(given_hall, now).places[each].seconds for each in given_hall.waiting]


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
    waiting = [Waiting(round(1e6 * each.turn.timestamp()), each.number, each.service, each.lane == "priority") for each in tickets]
    places = forecast(hall(waiting, [Calling("1", ["CPL-KTP"])], policy), NOW).places
    told = {each.number: place for each, place in places.items()}
    left, now, calls = sorted(tickets, key=lambda each: each.turn), NOON, policy.regular_per_priority
    for ahead in range(len(tickets)):
        lanes = {lane: next((each for each in left if each.lane == lane), None) for lane in ("priority", "regular")}
        called = next_of(lanes["priority"], lanes["regular"], calls, policy, now)
        assert called is not None
        assert told[called.number] == Place(ahead, round((now - NOON).total_seconds()))
        calls = calls + 1 if called.lane == "regular" else 0
        left.remove(called)
        now += timedelta(seconds=EACH)


def test_counts_those_of_other_services_who_are_called_to_the_same_counters():
    waiting = [waits("slow", 1), waits("quick", 2), waits("slow", 3)]
    shared = forecast(hall(waiting, [Calling("1", ["slow", "quick"])]), NOW).places
    assert [shared[each] for each in waiting] == [(0, 0), (0, 600), (1, 600 + EACH)], "places count the own service only"
    assert seconds(hall(waiting, [Calling("1", ["slow"]), Calling("2", ["quick"])])) == [0, 0, 600]


def test_waits_for_who_is_served_now():
    def first(*busy: AtCounter):
        return seconds(hall([waits("slow", 1)], [Calling("1", ["slow"], busy)]))

    assert first(AtCounter(NOW - 400, "slow")) == [200]
    assert first(AtCounter(NOW - 4000, "slow")) == [150], "longer than usual: another quarter of it"
    assert first(AtCounter(NOW + 30, "slow")) == [600], "called in the minute of which places are told"
    assert first(AtCounter(NOW - 400, "slow"), AtCounter(NOW - 10, "quick")) == [200 + EACH], "called while another one is served"


def test_says_who_is_next_where_no_counter_calls_but_not_when():
    waiting = [waits("slow", 1), waits("slow", 2, priority=True)]
    told = forecast(hall(waiting, [Calling("1", ["quick"])]), NOW)
    assert [told.places[each] for each in waiting] == [(1, None), (0, None)]
    assert told.newcomers == {"quick": 0}


def test_goes_on_from_what_a_counter_has_called():
    waiting = [waits("quick", 1), waits("quick", 2), waits("quick", 3, priority=True)]
    policy = QueuePolicy(regular_per_priority=2)
    orders = []
    for calls in (None, 0, 1, 2):
        places = forecast(hall(waiting, [Calling("1", ["quick"], regular_calls=calls)], policy), NOW).places
        orders.append([each.number for each in sorted(places, key=lambda each: places[each])])
    assert orders == [[3, 1, 2], [1, 2, 3], [1, 3, 2], [3, 1, 2]]


class TestHours:
    WORKING = ((NOW, NOW + 3600.0), (NOW + 7200.0, NOW + 10_800.0))

    def told(self, now, *busy, ahead=0):
        waiting = [waits("slow", number) for number in range(1, ahead + 2)]
        return seconds(hall(waiting, [Calling("1", ["slow"], busy)], working=self.WORKING), now)[-1]

    def test_nobody_is_called_before_the_opening(self):
        assert self.told(NOW - 1800) == 1800
        assert self.told(NOW - 1800, ahead=2) == 1800 + 1200

    def test_nor_during_the_break(self):
        assert self.told(NOW + 3000, ahead=1) == 4200, "it would be just at its beginning"
        assert self.told(NOW + 3000, AtCounter(NOW + 2940, "slow"), ahead=1) == 4200 + 540, "what is left of the work comes after it"
        assert self.told(NOW + 5400) == 1800

    def test_but_after_closing_who_waits_is_served(self):
        assert self.told(NOW + 12_000, ahead=1) == 600

    def test_counters_that_call_out_of_hours_are_at_work(self):
        assert self.told(NOW - 1800, AtCounter(NOW - 1860, "slow")) == 540
        assert self.told(NOW + 5400, AtCounter(NOW + 5340, "slow")) == 540
        assert self.told(NOW + 5400, AtCounter(NOW + 3540, "slow")) == 1800 + 150, "called before the break"


SERVICES = ("a", "b", "c", "d")
halls = st.builds(
    lambda waiting, counters, k, cap: hall(
        [Waiting(int(1e6 * (NOW - 60 * turn)), number, service, priority) for number, (service, priority, turn) in enumerate(waiting)],
        [
            Calling(str(index), services, () if since is None else (AtCounter(NOW - since, services[0]),), calls)
            for index, (services, since, calls) in enumerate(counters)
        ],
        QueuePolicy(regular_per_priority=k, ageing_cap_minutes=cap),
        TestHours.WORKING,
    ),
    st.lists(st.tuples(st.sampled_from(SERVICES), st.booleans(), st.integers(0, 90)), max_size=25),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(SERVICES), min_size=1, max_size=3, unique=True),
            st.none() | st.integers(0, 1000),
            st.none() | st.integers(0, 3),
        ),
        max_size=5,
    ),
    st.integers(0, 3),
    st.none() | st.integers(10, 60),
)


@given(halls, st.sampled_from(SERVICES))
def test_of_one_service_says_the_same_as_of_the_whole_hall(given_hall, service):
    """Ticketing asks for one ticket, boards for all."""
    whole, part = forecast(given_hall, NOW), forecast(given_hall, NOW, service)
    for each in given_hall.waiting:
        if each.service == service:
            assert part.places[each] == whole.places[each]
    assert part.newcomers.get(service) == whole.newcomers.get(service)


@given(halls)
def test_tells_everybody_a_place_of_their_own(given_hall):
    told = forecast(given_hall, NOW).places
    assert told.keys() == set(given_hall.waiting)
    for service in SERVICES:
        places = [place for each, place in told.items() if each.service == service]
        assert sorted(place.ahead for place in places) == list(range(len(places)))
        served = any(service in counter.services for counter in given_hall.counters)
        assert all((place.seconds is not None) == served for place in places)


@given(halls, st.sampled_from(SERVICES))
def test_what_newcomers_are_told_is_what_they_get(given_hall, service):
    newcomer = Waiting(int(1e6 * (NOW + 1)), 99, service, priority=False)
    joined = replace(given_hall, waiting=[*given_hall.waiting, newcomer])
    assert forecast(joined, NOW).places[newcomer].seconds == forecast(given_hall, NOW).newcomers.get(service)
