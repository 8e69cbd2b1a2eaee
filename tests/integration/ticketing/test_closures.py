"""Holidays refuse numbers; closures tell those who wait, once, whoever does it and however often it is interrupted."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.contracts.events import checked_event
from services.ticketing import closures, domain, store, usecases
from services.ticketing.usecases import CANCELLING_BATCH, Cancelling
from services.ticketing.usecases import closures as closing
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import CITIZEN, Mall, as_ticket, refusal, together
from tests.integration.ticketing.province import DAY, statuses

pytestmark = pytest.mark.integration

TODAY = DAY.isoformat()
WEEK = {day: [{"open": "08:00", "close": "16:00"}] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
TOMORROW_AT_8 = "2026-03-12T08:00:00+07:00"


@pytest.fixture
def mall(province) -> Mall:
    """A site of the only regency, with a second agency, at 09:00 on a Wednesday."""
    province.clock.instant = datetime(2026, 3, 11, 2, 0, tzinfo=UTC)
    mall = province.mall(hours=WEEK)
    [mall.kis] = mall.agency("KES", "B", "KIS")
    return mall


def look(mall, *, again=True):
    """One round, as a replica does that has heard of the change."""
    if again:
        closures.look_soon(mall.database, mall.regency)
    closures.apply_closures(mall.database)


def told(mall):
    """What was told of the site itself, oldest first."""
    return [(event.type, event.data["agency"]) for event in mall.events() if event.type.startswith("site.")]


def copies(mall, ticket, count):
    """Issue many more numbers like this one, in one transaction and without events."""
    with mall.database.regency_work(mall.regency, timeout=60) as work:
        first = store.locked(work, ticket["id"])
        assert first is not None
        for _ in range(count):
            ends_at = domain.end_of_day(DAY, "Asia/Jakarta")
            taken = store.take_number(work, mall.site, DAY, first.prefix, ends_at)
            store.insert(work, replace(first, id=str(uuid.uuid4()), visit=str(uuid.uuid4()), number=taken.number))


class TestHolidays:
    def test_a_number_is_refused_by_the_name_of_the_day_with_the_next_opening(self, province, mall):
        mall.open_site(enforce_hours=True)
        mall.hours("libur", TODAY, kind="national_holiday", name="Libur nasional")
        mall.hours("cuti", "2026-03-12", "2026-03-13", kind="joint_leave")
        code, details = refusal(mall.take, mall.ktp)
        expected = {"site": mall.site, "reason": "national_holiday", "name": "Libur nasional", "opens_at": "2026-03-16T08:00:00+07:00"}
        assert (code, details) == ("site_closed", expected)
        mall.hours("libur", TODAY, kind="national_holiday", active=False)
        mall.take(mall.ktp)

    def test_an_agency_that_does_not_come_today_is_named(self, mall):
        mall.open_site(enforce_hours=True)
        presence = {"site": mall.site, "prefix": "B", "hours": {"tuesday": WEEK["tuesday"]}}
        mall.publish("agency", {"id": "KES", "name": "Dinas Kesehatan", "kind": "regency", "presences": [presence]})
        code, details = refusal(mall.take, mall.kis)
        assert (code, details["agency_name"], details["opens_at"]) == ("agency_closed", "Dinas Kesehatan", "2026-03-17T08:00:00+07:00")
        mall.take(mall.ktp)

    def test_what_comes_late_and_old_changes_nothing(self, mall):
        mall.open_site(enforce_hours=True)
        mall.publish("hours", {**entry_of_today(), "active": False}, version=2_000_000)
        mall.publish("hours", entry_of_today(), version=1_999_999)
        mall.take(mall.ktp)

    @pytest.mark.parametrize(("zone", "hour"), [("Asia/Jakarta", 0), ("Asia/Makassar", -1)])
    def test_the_day_begins_and_ends_at_the_midnight_of_the_site(self, province, zone, hour):
        mall = province.mall(timezone=zone, enforce_hours=True, hours={day: [{"open": "00:00", "close": "24:00"}] for day in WEEK})
        mall.hours("libur", TODAY, kind="national_holiday")
        first = datetime(2026, 3, 10, 17, 0, tzinfo=UTC) + timedelta(hours=hour)
        outcomes = []
        for instant in (first - timedelta(seconds=1), first, first + timedelta(hours=24, seconds=-1), first + timedelta(hours=24)):
            province.clock.instant = instant
            try:
                outcomes.append(mall.take(mall.ktp)["business_date"])
            except domain.QueueRefusal as refused:
                outcomes.append(refused.code)
        assert outcomes == ["2026-03-10", "site_closed", "site_closed", "2026-03-12"]

    def test_whoever_waits_is_still_called_when_the_hours_are_over(self, province, mall):
        mall.open_site(enforce_hours=True)
        mall.take(mall.ktp)
        province.clock.pass_by(hours=8)
        assert refusal(mall.take, mall.ktp)[0] == "site_closed"
        assert mall.call_next(mall.first)["status"] == "called"


def entry_of_today():
    facts: dict[str, Any] = {"site": None, "agency": None, "hours": {}, "active": True}
    return {"id": "libur", "name": "Libur", "kind": "national_holiday", "from": TODAY, "to": TODAY, **facts}


class TestAnswers:
    def test_hours_are_resolved_by_day_with_the_agencies_that_differ(self, mall):
        presence = {"site": mall.site, "prefix": "B", "hours": {"wednesday": [{"open": "08:00", "close": "12:00"}]}}
        mall.publish("agency", {"id": "KES", "name": "Dinas Kesehatan", "kind": "regency", "presences": [presence]})
        mall.hours("nyepi", "2026-03-12", kind="national_holiday", name="Nyepi")
        answer = mall.site_hours(since=TODAY, until="2026-03-12")
        assert (answer["timezone"], answer["enforced"], answer["opens_at"]) == ("Asia/Jakarta", False, "2026-03-13T08:00:00+07:00")
        open_all_day = {"periods": WEEK["wednesday"], "reason": "weekly", "name": None}
        half = {"agency": "KES", "periods": [{"open": "08:00", "close": "12:00"}], "reason": "weekly", "name": None}
        assert answer["days"][0] == {"date": TODAY, **open_all_day, "agencies": [half]}
        closed = {"periods": [], "reason": "national_holiday", "name": "Nyepi"}
        assert answer["days"][1] == {"date": "2026-03-12", **closed, "agencies": []}

    def test_without_dates_the_week_from_today_by_the_local_date(self, province, mall):
        province.clock.instant = datetime(2026, 3, 11, 17, 0, tzinfo=UTC)
        assert [day["date"] for day in mall.site_hours()["days"]] == [f"2026-03-{day}" for day in range(12, 19)]
        assert len(mall.site_hours(since="2024-02-28")["days"]) == 7
        assert mall.site_hours(until="2026-03-12")["days"][0]["date"] == "2026-03-12"

    @pytest.mark.parametrize("days", [{"until": "2026-03-10"}, {"until": "2026-12-31"}, {"since": "9999-12-30"}])
    def test_days_that_make_no_sense_are_refused(self, mall, days):
        assert refusal(mall.site_hours, **days)[0] == "parameter_invalid"

    def test_a_site_that_nobody_knows(self, mall):
        mall.site = "elsewhere"
        assert refusal(mall.site_hours)[0] == "site_unknown"


class TestAClosure:
    def test_gives_back_the_numbers_of_all_who_wait_and_serves_whom_it_has(self, mall):
        for _ in range(5):
            mall.take(mall.ktp)
        mall.complete(mall.start(mall.call_next(mall.first)))
        mall.start(mall.call_next(mall.first))
        second = mall.counter(2, mall.ktp)
        mall.call_next(second)
        mall.cancel(mall.tickets()[4])
        mall.take(mall.kis)
        mall.hours("listrik", TODAY, site=mall.site)
        look(mall)
        assert statuses(mall) == ["completed", "serving", "cancelled", "cancelled", "cancelled", "cancelled"]
        assert [ticket["cancelled_by"] for ticket in mall.tickets()] == [None, None, "closure", "closure", "staff", "closure"]
        assert mall.complete(mall.tickets()[1])["status"] == "completed"
        assert told(mall) == [("site.closed", None)]
        for event in mall.events():
            assert checked_event(event.type, event.data) == event.data
        closed = next(event for event in mall.events() if event.type == "site.closed")
        expected = {"site": mall.site, "business_date": TODAY, "agency": None, "reason": "closure", "opens_at": TOMORROW_AT_8}
        assert closed.data == expected
        check_books(mall)

    def test_of_an_agency_takes_its_leg_out_of_a_visit_that_goes_on(self, mall):
        [land] = mall.agency("BPN", "C", "CEK")
        visit = mall.take(mall.kis, then=[mall.ktp, land])
        mall.hours("rapat", TODAY, site=mall.site, agency="KES")
        look(mall)
        assert [(ticket["number"], ticket["status"]) for ticket in mall.tickets()] == [
            (visit["number"], "cancelled"),
            (visit["legs"][0]["number"], "waiting"),
            (visit["legs"][1]["number"], "reserved"),
        ]
        check_books(mall)

    def test_of_the_site_ends_all_legs(self, mall):
        mall.take(mall.kis, then=[mall.ktp])
        mall.hours("listrik", TODAY, site=mall.site)
        look(mall)
        assert statuses(mall) == ["cancelled", "cancelled"]
        assert {ticket["cancelled_by"] for ticket in mall.tickets()} == {"closure"}
        check_books(mall)

    def test_refuses_new_numbers_though_the_site_enforces_no_hours(self, mall):
        mall.hours("listrik", TODAY, name="Listrik padam")
        code, details = refusal(mall.take, mall.ktp)
        assert (code, details["reason"], details["name"], details["opens_at"]) == ("site_closed", "closure", "Listrik padam", TOMORROW_AT_8)

    def test_of_one_agency_leaves_the_others_alone(self, mall):
        mall.take(mall.ktp)
        mall.take(mall.kis)
        mall.hours("rapat", TODAY, site=mall.site, agency="KES")
        look(mall)
        assert statuses(mall) == ["waiting", "cancelled"]
        assert told(mall) == [("site.closed", "KES")]
        assert refusal(mall.take, mall.kis)[0] == "agency_closed"
        mall.take(mall.ktp)

    def test_exempts_an_agency_that_is_said_to_be_open(self, mall):
        mall.take(mall.ktp)
        mall.take(mall.kis)
        mall.hours("banjir", TODAY)
        mall.hours("banjir-kes", TODAY, agency="KES", hours=WEEK)
        look(mall)
        assert statuses(mall) == ["cancelled", "waiting"]

    @pytest.mark.parametrize(
        "facts",
        [
            {"active": False},
            {"kind": "regional_holiday"},
            {"site": "elsewhere"},
            {"agency": "SOS"},
            {"hours": WEEK},
        ],
    )
    def test_that_is_none_or_not_here_or_taken_back_before_cancels_nobody(self, mall, facts):
        mall.take(mall.ktp)
        mall.hours("listrik", TODAY, **facts)
        look(mall)
        assert (statuses(mall), told(mall)) == (["waiting"], [])

    def test_of_tomorrow_begins_at_local_midnight(self, province, mall):
        mall.take(mall.ktp)
        mall.hours("pindah", "2026-03-12")
        look(mall)
        assert (statuses(mall), told(mall)) == (["waiting"], [])
        province.clock.instant = datetime(2026, 3, 11, 16, 59, 59, tzinfo=UTC)
        look(mall)
        assert told(mall) == []
        province.clock.instant += timedelta(seconds=1)
        look(mall)
        assert told(mall) == [("site.closed", None)]
        assert statuses(mall) == ["waiting"], "the close of day ends it, as every other"

    def test_that_ends_the_day_early_waits_until_then(self, province, mall):
        mall.take(mall.ktp)
        mall.hours("genset", TODAY, hours={"wednesday": [{"open": "08:00", "close": "12:00"}]})
        look(mall)
        assert statuses(mall) == ["waiting"]
        province.clock.instant = datetime(2026, 3, 11, 5, 0, tzinfo=UTC)
        look(mall)
        assert statuses(mall) == ["cancelled"]

    def test_taken_back_is_told_and_gives_no_number_again(self, mall):
        mall.take(mall.ktp)
        mall.hours("listrik", TODAY)
        look(mall)
        mall.hours("listrik", TODAY, active=False)
        look(mall)
        assert told(mall) == [("site.closed", None), ("site.reopened", None)]
        assert statuses(mall) == ["cancelled"]
        mall.take(mall.ktp)
        mall.hours("listrik", TODAY)
        look(mall)
        assert told(mall)[2:] == [("site.closed", None)]
        assert statuses(mall) == ["cancelled", "cancelled"]

    def test_stands_on_the_board_until_it_is_taken_back(self, mall):
        def closures_shown():
            with mall.database.regency_work(mall.regency) as work:
                return usecases.get_site_day(work, {"site": mall.site})["closures"]

        mall.hours("listrik", TODAY, site=mall.site)
        look(mall)
        assert closures_shown() == [{"agency": None, "opens_at": TOMORROW_AT_8}]
        mall.hours("listrik", TODAY, site=mall.site, active=False)
        look(mall)
        assert closures_shown() == []


class TestOnce:
    def test_many_rounds_of_many_replicas_tell_and_cancel_once(self, province, mall):
        for _ in range(30):
            mall.take(mall.ktp)
        mall.hours("listrik", TODAY)
        replicas = [province.replica() for _ in range(4)]
        for replica in replicas:
            closures.look_soon(replica, mall.regency)
        assert together(4, lambda number: closures.apply_closures(replicas[number])) == [None] * 4
        look(mall)
        assert set(statuses(mall)) == {"cancelled"}
        types = [event.type for event in mall.events()]
        assert (types.count("ticket.cancelled"), types.count("site.closed")) == (30, 1)
        check_books(mall)

    def test_what_a_crash_left_is_found_by_a_replica_that_heard_of_nothing(self, province, mall, monkeypatch):
        copies(mall, mall.take(mall.ktp), 7)
        mall.hours("listrik", TODAY)
        monkeypatch.setattr(closing, "CANCELLING_BATCH", 3)
        with mall.database.regency_work(mall.regency) as work:
            assert usecases.apply_closures(work, mall.site) is Cancelling.MORE
        assert statuses(mall).count("cancelled") == 3
        look(Mall(province.replica(), province.clock, mall.regency), again=False)
        assert statuses(mall).count("cancelled") == 8
        assert told(mall) == [("site.closed", None)]

    def test_a_number_that_was_taken_at_that_moment_is_found(self, province, mall):
        mall.hours("listrik", TODAY)
        look(mall)
        mall.hours("listrik", TODAY, active=False)
        mall.take(mall.ktp)
        mall.hours("listrik", TODAY)
        province.clock.pass_by(seconds=closures.WHILE_CLOSED.total_seconds() - 1)
        look(mall, again=False)
        assert statuses(mall) == ["waiting"]
        province.clock.pass_by(seconds=1)
        look(mall, again=False)
        assert statuses(mall) == ["cancelled"]

    def test_a_batch_ends_somewhere(self):
        assert CANCELLING_BATCH == 500

    def test_a_ticket_tells_who_gave_it_back(self, mall):
        first, second = mall.take(mall.ktp), mall.take(mall.ktp)
        token = domain.ticket_token("a-secret-of-the-tests-32-characters", second["id"])
        assert mall.cancel(first)["cancelled_by"] == "staff"
        assert as_ticket(mall.cancel(second, CITIZEN, token=token))["cancelled_by"] == "citizen"


class TestCost:
    def test_a_regency_without_a_closure_is_asked_every_five_minutes_only(self, province, mall):
        other = province.mall()
        other.take(other.ktp)
        look(mall)
        province.database.asked_since()
        for _ in range(5):
            province.clock.pass_by(seconds=50)
            closures.apply_closures(province.database)
        assert province.database.asked_since() == set()
        province.clock.pass_by(seconds=50)
        closures.apply_closures(province.database)
        assert province.database.asked_since() == {mall.regency, other.regency}

    def test_a_regency_that_fails_keeps_no_other_waiting_and_is_tried_again(self, province, mall):
        other = province.mall()
        for each in (mall, other):
            each.take(each.ktp)
            each.hours("listrik", TODAY)
            closures.look_soon(province.database, each.regency)
        province.database.trouble[mall.regency] = RuntimeError("its disk is full")
        closures.apply_closures(province.database)
        province.database.trouble.clear()
        assert [statuses(each) for each in (mall, other)] == [["waiting"], ["cancelled"]]
        province.clock.pass_by(seconds=15)
        closures.apply_closures(province.database)
        assert statuses(mall) == ["cancelled"]
