"""The pace of a service."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ticketing import domain

pytestmark = pytest.mark.unit

seconds = st.floats(0, 86_400)


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
