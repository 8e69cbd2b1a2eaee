"""What people see: position, estimate, one ticket, pages of tickets."""

import base64
import json
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from services.chassis.context import CallContext
from services.ticketing import domain, rounds, usecases
from tests.integration.ticketing.mall import CITIZEN, SECRET, refusal, together

pytestmark = pytest.mark.integration


def positions(mall):
    return {ticket["number"]: ticket["position"] for ticket in mall.tickets() if ticket["position"] is not None}


class TestPosition:
    def test_is_the_number_of_calls_until_the_turn(self, mall, clock):
        for priority_class in (None, None, "elderly", None, "child", None):
            mall.take(mall.ktp, priority_class)
            clock.pass_by(minutes=1)
        mall.cancel(mall.tickets()[3])
        expected = positions(mall)
        called = [mall.call_next(mall.counter(number, mall.ktp))["number"] for number in range(1, 6)]
        assert expected == {number: turn for turn, number in enumerate(called, start=1)}

    def test_counts_the_own_service_only(self, mall):
        mall.take(mall.kk)
        assert mall.take(mall.ktp)["position"] == 1
        assert mall.take(mall.ktp)["position"] == 2

    def test_moves_up_when_others_are_called_or_leave(self, mall):
        first, second, third = (mall.take(mall.ktp) for _ in range(3))
        mall.call_ticket(first, mall.first)
        assert [mall.get(ticket)["position"] for ticket in (second, third)] == [1, 2]
        mall.cancel(second)
        assert mall.get(third)["position"] == 1

    def test_is_behind_everyone_with_priority(self, mall):
        regular = mall.take(mall.ktp)
        assert mall.take(mall.ktp, "nursing")["position"] == 1
        assert mall.get(regular)["position"] == 2

    def test_is_not_moved_by_yesterday(self, mall, clock):
        mall.take(mall.ktp)
        clock.pass_by(days=1)
        assert mall.take(mall.ktp)["position"] == 1

    def test_is_told_while_waiting_only(self, mall):
        mall.take(mall.ktp)
        called = mall.call_next(mall.first)
        for ticket in (called, mall.start(called), mall.complete(called), mall.get(called)):
            assert (ticket["position"], ticket["estimated_wait_seconds"]) == (None, None)

    def test_of_numbers_taken_at_once_is_given_out_once_each(self, mall):
        taken = together(8, lambda _: mall.take(mall.ktp))
        assert sorted(ticket["position"] for ticket in taken) == list(range(1, 9))


def serve(mall, clock, seconds):
    mall.take(mall.ktp)
    serving = mall.start(mall.call_next(mall.first))
    clock.pass_by(seconds=seconds)
    mall.complete(serving)


class TestEstimate:
    def test_assumes_ten_minutes_for_what_was_never_observed(self, mall):
        assert [mall.take(mall.ktp)["estimated_wait_seconds"] for _ in range(3)] == [0, 600, 1200]

    def test_follows_the_observed_pace_of_the_service(self, mall, clock):
        serve(mall, clock, 100)
        serve(mall, clock, 200)
        assert [mall.take(mall.ktp)["estimated_wait_seconds"] for _ in range(3)] == [0, 150, 300]
        assert [mall.take(mall.kk)["estimated_wait_seconds"] for _ in range(2)] == [450, 1050], "at the same counter"

    def test_is_shared_by_the_counters_in_use_for_the_service(self, mall):
        mall.counter(2, mall.ktp)
        mall.counter(3, mall.ktp, mall.kk)
        mall.counter(4, mall.ktp, active=False)
        mall.counter(5, mall.kk)
        for _ in range(3):
            mall.take(mall.ktp)
        assert mall.take(mall.ktp)["estimated_wait_seconds"] == 600

    def test_loses_no_first_observation_of_two(self, mall, clock):
        tickets = []
        for number in (1, 2, 3, 4):
            mall.take(mall.ktp)
            tickets.append(mall.start(mall.call_next(mall.counter(number, mall.ktp))))
        clock.pass_by(seconds=100)
        together(4, lambda number: mall.complete(tickets[number]))
        serve(mall, clock, 600)
        for _ in range(4):
            mall.take(mall.ktp)
        assert mall.take(mall.ktp)["estimated_wait_seconds"] == 200, "the fifth, at four counters"

    def test_counts_down_while_somebody_is_served_by_the_minute(self, mall, clock):
        mall.take(mall.ktp)
        mall.start(mall.call_next(mall.first))
        waiting = mall.take(mall.kk)
        told = []
        for _ in range(4):
            told.append(mall.get(waiting)["estimated_wait_seconds"])
            clock.pass_by(seconds=50)
        assert told == [600, 600, 540, 480]

    def test_is_not_before_the_opening(self, new_mall, new_regency, clock):
        mall = new_mall(regency=new_regency())
        [service] = mall.agency("CPL", "A", "KTP")
        mall.counter(1, service)
        mall.open_site(hours={"wednesday": [{"open": "08:00", "close": "15:00"}]})
        clock.instant = datetime(2026, 3, 11, 0, 30, tzinfo=UTC)  # 07:30 there
        assert [mall.take(service)["estimated_wait_seconds"] for _ in range(2)] == [1800, 2400]


