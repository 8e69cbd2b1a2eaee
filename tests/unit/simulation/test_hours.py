"""When people come to a mall, and when its counters work."""

import random
from collections import Counter

import pytest

from deploy.simulation.hours import USUAL_HOURS, arrival, hours_of

pytestmark = pytest.mark.unit

WEEK = {
    "monday": [{"open": "08:00", "close": "16:00"}],
    "friday": [{"open": "08:00", "close": "11:30"}, {"open": "13:30", "close": "16:00"}],
}


def test_a_morning_peak_few_at_noon_and_nobody_in_the_last_hour():
    rng = random.Random(1)
    minutes = [arrival(USUAL_HOURS, rng) for _ in range(10_000)]
    assert USUAL_HOURS.doors <= min(minutes) < USUAL_HOURS.opening
    assert max(minutes) <= USUAL_HOURS.last_number == 15 * 60
    by_hour = Counter(int(minute // 60) for minute in minutes)
    assert by_hour.most_common(1)[0][0] == 8
    assert sum(by_hour[hour] for hour in (7, 8, 9)) > len(minutes) / 2
    assert by_hour[11] < by_hour[13] < by_hour[9]


def test_counters_work_within_their_periods_and_after_closing_until_everybody_is_served():
    friday = hours_of(WEEK, "friday")
    assert [friday.at_work(minute) for minute in (400, 480, 689, 690, 800, 900, 1000)] == [480, 480, 689, 810, 810, 900, 1000]


def test_a_day_on_which_the_site_is_closed_is_played_by_the_hours_of_another():
    assert hours_of(WEEK, "sunday") == hours_of(WEEK, "monday")
    assert hours_of({}, "monday") == hours_of({"monday": []}, "monday") == USUAL_HOURS


@pytest.mark.parametrize("periods", [[("00:00", "24:00")], [("08:00", "08:30")]])
def test_odd_hours_can_be_played(periods):
    hours = hours_of({"monday": [{"open": opening, "close": closing} for opening, closing in periods]}, "monday")
    assert hours.doors <= arrival(hours, random.Random(1)) <= hours.last_number
