"""When a site and its agencies are open: every week, on holidays, in Ramadan, during closures, in each zone."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ticketing import domain
from services.ticketing.domain import Calendar, QueueRefusal

pytestmark = pytest.mark.unit

WIB, WITA, WIT = "Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"
ZONES = (WIB, WITA, WIT)
SITES = {"lampung-timur": WIB, "kutai-timur": WITA}
"""The regencies whose people are the first to notice when an hour is that of another zone."""

MORNING = [{"open": "08:00", "close": "12:00"}]
DAY = [{"open": "08:00", "close": "16:00"}]
FRIDAY = [{"open": "08:00", "close": "11:30"}, {"open": "13:30", "close": "16:00"}]
HOURS = {
    **dict.fromkeys(("monday", "tuesday", "wednesday", "thursday"), DAY),
    "friday": FRIDAY,
    "saturday": [{"open": "20:00", "close": "24:00"}],
}
WEDNESDAY, NYEPI, FRIDAY_AFTER = date(2026, 3, 18), date(2026, 3, 19), date(2026, 3, 20)


def site(**changes):
    return {"id": "sukadana", "timezone": WIB, "hours": HOURS, "enforce_hours": True, **changes}


def agency(hours=None, code="CPL"):
    presences = [{"site": "belitang", "prefix": "A", "hours": {}}, {"site": "sukadana", "prefix": "E", "hours": hours}]
    return {"id": code, "name": "Dinas Dukcapil", "presences": presences}


def entry(kind="national_holiday", since="2026-03-19", until=None, **changes):
    facts = {"name": kind.upper(), "from": since, "to": until or since, "site": None, "agency": None, "hours": {}, "active": True}
    return {"id": f"{kind}-{since}", "kind": kind, **facts, **changes}


def calendar(*entries, **changes):
    return Calendar(site(**changes), entries)


def local(text, zone=WIB):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def closes(calendar, day):
    """When it closes last; None: closed all day."""
    return max((period[1] for period in calendar.hours_on(day).periods), default=None)


class TestEveryWeek:
    @pytest.mark.parametrize(
        ("instant", "is_open"),
        [
            ("2026-03-11T07:59:59.999999", False),
            ("2026-03-11T08:00:00", True),
            ("2026-03-11T15:59:59.999999", True),
            ("2026-03-11T16:00:00", False),
            ("2026-03-13T11:29:59", True),
            ("2026-03-13T11:30:00", False),
            ("2026-03-13T13:29:59", False),
            ("2026-03-13T13:30:00", True),
            ("2026-03-14T19:59:59", False),
            ("2026-03-14T23:59:59.999999", True),
            ("2026-03-15T00:00:00", False),
            ("2026-03-15T10:00:00", False),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_edges_break_and_missing_day(self, instant, is_open):
        assert calendar().is_open(local(instant)) is is_open

    @pytest.mark.parametrize("zone", SITES.values(), ids=SITES)
    def test_0730_and_0830_are_local_time(self, zone):
        here = calendar(timezone=zone)
        assert not here.is_open(local("2026-03-11T07:30:00", zone))
        assert here.is_open(local("2026-03-11T08:30:00", zone))
        assert here.opens_next(local("2026-03-11T07:30:00", zone)) == local("2026-03-11T08:00:00", zone)

    def test_half_past_eight_of_one_zone_is_half_past_seven_of_the_other(self):
        instant = local("2026-03-11T08:30:00", WITA)
        assert [calendar(timezone=zone).is_open(instant) for zone in (WITA, WIB)] == [True, False]

    def test_weekday_is_the_local_one(self):
        """Monday 07:30 at Jayapura is Sunday in UTC."""
        early, instant = {"monday": [{"open": "07:00", "close": "08:00"}]}, datetime(2026, 3, 8, 22, 30, tzinfo=UTC)
        assert calendar(timezone=WIT, hours=early).is_open(instant)
        assert not calendar(timezone=WIB, hours=early).is_open(instant)

    def test_a_day_without_any_period_is_closed(self):
        assert not calendar(hours={"wednesday": []}).is_open(local("2026-03-11T10:00:00"))

    def test_a_night_goes_on_over_midnight(self):
        night = {"friday": [{"open": "22:00", "close": "24:00"}], "saturday": [{"open": "00:00", "close": "02:00"}]}
        instants = ("2026-03-13T23:59:59.999999", "2026-03-14T00:00:00", "2026-03-14T01:59:59", "2026-03-14T02:00:00")
        assert [calendar(hours=night).is_open(local(instant)) for instant in instants] == [True, True, True, False]


class TestAnAgencyAtASite:
    def test_keeps_the_hours_of_the_site_unless_it_has_its_own(self):
        assert calendar().of_agency(agency()).hours_on(WEDNESDAY) == calendar().hours_on(WEDNESDAY)

    def test_comes_on_two_weekdays_only(self):
        its = calendar().of_agency(agency({"tuesday": MORNING, "thursday": MORNING}))
        assert [closes(its, WEDNESDAY + timedelta(days=days)) for days in range(7)] == [None, "12:00", None, None, None, None, "12:00"]

    def test_its_hours_elsewhere_are_not_those_here(self):
        assert closes(Calendar(site(id="belitang"), ()).of_agency(agency()), WEDNESDAY) is None

    def test_in_ramadan_it_is_there_when_both_are(self):
        ramadan = entry("ramadan", "2026-02-19", "2026-03-20", hours={day: [{"open": "09:00", "close": "15:00"}] for day in HOURS})
        its = calendar(ramadan).of_agency(agency({"tuesday": MORNING}))
        assert its.hours_on(WEDNESDAY - timedelta(days=1)).periods == (("09:00", "12:00"),)
        assert its.hours_on(WEDNESDAY).periods == ()

    def test_a_break_of_the_site_is_a_break_of_the_agency(self):
        other = entry("other", "2026-03-20", hours={"friday": FRIDAY})
        all_day = calendar(other).of_agency(agency({"friday": [{"open": "07:00", "close": "15:00"}]}))
        assert all_day.hours_on(FRIDAY_AFTER).periods == (("08:00", "11:30"), ("13:30", "15:00"))

    def test_an_entry_of_its_own_opens_a_day_on_which_it_never_comes(self):
        saturday = entry("other", "2026-03-28", agency="CPL", hours={"saturday": MORNING})
        assert closes(calendar(saturday).of_agency(agency({"tuesday": MORNING})), date(2026, 3, 28)) == "12:00"
        assert closes(calendar(saturday).of_agency(agency(code="KES")), date(2026, 3, 28)) == "24:00"


class TestSpecialHours:
    def test_hold_from_the_first_day_to_the_last(self):
        here = calendar(entry(since="2026-03-17", until="2026-03-19"))
        days = [date(2026, 3, 16) + timedelta(days=days) for days in range(5)]
        assert [here.hours_on(day).reason for day in days] == ["weekly", *["national_holiday"] * 3, "weekly"]
        assert here.hours_on(NYEPI) == domain.DayHours(NYEPI, (), "national_holiday", "NATIONAL_HOLIDAY")

    @pytest.mark.parametrize("zone", SITES.values(), ids=SITES)
    def test_begin_and_end_at_local_midnight(self, zone):
        always = {day: [{"open": "00:00", "close": "24:00"}] for day in ("wednesday", "thursday", "friday")}
        here = calendar(entry(), timezone=zone, hours=always)
        seen = ("2026-03-18T23:59:59.999999", "2026-03-19T00:00:00", "2026-03-19T23:59:59.999999", "2026-03-20T00:00:00")
        assert [here.is_open(local(instant, zone)) for instant in seen] == [True, False, False, True]

    def test_of_one_instant_hold_at_one_site_and_not_yet_at_the_other(self):
        instant = local("2026-03-19T00:30:00", WITA)
        reasons = [calendar(entry(), timezone=zone).local(instant).date() for zone in (WITA, WIB)]
        assert [calendar(entry()).hours_on(day).reason for day in reasons] == ["national_holiday", "weekly"]

    @pytest.mark.parametrize("changes", [{"active": False}, {"site": "belitang"}, {"agency": "CPL"}])
    def test_that_are_not_in_force_here_change_nothing(self, changes):
        assert calendar(entry(**changes)).hours_on(NYEPI).reason == "weekly"

    def test_are_those_of_the_weekday(self):
        ramadan = entry("ramadan", "2026-02-19", "2026-03-20", hours={"friday": FRIDAY[:1], "thursday": MORNING})
        assert [closes(calendar(ramadan), day) for day in (WEDNESDAY, NYEPI, FRIDAY_AFTER)] == [None, "12:00", "11:30"]


OPEN = {"thursday": MORNING}
LADDER = [
    entry("ramadan", "2026-02-19", "2026-03-20", id="ramadan", hours=OPEN),
    entry("ramadan", "2026-02-19", "2026-03-20", id="ramadan-here", site="sukadana", hours=OPEN),
    entry("ramadan", "2026-02-19", "2026-03-20", id="ramadan-of-agency", agency="CPL", hours=OPEN),
    entry("joint_leave", id="leave"),
    entry("national_holiday", id="holiday"),
    entry("regional_holiday", id="regional"),
    entry("other", since="2026-03-18", until="2026-03-19", id="other-earlier", hours=OPEN),
    entry("other", until="2026-03-25", id="other-longer", hours=OPEN),
    entry("other", id="other", hours=OPEN),
    entry("other", id="other-2", hours=OPEN),
    entry("joint_leave", id="leave-here", site="sukadana"),
    entry("other", id="other-here", site="sukadana", hours=OPEN),
    entry("joint_leave", id="leave-of-agency", agency="CPL"),
    entry("joint_leave", id="leave-of-agency-here", agency="CPL", site="sukadana"),
    entry("closure", id="closure"),
    entry("closure", id="closure-here", site="sukadana"),
    entry("closure", id="closure-of-agency", agency="CPL", hours=OPEN),
    entry("closure", id="closure-of-agency-here", agency="CPL", site="sukadana"),
]
"""Each beats all before it."""


class TestPrecedence:
    @pytest.mark.parametrize(("weaker", "stronger"), list(pairwise(LADDER)), ids=lambda each: each["id"])
    def test_each_step_beats_the_one_below_in_whatever_order_they_come(self, weaker, stronger):
        named = [{**each, "name": each["id"]} for each in (weaker, stronger)]
        for entries in permutations(named):
            its = Calendar(site(), entries).of_agency(agency())
            assert its.hours_on(NYEPI).name == stronger["id"]

    @given(st.permutations(LADDER), st.integers(1, len(LADDER)))
    def test_of_any_of_them_the_highest_wins(self, shuffled, count):
        some = [{**each, "name": each["id"]} for each in shuffled[:count]]
        highest = max(some, key=lambda each: next(index for index, step in enumerate(LADDER) if step["id"] == each["id"]))
        assert Calendar(site(), some).of_agency(agency()).hours_on(NYEPI).name == highest["id"]

    def test_a_holiday_within_ramadan_is_a_holiday_also_where_the_site_has_ramadan_hours_of_its_own(self):
        its = calendar(LADDER[1], LADDER[4])
        assert its.hours_on(NYEPI).periods == ()

    def test_nothing_planned_opens_what_a_flood_has_closed(self):
        flood, market_day = entry("closure"), entry("other", site="sukadana", agency="CPL", hours=OPEN)
        assert calendar(flood, market_day).of_agency(agency()).hours_on(NYEPI).reason == "closure"

    def test_an_agency_can_be_exempt_from_a_closure(self):
        flood, exempt = entry("closure"), entry("closure", agency="CPL", hours=OPEN, id="exempt")
        here = calendar(flood, exempt)
        assert [closes(here, NYEPI), closes(here.of_agency(agency()), NYEPI)] == [None, "12:00"]


class TestNextOpening:
    @pytest.mark.parametrize(
        ("now", "opens"),
        [
            ("2026-03-18T03:00:00", "2026-03-18T08:00:00"),
            ("2026-03-18T08:00:00", "2026-03-20T08:00:00"),  # open now: the next one after the holiday
            ("2026-03-19T10:00:00", "2026-03-20T08:00:00"),
            ("2026-03-20T12:00:00", "2026-03-20T13:30:00"),
            ("2026-03-20T16:00:00", "2026-03-21T20:00:00"),
            ("2026-03-22T00:00:00", "2026-03-23T08:00:00"),
        ],
    )
    @pytest.mark.parametrize("zone", SITES.values(), ids=SITES)
    def test_is_after_now_with_the_offset_of_the_site(self, now, opens, zone):
        found = calendar(entry(), timezone=zone).opens_next(local(now, zone))
        assert found == local(opens, zone)
        assert found.isoformat() == f"{opens}{'+07:00' if zone == WIB else '+08:00'}"

    def test_is_looked_for_over_a_long_closure(self):
        works = entry("closure", "2026-03-01", "2026-11-30")
        assert calendar(works).opens_next(local("2026-03-18T10:00:00")) == local("2026-12-01T08:00:00")

    def test_is_not_known_when_there_is_none_within_a_year(self):
        assert calendar(entry("closure", "2026-01-01", "2027-12-31")).opens_next(local("2026-03-18T10:00:00")) is None
        assert calendar(hours={}).opens_next(local("2026-03-18T10:00:00")) is None

    @given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)), st.sampled_from(ZONES))  # noqa: DTZ001
    def test_is_an_instant_at_which_it_is_open_and_just_before_it_was_not(self, now, zone):
        here = calendar(entry(), timezone=zone, hours={**HOURS, "saturday": MORNING})
        opens = here.opens_next(now)
        assert opens > now
        assert here.is_open(opens)
        assert not here.is_open(opens - timedelta(microseconds=1))


def refusal(here, its, now):
    with pytest.raises(QueueRefusal) as caught:
        domain.check_open(here, its, now)
    return caught.value.code, caught.value.details


class TestTakingANumber:
    NIGHT, NOON, HOLIDAY = local("2026-03-18T03:00:00"), local("2026-03-18T12:30:00"), local("2026-03-19T10:00:00")

    def test_is_refused_at_night_with_the_opening_of_the_morning(self):
        expected = {"site": "sukadana", "reason": "weekly", "opens_at": "2026-03-18T08:00:00+07:00"}
        assert refusal(calendar(), agency(), self.NIGHT) == ("site_closed", expected)

    def test_is_refused_on_a_holiday_by_its_name(self):
        expected = {
            "site": "sukadana",
            "reason": "national_holiday",
            "name": "NATIONAL_HOLIDAY",
            "opens_at": "2026-03-20T08:00:00+07:00",
        }
        assert refusal(calendar(entry()), agency(), self.HOLIDAY) == ("site_closed", expected)

    def test_is_refused_when_only_the_agency_has_gone_and_names_its_own_next_opening(self):
        code, details = refusal(calendar(), agency({"wednesday": MORNING}), self.NOON)
        assert (code, details["agency"], details["opens_at"]) == ("agency_closed", "CPL", "2026-03-25T08:00:00+07:00")

    def test_of_an_agency_that_is_open_while_the_site_is_closed_is_possible(self):
        exempt = entry("other", agency="CPL", hours={"thursday": MORNING})
        domain.check_open(calendar(entry(), exempt), agency(), self.HOLIDAY)

    @pytest.mark.parametrize("now", [NIGHT, HOLIDAY])
    def test_is_possible_at_any_time_where_hours_are_not_enforced(self, now):
        domain.check_open(calendar(entry(), enforce_hours=False), agency(), now)

    def test_is_refused_during_a_closure_everywhere(self):
        code, details = refusal(calendar(entry("closure"), enforce_hours=False), agency(), self.HOLIDAY)
        assert (code, details["reason"]) == ("site_closed", "closure")

    def test_is_refused_from_when_a_closure_ends_the_day_early(self):
        early = calendar(entry("closure", hours={"thursday": MORNING}), enforce_hours=False)
        for clock in ("07:00:00", "11:59:59"):
            domain.check_open(early, agency(), local(f"2026-03-19T{clock}"))
        assert refusal(early, agency(), local("2026-03-19T12:00:00"))[0] == "site_closed"

    def test_is_refused_for_ever_without_a_next_opening(self):
        assert "opens_at" not in refusal(calendar(hours={}), agency(), self.NOON)[1]
