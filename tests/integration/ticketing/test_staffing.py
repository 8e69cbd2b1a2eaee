"""Counters are opened, paused and closed by officers; who reloads the page finds what was there."""

from __future__ import annotations

from typing import Any

import pytest

from services.chassis.context import Actor
from services.ticketing import rounds
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import Mall, code_of, refusal, together

pytestmark = pytest.mark.integration


def officer(mall: Mall, name: str, role: str = "officer") -> Actor:
    return Actor(f"{name}-{mall.site}@{mall.regency}", role, mall.regency, None)


def told(mall: Mall) -> list[tuple[str, str, Any]]:
    return [(event.type, event.data["counter"], event.data["reason"]) for event in mall.events() if event.type.startswith("counter.")]


def test_an_officer_opens_pauses_goes_on_and_closes(mall):
    first = mall.first
    assert mall.open_counter(first)["status"] == "open"
    paused = mall.pause_counter(first, reason="prayer")
    assert (paused["status"], paused["reason"], paused["mine"]) == ("paused", "prayer", True)
    assert mall.open_counter(first)["reason"] is None
    assert mall.close_counter(first)["status"] == "closed"
    kinds = ["counter.opened", "counter.paused", "counter.opened", "counter.closed"]
    assert told(mall) == [(kind, first, "prayer" if kind == "counter.paused" else None) for kind in kinds]
    check_books(mall)


def test_opening_what_one_has_open_changes_nothing(mall, clock):
    opened = mall.open_counter(mall.first)
    clock.pass_by(minutes=5)
    assert mall.open_counter(mall.first) == opened
    assert len(told(mall)) == 1


def test_a_paused_or_closed_counter_calls_nobody(mall):
    second = mall.counter(2, mall.ktp)
    waiting = mall.take(mall.ktp)
    mall.open_counter(mall.first)
    mall.pause_counter(mall.first)
    for act in (lambda: mall.call_next(mall.first), lambda: mall.call_ticket(waiting, mall.first)):
        assert refusal(act) == ("counter_not_open", {"counter": mall.first, "status": "paused"})
    mall.close_counter(mall.first)
    assert refusal(mall.call_next, mall.first)[1]["status"] == "closed"
    assert mall.call_next(second)["number"] == "A-001", "a counter that nobody has opened today may call"


def test_what_was_put_aside_goes_on_at_an_open_counter_only(mall):
    second = mall.counter(2, mall.ktp)
    mall.open_counter(mall.first)
    mall.take(mall.ktp)
    held = mall.hold(mall.call_next(mall.first))
    mall.close_counter(mall.first)
    assert refusal(mall.resume, held) == ("counter_not_open", {"counter": mall.first, "status": "closed"})
    assert mall.resume(held, counter=second)["counter"] == second


def test_whom_it_serves_is_served_to_the_end_before_it_closes(mall):
    mall.open_counter(mall.first)
    mall.take(mall.ktp)
    called = mall.call_next(mall.first)
    mall.pause_counter(mall.first)
    assert refusal(mall.close_counter, mall.first)[0] == "counter_busy"
    mall.complete(mall.start(called))
    assert mall.close_counter(mall.first)["status"] == "closed"


def test_a_counter_has_one_officer_and_a_supervisor_may_take_it_over(mall):
    ani, budi, chief = officer(mall, "ani"), officer(mall, "budi"), officer(mall, "chief", "supervisor")
    since = mall.open_counter(mall.first, ani)["since"]
    assert refusal(mall.open_counter, mall.first, budi) == ("counter_taken", {"counter": mall.first, "since": since})
    assert refusal(mall.pause_counter, mall.first, budi)[0] == "counter_taken"
    assert refusal(mall.open_counter, mall.first, budi, take_over=True)[0] == "role_forbidden"
    assert mall.pause_counter(mall.first, chief)["mine"] is False
    assert mall.open_counter(mall.first, chief, take_over=True)["mine"] is True
    assert mall.desk(ani) is None


def test_an_officer_has_one_counter(mall):
    second = mall.counter(2, mall.ktp)
    mall.open_counter(mall.first)
    assert refusal(mall.open_counter, second) == ("officer_elsewhere", {"counter": mall.first})
    mall.close_counter(mall.first)
    assert mall.open_counter(second)["status"] == "open"


