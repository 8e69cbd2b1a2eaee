"""Visits of several legs: one slip, one arrival, the next leg waits when the one before it has ended."""

from __future__ import annotations

from typing import Any

import pytest

from services.ticketing import domain, rounds, usecases
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import CITIZEN, SECRET, Mall, code_of, overtaken, refusal, together

pytestmark = pytest.mark.integration


class Errands:
    """A citizen who needs Dukcapil, then BPJS, then the bank, at a counter each."""

    def __init__(self, mall: Mall) -> None:
        self.mall = mall
        [self.health] = mall.agency("BPJS", "B", "KES")
        [self.bank] = mall.agency("BANK", "C", "REK")
        self.counters = {mall.ktp: mall.first, self.health: mall.counter(2, self.health), self.bank: mall.counter(3, self.bank)}

    def take(self, *services: str, **more: Any) -> dict[str, Any]:
        first, *then = services or (self.mall.ktp, self.health, self.bank)
        return self.mall.take(first, then=then, **more)

    def states(self, taken: dict[str, Any]) -> dict[str, str]:
        visit = [ticket for ticket in self.mall.tickets() if ticket["visit"] == taken["visit"]]
        return {ticket["number"]: ticket["status"] for ticket in visit}

    def call(self, service: str) -> dict[str, Any]:
        called = self.mall.call_next(self.counters[service])
        assert called is not None
        return called

    def serve(self, service: str) -> dict[str, Any]:
        return self.mall.complete(self.mall.start(self.call(service)))

    def requires(self, service: str, *needs: str) -> None:
        agency, _, code = service.partition("-")
        self.mall.service(agency, code, prerequisites=list(needs))


@pytest.fixture
def errands(mall) -> Errands:
    return Errands(mall)


def test_one_slip_has_all_numbers_and_one_arrival(errands):
    taken = errands.take()
    assert [(leg["number"], leg["service"], leg["status"]) for leg in taken["legs"]] == [
        ("B-001", errands.health, "reserved"),
        ("C-001", errands.bank, "reserved"),
    ]
    tickets = [errands.mall.get(each) for each in (taken, *taken["legs"])]
    assert [ticket["leg"] for ticket in tickets] == [1, 2, 3]
    assert {(ticket["visit"], ticket["arrived_at"]) for ticket in tickets} == {(taken["visit"], taken["arrived_at"])}
    alone = errands.mall.take(errands.mall.ktp)
    assert alone["leg"] is None


def test_the_next_leg_waits_when_the_one_before_it_has_ended(errands):
    taken = errands.take()
    assert errands.mall.call_next(errands.counters[errands.health]) is None
    errands.serve(errands.mall.ktp)
    assert errands.states(taken) == {"A-001": "completed", "B-001": "waiting", "C-001": "reserved"}
    errands.serve(errands.health)
    errands.serve(errands.bank)
    assert set(errands.states(taken).values()) == {"completed"}
    check_books(errands.mall)


def test_a_leg_has_its_turn_by_the_arrival_of_the_visit(errands, clock):
    errands.take(errands.mall.ktp, errands.health)
    clock.pass_by(minutes=10)
    errands.mall.take(errands.health)
    clock.pass_by(minutes=10)
    errands.serve(errands.mall.ktp)
    assert errands.call(errands.health)["number"] == "B-001"


def test_any_slip_of_the_visit_opens_all_its_tickets(errands):
    taken = errands.take()
    token = domain.ticket_token(SECRET, taken["id"])
    assert errands.mall.get(taken["legs"][1], CITIZEN, token=token)["number"] == "C-001"


def test_services_are_put_in_the_order_of_what_they_require(errands):
    errands.requires(errands.health, errands.mall.ktp)
    errands.requires(errands.bank, errands.health)
    taken = errands.take(errands.bank, errands.health, errands.mall.ktp)
    assert (taken["service"], [leg["service"] for leg in taken["legs"]]) == (errands.mall.ktp, [errands.health, errands.bank])


def test_services_that_require_each_other_are_refused_and_take_no_number(errands):
    errands.requires(errands.health, errands.bank)
    errands.requires(errands.bank, errands.health)
    assert refusal(errands.take, errands.health, errands.bank)[0] == "prerequisites_circular"
    assert errands.mall.take(errands.health)["number"] == "B-001"