class TestOneTicket:
    def test_is_for_staff_auditors_and_its_citizen(self, mall):
        ticket = mall.take(mall.ktp)
        token = domain.ticket_token(SECRET, ticket["id"])
        for role in ("officer", "front_desk", "supervisor", "administrator", "auditor"):
            assert mall.get(ticket, mall.actor(role)) == ticket
        for actor in (CITIZEN, mall.actor("kiosk")):
            assert mall.get(ticket, actor, token=token) == ticket
            assert refusal(mall.get, ticket, actor)[0] == "role_forbidden"
            assert refusal(mall.get, ticket, actor, token="x" * 43) == ("ticket_token_invalid", {})

    def test_that_does_not_exist_looks_to_strangers_like_any_other(self, mall):
        stranger = {"id": "7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11"}
        assert refusal(mall.get, stranger, CITIZEN, token="x" * 43) == ("ticket_token_invalid", {})


class TestPages:
    def test_are_in_order_of_issue_and_meet_each_other(self, mall, clock):
        taken = []
        for number in range(7):
            taken.append(mall.take(mall.ktp if number % 2 else mall.kk)["id"])
            clock.pass_by(seconds=number % 3)  # several at the same moment
        for limit in (1, 2, 3, 6, 7, 200):
            found, query = [], {"site": mall.site, "limit": limit}
            while True:
                page = mall.page(**query)
                assert 1 <= len(page["items"]) <= limit
                found += [ticket["id"] for ticket in page["items"]]
                if page["next_cursor"] is None:
                    break
                query["cursor"] = page["next_cursor"]
            assert found == taken

    def test_do_not_shift_when_tickets_change_or_come(self, mall):
        taken = [mall.take(mall.ktp)["id"] for _ in range(4)]
        first = mall.page(site=mall.site, limit=2)
        mall.call_next(mall.first)
        newest = mall.take(mall.ktp, "elderly")["id"]
        second = mall.page(site=mall.site, limit=200, cursor=first["next_cursor"])
        assert [ticket["id"] for ticket in second["items"]] == [*taken[2:], newest]

    def test_can_be_of_a_site_service_state_or_date(self, mall, clock):
        mall.take(mall.ktp)
        clock.pass_by(days=1)
        card, family = mall.take(mall.ktp), mall.take(mall.kk)
        mall.call_ticket(card, mall.first)

        def ids(**query):
            return [ticket["id"] for ticket in mall.page(site=mall.site, **query)["items"]]

        assert ids(date="2026-03-12") == [card["id"], family["id"]]
        assert ids(date="2026-03-12", service=mall.kk) == ids(date="2026-03-12", status="waiting") == [family["id"]]
        assert ids(status="called") == [card["id"]]
        assert ids(date="2026-03-13") == ids(status="void") == []
        assert mall.page(site="nowhere")["items"] == []

    @pytest.mark.parametrize("role", ["anonymous", "kiosk", "display"])
    def test_are_for_staff_and_auditors(self, mall, role):
        assert refusal(mall.page, mall.actor(role), site=mall.site)[0] == "role_forbidden"
        assert mall.page(mall.actor("auditor"), site=mall.site)["items"] == []

    @pytest.mark.parametrize(
        "place",
        [
            b"",
            b"null",
            b"[]",
            b"[1,2]",
            b'["2026-03-11T01:00:00+00:00"]',
            b'["2026-03-11T01:00:00+00:00","not-a-uuid"]',
            b'["2026-03-11T01:00:00+00:00",5]',
            b'["yesterday","7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11"]',
            b'["0001-01-01T00:00:00+14:00","7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11"]',
            b'{"a":1,"b":2}',
            b"\xff\xfe",
            b"[" * 140,
        ],
    )
    def test_begin_at_no_invented_cursor(self, mall, place):
        for cursor in {base64.urlsafe_b64encode(place).decode(), "=", "a", "~" * 20} - {""}:
            code, details = refusal(mall.page, cursor=cursor)
            assert (code, details["errors"][0]["field"], details["errors"][0]["rule"]) == ("parameter_invalid", "cursor", "opaque")

    def test_take_a_cursor_as_a_place_and_not_as_a_statement(self, mall):
        mall.take(mall.ktp)
        place = ["1999-01-01T00:00:00+00:00", "{7d0f1c1e5f0a4b569a3b0c5b2f6a1e11}"]
        cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
        assert len(mall.page(site=mall.site, cursor=cursor)["items"]) == 1


