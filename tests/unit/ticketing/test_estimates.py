"""Expected waits and the pace of a service."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ticketing import domain
from services.ticketing.domain import DEFAULT_SERVING_SECONDS

pytestmark = pytest.mark.unit

seconds = st.floats(0, 86_400)


class TestEstimatedWait:
    @pytest.mark.parametrize(
        ("ahead", "mean", "counters", "expected"),
        [
            (0, 300.0, 2, 0),
            (1, 300.0, 1, 300),
            (6, 300.0, 2, 900),
            (5, 100.0, 3, 167),
            (3, None, 1, 3 * DEFAULT_SERVING_SECONDS),
            (3, 0.0, 1, 0),
            (4, 300.0, 0, None),
        ],
        ids=["next", "one ahead", "two counters", "rounded", "never observed", "no time at all", "no counter"],
    )
    def test_is_who_waits_ahead_times_pace_by_counters(self, ahead, mean, counters, expected):
        assert domain.estimated_wait(ahead, mean, counters) == expected

    @given(st.integers(0, 500), seconds, st.integers(1, 20))
    def test_never_shrinks_with_more_people_nor_grows_with_more_counters(self, ahead, mean, counters):
        wait, one_more, sooner = (
            domain.estimated_wait(*given, counters=by)
            for given, by in (((ahead, mean), counters), ((ahead + 1, mean), counters), ((ahead, mean), counters + 1))
        )
        assert wait is not None
        assert one_more is not None
        assert sooner is not None
        assert one_more >= wait >= sooner


def pace_after(observed):
    mean = 0.0
    for samples, each in enumerate(observed):
        mean = domain.new_pace(mean, samples, each)
    return mean


class TestPace:
    @given(st.lists(seconds, min_size=1, max_size=10))
    def test_of_the_first_ten_is_their_mean(self, observed):
        assert pace_after(observed) == pytest.approx(fmean(observed), abs=1e-6)

    @given(st.lists(seconds, min_size=1, max_size=60))
    def test_stays_between_the_shortest_and_the_longest(self, observed):
        assert min(observed) - 1e-6 <= pace_after(observed) <= max(observed) + 1e-6

    def test_follows_a_change_within_some_dozens(self):
        assert pace_after([600.0] * 200 + [300.0] * 30) == pytest.approx(300, abs=15)

    def test_is_hardly_moved_by_one_long_case(self):
        assert pace_after([300.0] * 50 + [3600.0]) == pytest.approx(630)