def test_two_counters_opened_by_one_officer_at_the_same_moment(mall):
    counters = [mall.first, mall.counter(2, mall.ktp)]
    outcomes = together(2, lambda number: mall.open_counter(counters[number]))
    assert sorted(isinstance(outcome, dict) for outcome in outcomes) == [False, True]
    assert code_of(next(outcome for outcome in outcomes if not isinstance(outcome, dict))) == "officer_elsewhere"


def test_one_counter_opened_by_eight_officers_at_the_same_moment(mall):
    outcomes = together(8, lambda number: mall.open_counter(mall.first, officer(mall, f"officer-{number}")))
    won = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    assert (len(won), {code_of(outcome) for outcome in outcomes if not isinstance(outcome, dict)}) == (1, {"counter_taken"})
    assert len(told(mall)) == 1


def test_after_a_reload_everything_is_there(mall):
    mall.open_counter(mall.first)
    for _ in range(4):
        mall.take(mall.ktp)
    mall.take(mall.kk)
    held = mall.hold(mall.call_next(mall.first))
    serving = mall.start(mall.call_next(mall.first))
    mine = mall.desk()
    assert (mine["counter"], mine["session"]["status"], mine["session"]["mine"]) == (mall.first, "open", True)
    assert [(ticket["number"], ticket["status"]) for ticket in mine["tickets"]] == [
        (held["number"], "on_hold"),
        (serving["number"], "serving"),
    ]
    assert mine["waiting"] == 3
    assert mall.desk(officer(mall, "auditor", "auditor"), counter=mall.first)["session"]["mine"] is False
    assert mall.desk(officer(mall, "somebody-else")) is None


def test_nobody_has_a_counter_of_yesterday(mall, clock):
    mall.open_counter(mall.first)
    clock.pass_by(days=1)
    assert mall.desk() is None
    assert mall.open_counter(mall.first, officer(mall, "budi"))["mine"] is True


def test_the_close_of_day_closes_the_counters(mall, clock):
    second = mall.counter(2, mall.ktp)
    mall.take(mall.ktp)
    mall.open_counter(mall.first)
    mall.open_counter(second, officer(mall, "budi"))
    mall.pause_counter(second, officer(mall, "budi"))
    clock.pass_by(days=1)
    rounds.close_ended_days(mall.database)
    assert [(kind, counter) for kind, counter, _ in told(mall)][-2:] == [("counter.closed", mall.first), ("counter.closed", second)]
    check_books(mall)


def test_an_officer_opens_counters_of_the_own_agency(mall):
    [land] = mall.agency("BPN", "B", "CEK")
    foreign = mall.counter(3, land, agency="BPN")
    assert refusal(mall.open_counter, foreign, mall.actor("officer", "CPL"))[0] == "agency_forbidden"
    assert refusal(mall.open_counter, foreign, mall.actor("front_desk"))[0] == "role_forbidden"
    assert refusal(mall.open_counter, "nowhere-01")[0] == "counter_unknown"


def test_the_estimate_counts_open_counters_where_officers_say_so(mall):
    second = mall.counter(2, mall.ktp)
    told = [mall.take(mall.ktp)["estimated_wait_seconds"] for _ in range(3)]
    assert told == [0, 0, 600]

    def now():
        return [ticket["estimated_wait_seconds"] for ticket in mall.tickets()]

    mall.open_counter(mall.first)
    assert now() == [0, 600, 1200]
    mall.open_counter(second, officer(mall, "budi"))
    assert now() == told


def test_no_wait_is_told_while_no_counter_for_the_service_is_open(mall):
    mall.open_counter(mall.first)
    mall.pause_counter(mall.first)
    ticket = mall.take(mall.ktp)
    assert (ticket["position"], ticket["estimated_wait_seconds"], ticket["first_estimate_seconds"]) == (1, None, None)
    mall.open_counter(mall.first)
    now = mall.get(ticket)
    assert (now["position"], now["estimated_wait_seconds"]) == (1, 0)
    assert now["first_estimate_seconds"] is None, "nothing was told first"
