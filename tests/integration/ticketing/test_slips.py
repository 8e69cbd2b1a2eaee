"""A slip that never came out is given up in time, however many regencies there are, and hardly anything is asked for that."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.chassis.clock import Clock
from services.chassis.context import CallContext
from services.chassis.errors import DatabaseUnavailable
from services.chassis.settings import Settings
from services.contracts import ticketing as contracts
from services.ticketing import domain, rounds, slips
from services.ticketing.service import TicketingService
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import SECRET, Mall
from tests.integration.ticketing.province import Province, Replica, statuses

pytestmark = pytest.mark.integration

PROMISED = timedelta(minutes=2, seconds=30)


class Process:
    """A replica of ticketing as its kiosks and its clock call it: the service's own methods."""

    def __init__(self, province: Province, clock: Clock | None = None) -> None:
        self.clock = province.clock
        self.database: Replica = province.replica(clock)
        self._service = object.__new__(TicketingService)
        self._service.database = self.database
        self._service.settings = Settings(ticket_token_secret=SECRET)

    def print(self, mall: Mall) -> dict[str, Any]:
        """A kiosk takes a number and begins to print it."""
        data = {"site": mall.site, "service": mall.ktp, "channel": "kiosk", "print": True}
        return self._do(mall, "issue_ticket", contracts.IssueTicket, data)

    def confirm(self, mall: Mall, ticket: dict[str, Any], printed: bool = True) -> dict[str, Any]:
        token = domain.ticket_token(SECRET, ticket["id"])
        return self._do(mall, "confirm_printing", contracts.ConfirmPrinting, {"id": ticket["id"], "printed": printed, "token": token})

    def _do(self, mall: Mall, method: str, contract: type, data: dict[str, Any]) -> dict[str, Any]:
        with self.database.regency_work(mall.regency, context=CallContext(mall.regency, mall.actor("kiosk"))) as work:
            answer: dict[str, Any] = getattr(self._service, method)(work, contract().load(data))
        return answer

    def round(self) -> set[str]:
        """What the service does every few seconds; answers which regencies it asked."""
        self.database.asked_since()
        self._service.give_up_slips()
        return self.database.asked_since()


@pytest.fixture
def process(province) -> Process:
    """A replica that has looked into every regency."""
    process = Process(province)
    process.round()
    return process


def until(process: Process, mall: Mall, states: list[str]) -> timedelta:
    """Let rounds pass until the site's tickets are in these states; answers how long it took."""
    began = process.clock.instant
    while statuses(mall) != states:
        assert process.clock.instant < began + timedelta(minutes=10), "it never came true"
        process.clock.pass_by(seconds=slips.LOOK_SECONDS)
        process.round()
    return process.clock.instant - began


def test_what_nobody_confirms_is_void_in_time_whatever_else_is_printed(province, process):
    mall = province.mall()
    chance = random.Random(5)
    for _ in range(60):
        process.print(mall)
        process.clock.pass_by(seconds=chance.uniform(1, slips.LOOK_SECONDS))
        process.round()
    until(process, mall, ["void"] * 60)
    for ticket in mall.tickets():
        [printing, void] = (datetime.fromisoformat(period["started_at"]) for period in ticket["periods"])
        assert timedelta(minutes=2) <= void - printing <= PROMISED, ticket
    check_books(mall)


def test_only_regencies_in_which_a_slip_is_overdue_are_asked(province, process):
    malls = [province.mall() for _ in range(3)]
    assert process.round() == {mall.regency for mall in malls}, "each new one once"
    assert process.round() == set()
    lost = process.print(malls[0])
    came_out = process.print(malls[1])
    process.confirm(malls[1], came_out)
    asked: set[str] = set()
    while statuses(malls[0]) == ["printing"]:
        process.clock.pass_by(seconds=slips.LOOK_SECONDS)
        asked |= process.round()
    assert asked == {malls[0].regency}
    assert (malls[0].get(lost)["status"], malls[1].get(came_out)["status"]) == ("void", "waiting")
    process.clock.pass_by(minutes=5)
    assert process.round() == set()


def test_a_busy_regency_is_asked_a_few_times_a_minute(province, process):
    mall = province.mall()
    process.round()
    looks = []
    for _ in range(60):  # five minutes
        process.print(mall)
        process.clock.pass_by(seconds=slips.LOOK_SECONDS)
        looks += process.round()
    assert 6 <= len(looks) <= 10


def test_a_slip_confirmed_at_another_replica_is_left_alone(province, process):
    mall, other = province.mall(), Process(province)
    slip = process.print(mall)
    other.confirm(mall, slip)
    process.clock.pass_by(minutes=3)
    process.round()
    assert mall.get(slip)["status"] == "waiting"
    process.clock.pass_by(minutes=1)
    assert process.round() == set()


def test_a_process_that_starts_again_gives_up_what_the_one_before_left(province, process):
    mall = province.mall()
    process.print(mall)
    process.clock.pass_by(seconds=30)
    again = Process(province)
    again.round()
    assert statuses(mall) == ["printing"]
    assert until(again, mall, ["void"]) <= PROMISED - timedelta(seconds=30)


def test_a_start_looks_into_so_many_regencies_at_a_time(province, monkeypatch):
    monkeypatch.setattr(slips, "MOST_UNSEEN", 2)
    malls = [province.mall() for _ in range(5)]
    process = Process(province)
    asked = [process.round() for _ in range(4)]
    assert [len(regencies) for regencies in asked] == [2, 2, 1, 0]
    assert set().union(*asked) == {mall.regency for mall in malls}


def test_what_a_process_left_that_is_gone_for_good_is_found_when_its_regency_is_measured(province, process):
    mall = province.mall()
    Process(province).print(mall)
    process.round()
    process.clock.pass_by(minutes=3)
    rounds.measure_pressure(process.database)
    assert statuses(mall) == ["void"]


def test_a_regency_that_fails_keeps_no_other_waiting_and_has_its_turn_again(province, process):
    malls = sorted((province.mall() for _ in range(2)), key=lambda mall: mall.regency)
    for mall in malls:
        process.print(mall)
    process.round()
    process.clock.pass_by(minutes=2, seconds=25)
    process.database.trouble[malls[0].regency] = DatabaseUnavailable("away")
    process.round()
    assert [statuses(mall) for mall in malls] == [["printing"], ["void"]]
    process.database.trouble.clear()
    process.round()
    assert statuses(malls[0]) == ["void"]


def test_a_clock_that_was_set_back_forgets_nobody(province, process):
    mall = province.mall()
    right = process.clock.instant
    process.clock.instant = right + timedelta(days=30)
    process.round()
    slip = process.print(mall)
    process.clock.instant = right
    process.round()
    assert mall.get(slip)["status"] == "printing"  # issued in the future
    process.clock.instant = right + timedelta(days=30, minutes=3)
    process.round()
    assert mall.get(slip)["status"] == "void"
