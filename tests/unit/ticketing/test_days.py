"""Business dates and opening hours in the local time of the site."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ticketing import domain
from services.ticketing.domain import QueueRefusal

pytestmark = pytest.mark.unit

WIB, WITA, WIT = "Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"
ZONES = (WIB, WITA, WIT)
WITH_SUMMER_TIME = ("Europe/Berlin", "America/Havana", "Africa/Cairo", "America/Nuuk", "Atlantic/Azores", "Asia/Beirut")
"""Some of them change their clocks at midnight itself."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestBusinessDate:
    @pytest.mark.parametrize(
        ("zone", "last_of_the_day"),
        [(WIB, "2026-03-11T16:59:59.999999"), (WITA, "2026-03-11T15:59:59.999999"), (WIT, "2026-03-11T14:59:59.999999")],
    )
    def test_changes_at_local_midnight(self, zone, last_of_the_day):
        before = utc(last_of_the_day)
        assert domain.business_date(before, zone) == date(2026, 3, 11)
        assert domain.business_date(before + timedelta(microseconds=1), zone) == date(2026, 3, 12)

    @pytest.mark.parametrize("zone", ZONES)
    def test_does_not_change_at_midnight_of_utc(self, zone):
        midnight = utc("2026-03-12T00:00:00")
        assert domain.business_date(midnight - timedelta(microseconds=1), zone) == domain.business_date(midnight, zone) == date(2026, 3, 12)

    @pytest.mark.parametrize(
        ("zone", "last_of_the_year"),
        [(WIB, "2026-12-31T16:59:59"), (WITA, "2026-12-31T15:59:59"), (WIT, "2026-12-31T14:59:59")],
    )
    def test_begins_the_year_in_each_zone_on_its_own(self, zone, last_of_the_year):
        before = utc(last_of_the_year)
        assert domain.business_date(before, zone) == date(2026, 12, 31)
        assert domain.business_date(before + timedelta(seconds=1), zone) == date(2027, 1, 1)
        assert domain.end_of_day(date(2026, 12, 31), zone) == before + timedelta(seconds=1)

    def test_of_one_instant_differs_between_sites(self):
        instant = utc("2026-12-31T15:30:00")
        assert [domain.business_date(instant, zone) for zone in ZONES] == [date(2026, 12, 31), date(2026, 12, 31), date(2027, 1, 1)]

    @given(
        st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 (hypothesis adds it)
        st.sampled_from(ZONES + WITH_SUMMER_TIME),
    )
    @example(utc("2026-03-28T22:30:00"), "Asia/Beirut")  # an hour before midnight, which does not exist on this day
    @example(utc("2026-11-01T04:30:00"), "America/Havana")  # between the two midnights of one day
    def test_is_the_date_whose_end_comes_next(self, instant, zone):
        day = domain.business_date(instant, zone)
        assert domain.end_of_day(day - timedelta(days=1), zone) <= instant < domain.end_of_day(day, zone)


class TestEndOfDay:
    @pytest.mark.parametrize(("zone", "end"), [(WIB, "2026-03-11T17:00:00"), (WITA, "2026-03-11T16:00:00"), (WIT, "2026-03-11T15:00:00")])
    def test_is_local_midnight(self, zone, end):
        assert domain.end_of_day(date(2026, 3, 11), zone) == utc(end)

    @pytest.mark.parametrize("zone", ZONES)
    def test_comes_every_24_hours_in_indonesia(self, zone):
        days = [date(2026, 1, 1) + timedelta(days=n) for n in range(731)]
        ends = [domain.end_of_day(day, zone) for day in days]
        assert {after - before for before, after in pairwise(ends)} == {timedelta(days=1)}

    def test_follows_the_clock_where_it_is_changed(self):
        assert domain.end_of_day(date(2026, 3, 29), "Europe/Berlin") - domain.end_of_day(date(2026, 3, 28), "Europe/Berlin") == timedelta(
            hours=23
        )


def site(**changes):
    return {"id": "sukadana", "accepting": True, "channels": ["kiosk", "web"], "timezone": WIB, **changes}


def refusal(*arguments):
    with pytest.raises(QueueRefusal) as caught:
        domain.check_site_takes_numbers(*arguments)
    return caught.value.code, caught.value.details


class TestSite:
    def test_takes_numbers(self):
        domain.check_site_takes_numbers(site(), "kiosk")

    def test_takes_none_when_it_does_not_accept(self):
        assert refusal(site(accepting=False), "kiosk") == ("site_not_accepting", {"site": "sukadana"})

    def test_takes_none_by_a_channel_that_it_does_not_offer(self):
        assert refusal(site(), "front_desk") == ("channel_not_allowed", {"site": "sukadana", "channel": "front_desk"})
