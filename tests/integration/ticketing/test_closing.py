"""The close of day: at the local midnight of each site, in batches, resumable, and never a ticket booked as served."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.ticketing import domain, rounds, store, usecases
from services.ticketing.usecases import CLOSING_BATCH, Closing, changing, closing
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import Mall, SettableClock, overtaken, refusal, together
from tests.integration.ticketing.province import DAY, MIDNIGHT, close, statuses

pytestmark = pytest.mark.integration


@pytest.fixture
def mall(province):
    """A site of the only regency."""
    return province.mall()


def copies(mall, ticket, count):
    """Issue many more numbers like this one, in one transaction and without events."""
    with mall.database.regency_work(mall.regency, timeout=60) as work:
        first = store.locked(work, ticket["id"])
        assert first is not None
        ends_at = domain.end_of_day(DAY, mall.site_facts["timezone"])
        for _ in range(count):
            taken = store.take_number(work, mall.site, DAY, first.prefix, ends_at)
            store.insert(work, replace(first, id=str(uuid.uuid4()), visit=str(uuid.uuid4()), number=taken.number))


class TestDay:
    def test_ends_open_tickets_as_expired_and_leaves_the_others(self, province, mall):
        mall.open_site(policy={"call_while_serving": True, "max_recalls": 3})
        for _ in range(6):
            mall.take(mall.ktp)
        mall.complete(mall.start(mall.call_next(mall.first)))
        mall.no_show(mall.call_next(mall.first))
        mall.cancel(mall.tickets()[5])
        mall.start(mall.call_next(mall.first))
        mall.call_next(mall.first)
        assert statuses(mall) == ["completed", "no_show", "serving", "called", "waiting", "cancelled"]
        province.clock.instant = MIDNIGHT
        assert rounds.close_ended_days(province.database) == 1
        assert statuses(mall) == ["completed", "no_show", "expired", "expired", "expired", "cancelled"]
        assert mall.events()[-1].data == {"site": mall.site, "business_date": "2026-03-11", "expired": 3}
        check_books(mall)

    def test_is_not_over_before_midnight(self, province, mall):
        mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT - timedelta(microseconds=1)
        assert rounds.close_ended_days(province.database) == 0
        assert close(mall) is Closing.NOT_OURS
        assert statuses(mall) == ["waiting"]

    def test_ends_at_midnight_though_nobody_was_there_to_close_it(self, province, mall):
        mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT + timedelta(hours=7)
        rounds.close_ended_days(province.database)
        [ticket] = mall.tickets()
        midnight = "2026-03-11T17:00:00+00:00"
        assert [period["ended_at"] for period in ticket["periods"]] == [midnight, midnight]

    def test_without_anyone_left_is_closed_too(self, province, mall):
        mall.cancel(mall.take(mall.ktp))
        province.clock.instant = MIDNIGHT
        assert rounds.close_ended_days(province.database) == 1
        assert mall.events()[-1].data["expired"] == 0

    def test_is_closed_once(self, province, mall):
        mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT
        replicas = [province.replica() for _ in range(4)]
        together(4, lambda number: rounds.close_ended_days(replicas[number]))
        for _ in range(3):
            province.clock.pass_by(minutes=5)
            rounds.close_ended_days(province.database)
        assert [event.type for event in mall.events()][-2:] == ["ticket.expired", "queue.day_closed"]
        check_books(mall)

    def test_that_was_missed_for_a_week_is_closed_with_all_after_it(self, province, mall):
        for _ in range(7):
            mall.take(mall.ktp)
            province.clock.pass_by(days=1)
        assert rounds.close_ended_days(province.database) == 7
        assert set(statuses(mall)) == {"expired"}
        check_books(mall)

    def test_follows_the_site_in_each_zone(self, province):
        malls = [province.mall(timezone=zone) for zone in ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")]
        for mall in malls:
            mall.take(mall.ktp)
        seen = []
        for hour in (14, 15, 16, 17):
            province.clock.instant = datetime(2026, 3, 11, hour, tzinfo=UTC)
            closed = rounds.close_ended_days(province.database)
            seen.append((closed, [statuses(mall)[0] for mall in malls]))
        assert seen == [
            (0, ["waiting", "waiting", "waiting"]),
            (1, ["waiting", "waiting", "expired"]),
            (1, ["waiting", "expired", "expired"]),
            (1, ["expired", "expired", "expired"]),
        ]

    def test_follows_each_site_of_one_regency(self, province):
        regency = province.regency()
        west = province.mall(regency)
        west.take(west.ktp)
        east = province.mall(regency, timezone="Asia/Makassar")
        east.take(east.ktp)
        province.clock.instant = MIDNIGHT - timedelta(hours=1)
        assert rounds.close_ended_days(province.database) == 1
        assert (statuses(west), statuses(east)) == (["waiting"], ["expired"])
        assert east.take(east.ktp)["business_date"] == "2026-03-12"
        province.clock.instant = MIDNIGHT
        assert rounds.close_ended_days(province.database) == 1

    def test_of_23_hours_ends_at_its_midnight(self, province):
        mall = province.mall(timezone="Europe/Berlin")
        province.clock.instant = datetime(2026, 3, 29, 10, 0, tzinfo=UTC)
        mall.take(mall.ktp)
        province.clock.instant = datetime(2026, 3, 29, 22, 0, tzinfo=UTC)
        assert rounds.close_ended_days(province.database) == 1


class TestBatches:
    def test_more_than_a_batch_is_closed_in_several_transactions(self, province, mall):
        copies(mall, mall.take(mall.ktp), 2 * CLOSING_BATCH)
        province.clock.instant = MIDNIGHT
        with province.database.regency_work(mall.regency) as work:
            assert usecases.close_due_day(work, mall.site, DAY) is Closing.MORE
        assert statuses(mall).count("expired") == CLOSING_BATCH
        assert rounds.close_ended_days(province.database) == 1
        assert statuses(mall).count("expired") == 2 * CLOSING_BATCH + 1
        assert mall.events()[-1].data["expired"] == 2 * CLOSING_BATCH + 1

    @pytest.mark.parametrize("open_tickets", [9, 10, 11, 20])
    def test_exactly_a_batch_is_closed_too(self, province, mall, monkeypatch, open_tickets):
        monkeypatch.setattr(closing, "CLOSING_BATCH", 10)
        for _ in range(open_tickets):
            mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT
        assert rounds.close_ended_days(province.database) == 1
        assert set(statuses(mall)) == {"expired"}
        check_books(mall)

    def test_a_crash_in_the_middle_is_resumed(self, province, mall, monkeypatch):
        monkeypatch.setattr(closing, "CLOSING_BATCH", 10)
        for _ in range(25):
            mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT
        met = []

        def fail_at_the_fifteenth(work, ticket, ended_at, expire=changing.expire):
            met.append(ticket)
            if len(met) == 15:
                raise ZeroDivisionError
            expire(work, ticket, ended_at)

        with monkeypatch.context() as broken:
            broken.setattr(closing, "expire", fail_at_the_fifteenth)
            assert rounds.close_ended_days(province.database) == 0
        assert statuses(mall) == ["expired"] * 10 + ["waiting"] * 15
        assert mall.events()[-1].type == "ticket.expired"
        assert rounds.close_ended_days(province.database) == 1
        assert set(statuses(mall)) == {"expired"}
        check_books(mall)

    def test_a_number_taken_between_two_batches_is_closed_with_them(self, province, mall, monkeypatch):
        """A replica whose clock is behind still issues for the day that ends."""
        monkeypatch.setattr(closing, "CLOSING_BATCH", 2)
        behind = SettableClock(MIDNIGHT - timedelta(seconds=1))
        slow = Mall(province.replica(behind), behind, mall.regency, id=mall.site)
        for _ in range(3):
            mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT
        assert close(mall) is Closing.MORE
        slow.take(mall.ktp)
        assert (close(mall), close(mall)) == (Closing.MORE, Closing.DONE)
        assert refusal(slow.take, mall.ktp)[0] == "day_closed"
        assert set(statuses(mall)) == {"expired"}
        check_books(mall)


class TestMeetingOthers:
    def test_whoever_calls_at_that_moment_goes_first(self, province, mall):
        mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT
        behind = SettableClock(MIDNIGHT - timedelta(seconds=1))
        slow = Mall(province.replica(behind), behind, mall.regency, id=mall.site)
        outcome = overtaken(slow, lambda work: usecases.call_next(work, {"counter": mall.first}), lambda: close(mall))
        assert outcome is Closing.NOT_OURS
        assert statuses(mall) == ["called"]
        assert close(mall) is Closing.DONE
        check_books(mall)

    def test_whoever_calls_just_after_finds_nobody(self, province, mall):
        ticket = mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT
        behind = SettableClock(MIDNIGHT - timedelta(seconds=1))
        slow = Mall(province.replica(behind), behind, mall.regency, id=mall.site)
        assert overtaken(mall, lambda work: usecases.close_due_day(work, mall.site, DAY), lambda: slow.call_next(mall.first)) is None
        assert refusal(slow.call_ticket, ticket, mall.first) == ("ticket_state_conflict", {"status": "expired", "allowed": ["waiting"]})

    @pytest.mark.parametrize("step", ["start", "recall", "no_show", "cancel"])
    def test_whoever_serves_just_after_is_told_that_it_expired(self, province, mall, step):
        mall.take(mall.ktp)
        ticket = mall.call_next(mall.first)
        province.clock.instant = MIDNIGHT
        outcome = overtaken(mall, lambda work: usecases.close_due_day(work, mall.site, DAY), lambda: refusal(getattr(mall, step), ticket))
        assert (outcome[0], outcome[1]["status"]) == ("ticket_state_conflict", "expired")
        check_books(mall)

    def test_a_round_that_finds_the_day_taken_comes_back_at_once(self, province, mall):
        mall.take(mall.ktp)
        province.clock.instant = MIDNIGHT
        other = province.replica()
        closed = overtaken(mall, lambda work: store.lock_day(work, mall.site, DAY), lambda: rounds.close_ended_days(other))
        assert closed == 0
        assert rounds.close_ended_days(other) == 1


def test_the_release_before_may_have_opened_the_day(province, mall):
    """During an upgrade a day may have been opened without the column that keeps its last arrival."""
    first = mall.take(mall.ktp)
    with province.database.regency_work(mall.regency) as work:
        work.execute(sa.text("UPDATE queue_day SET last_arrival_at = NULL"))
    province.clock.pass_by(minutes=1)
    second = mall.take(mall.ktp)
    assert (second["number"], second["arrived_at"] > first["arrived_at"]) == ("A-002", True)