class TestGauges:
    def test_show_who_waits_today_and_how_long(self, new_regency, database, clock, new_mall):
        mall = new_mall(regency=new_regency())
        [service] = mall.agency("CPL", "A", "KTP")
        counter = mall.counter(1, service)
        mall.counter(2, service)
        clock.instant = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
        mall.take(service)  # never closed
        clock.instant = datetime(2026, 3, 11, 2, 0, tzinfo=UTC)
        for priority_class in (None, None, "elderly", None):
            mall.take(service, priority_class)
            clock.pass_by(minutes=1)
        mall.complete(mall.start(mall.call_next(counter)))  # the priority lane's
        mall.call_next(counter)
        rounds.measure_pressure(database)
        place = {"regency": mall.regency, "site": mall.site}

        def shown(metric, **labels):
            return REGISTRY.get_sample_value(metric, {**place, **labels})

        waiting, longest = "mpp_tickets_waiting", "mpp_tickets_longest_wait_seconds"
        assert [shown(waiting, lane="regular"), shown(longest, lane="regular")] == [2, 180]
        assert [shown(waiting, lane="priority"), shown(longest, lane="priority")] == [0, 0]
        today = {status: shown("mpp_tickets_today", status=status) for status in ("waiting", "called", "serving", "completed", "no_show")}
        assert today == {"waiting": 2, "called": 1, "serving": 0, "completed": 1, "no_show": 0}
        assert shown("mpp_counters") == 2
        while mall.tickets(status="waiting", date="2026-03-11"):
            mall.cancel(mall.tickets(status="waiting", date="2026-03-11")[0])
        rounds.measure_pressure(database)
        assert [shown(waiting, lane="regular"), shown(longest, lane="regular")] == [0, 0]
        assert shown("mpp_tickets_today", status="cancelled") == 2

    def test_begin_at_zero_with_the_day_of_the_sites_own_time_zone(self, new_regency, database, clock, new_mall):
        mall = new_mall(regency=new_regency())
        [service] = mall.agency("CPL", "A", "KTP")
        clock.instant = datetime(2026, 3, 11, 16, 59, tzinfo=UTC)  # a minute before midnight in Jakarta
        mall.take(service)
        for minutes, waiting in ((0, 1), (1, 0)):
            clock.pass_by(minutes=minutes)
            rounds.measure_pressure(database)
            place = {"regency": mall.regency, "site": mall.site}
            assert REGISTRY.get_sample_value("mpp_tickets_today", {**place, "status": "waiting"}) == waiting

    def test_what_a_call_and_a_completion_end_is_measured_once_it_is_committed(self, new_regency, clock, new_mall):
        mall = new_mall(regency=new_regency())
        [service] = mall.agency("CPL", "A", "KTP")
        counter = mall.counter(1, service)
        mall.take(service)
        clock.pass_by(minutes=4)

        def shown(metric):
            name, place = f"mpp_ticket_{metric}_seconds", {"regency": mall.regency}
            return [REGISTRY.get_sample_value(f"{name}_{part}", place) for part in ("count", "sum")]

        def call_in_vain():
            with mall.database.regency_work(mall.regency, context=CallContext(mall.regency, mall.actor("officer"))) as work:
                usecases.call_next(work, {"counter": counter})
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            call_in_vain()
        assert shown("wait") in ([None, None], [0, 0])
        called = mall.call_next(counter)
        assert shown("wait") == [1, 240]
        serving = mall.start(called)
        clock.pass_by(minutes=10)
        mall.complete(serving)
        assert shown("service") == [1, 600]