class TestGivenUp:
    def test_leg_lets_the_next_one_wait(self, errands):
        taken = errands.take()
        errands.mall.cancel(taken)
        assert errands.states(taken) == {"A-001": "cancelled", "B-001": "waiting", "C-001": "reserved"}

    def test_leg_takes_with_it_what_needs_it(self, errands):
        errands.requires(errands.health, errands.mall.ktp)
        taken = errands.take()
        errands.mall.cancel(taken)
        assert errands.states(taken) == {"A-001": "cancelled", "B-001": "cancelled", "C-001": "waiting"}
        check_books(errands.mall)

    def test_leg_of_later_leaves_the_present_one_alone(self, errands):
        taken = errands.take()
        errands.mall.cancel(taken["legs"][0])
        assert errands.states(taken) == {"A-001": "waiting", "B-001": "cancelled", "C-001": "reserved"}
        errands.serve(errands.mall.ktp)
        assert errands.states(taken)["C-001"] == "waiting"

    def test_slip_that_never_came_out_leaves_nothing(self, errands, clock):
        taken = errands.take(channel="kiosk", print=True)
        assert errands.states(taken) == {"A-001": "printing", "B-001": "reserved", "C-001": "reserved"}
        clock.pass_by(minutes=3)
        rounds.measure_pressure(errands.mall.database)
        assert errands.states(taken) == {"A-001": "void", "B-001": "cancelled", "C-001": "cancelled"}
        check_books(errands.mall)


def test_who_did_not_come_goes_on_after_rejoining(errands):
    taken = errands.take()
    errands.mall.no_show(errands.call(errands.mall.ktp))
    assert errands.states(taken)["B-001"] == "reserved"
    errands.mall.rejoin(taken)
    errands.serve(errands.mall.ktp)
    assert errands.states(taken)["B-001"] == "waiting"


def test_staff_may_let_a_leg_wait_out_of_order_but_only_one_at_a_time(errands):
    taken = errands.take()
    health, bank = taken["legs"]
    assert refusal(errands.mall.check_in, health)[0] == "visit_busy"
    errands.mall.no_show(errands.call(errands.mall.ktp))
    assert errands.mall.check_in(bank)["position"] == 1
    code, details = refusal(errands.mall.rejoin, taken)
    assert (code, details["number"], details["status"]) == ("visit_busy", "C-001", "waiting")
    assert refusal(errands.mall.check_in, health)[0] == "visit_busy"


def test_a_transfer_is_part_of_its_leg(errands):
    taken = errands.take(errands.mall.ktp, errands.health)
    [land] = errands.mall.agency("BPN", "D", "CEK")
    errands.counters[land] = errands.mall.counter(4, land)
    new = errands.mall.transfer(errands.call(errands.mall.ktp), land)
    assert (new["leg"], errands.states(taken)["B-001"]) == (1, "reserved")
    errands.serve(land)
    assert errands.states(taken)["B-001"] == "waiting"
    check_books(errands.mall)


def test_the_close_of_day_ends_all_legs(errands, clock):
    taken = errands.take()
    clock.pass_by(days=1)
    rounds.close_ended_days(errands.mall.database)
    assert set(errands.states(taken).values()) == {"expired"}
    check_books(errands.mall)


def test_two_ends_at_the_same_moment_bring_one_leg_to_its_queue(errands):
    def both(taken: dict[str, Any]) -> list[Any]:
        serving = errands.mall.start(errands.call(errands.mall.ktp))
        return together(2, lambda number: errands.mall.cancel(taken["legs"][0]) if number else errands.mall.complete(serving))

    for _ in range(5):
        taken = errands.take()
        outcomes = both(taken)
        assert all(isinstance(outcome, dict) for outcome in outcomes), [code_of(each) for each in outcomes if not isinstance(each, dict)]
        assert list(errands.states(taken).values()) == ["completed", "cancelled", "waiting"]
        errands.serve(errands.bank)
    check_books(errands.mall)


def test_completing_a_leg_waits_for_a_call_that_holds_the_day(errands):
    taken = errands.take(errands.mall.ktp, errands.health)
    serving = errands.mall.start(errands.call(errands.mall.ktp))
    errands.mall.take(errands.bank)
    done = overtaken(
        errands.mall,
        lambda work: usecases.call_next(work, {"counter": errands.counters[errands.bank]}),
        lambda: errands.mall.complete(serving),
    )
    assert done["status"] == "completed"
    assert errands.states(taken)["B-001"] == "waiting"
    check_books(errands.mall)
