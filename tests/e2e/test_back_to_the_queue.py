"""What may happen to a ticket between its call and its end, over HTTP and two replicas of ticketing; boards and reports follow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platform import checker
from tests.platform.client import Answer
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR, empty, take_number
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

COUNTER = OKU_TIMUR.counters[0]
SERVICE, OTHER_SERVICE = OKU_TIMUR.services[:2]
TICKETS = f"{OKU_TIMUR.path}/tickets"


class Desk:
    """An officer at a counter and a citizen who takes numbers."""

    def __init__(self, platform: DeployedPlatform) -> None:
        empty(platform, [OKU_TIMUR])
        self.platform = platform
        self.officer, self.citizen = platform.client("officer@oku-timur"), platform.client()

    def take(self, priority_class: str | None = None) -> dict[str, Any]:
        taken: dict[str, Any] = take_number(self.citizen, OKU_TIMUR, SERVICE, priority_class).body
        return taken

    def next(self) -> str | None:
        answer = self.officer.post(f"{OKU_TIMUR.path}/counters/{COUNTER}/call-next")
        return answer.body["id"] if answer.status == 200 else None

    def act(self, ticket: str | None, action: str, **facts: Any) -> Answer:
        return self.officer.post(f"{TICKETS}/{ticket}/{action}", facts or None)

    def state(self, ticket: str | None, action: str, **facts: Any) -> tuple[str, str | None]:
        answer = self.act(ticket, action, **facts)
        assert answer.status == 200, answer
        return answer.body["status"], answer.body["counter"]

    def serve(self) -> str | None:
        called = self.next()
        if called is not None:
            assert [self.act(called, "start").status, self.act(called, "complete", outcome="done").status] == [200, 200]
        return called

    def board(self) -> dict[str, Any]:
        board: dict[str, Any] = self.citizen.get(f"{OKU_TIMUR.path}/sites/{OKU_TIMUR.site}/board").body
        return board


@pytest.fixture
def desk(deployed_platform: DeployedPlatform) -> Desk:
    return Desk(deployed_platform)


def test_a_misclicked_call_is_undone_on_the_board_too(desk: Desk):
    ticket = desk.take()
    called = desk.next()
    eventually(lambda: ticket["number"] in [call["number"] for call in desk.board()["calls"]])
    assert desk.state(called, "undo-call") == ("waiting", None)
    eventually(lambda: ticket["number"] not in [call["number"] for call in desk.board()["calls"]])
    late = desk.act(called, "undo-call")
    assert (late.status, late.code, late.body["current_status"]) == (409, "ticket_state_conflict", "waiting")
    assert desk.serve() == ticket["id"]


def test_return_hold_and_rejoin_change_the_order_as_they_say(desk: Desk):
    first, second, third = (desk.take()["id"] for _ in range(3))
    assert desk.state(desk.next(), "return", position="last") == ("waiting", None)
    assert desk.state(desk.next(), "hold") == ("on_hold", COUNTER)
    assert desk.next() == third
    assert desk.state(third, "no-show") == ("no_show", COUNTER)
    assert desk.state(second, "resume") == ("called", COUNTER)
    assert desk.state(second, "return", position="first") == ("waiting", None)
    assert desk.state(third, "rejoin") == ("waiting", None)
    assert [desk.serve() for _ in range(4)] == [second, first, third, None]


def test_who_is_sent_on_keeps_slip_visit_and_arrival(desk: Desk):
    slip = desk.take("elderly")
    answer = desk.act(desk.next(), "transfer", service=OTHER_SERVICE)
    assert answer.status == 200, answer
    new = answer.body
    assert (new["visit"], new["arrived_at"], new["lane"], new["transferred_from"]) == (
        slip["visit"],
        slip["arrived_at"],
        "priority",
        slip["id"],
    )
    assert new["token"] not in (None, slip["token"])
    for token in (slip["token"], new["token"]):
        seen = desk.citizen.request("GET", f"{TICKETS}/{new['id']}", headers={"Ticket-Token": token})
        assert (seen.status, seen.body["number"], seen.body["position"]) == (200, new["number"], 1)
    ended = desk.citizen.request("GET", f"{TICKETS}/{slip['id']}", headers={"Ticket-Token": slip["token"]}).body
    assert (ended["status"], ended["transferred_to"]) == ("transferred", new["id"])
    assert desk.serve() == new["id"]


def test_a_slip_that_was_not_printed_is_void_and_one_that_was_waits(desk: Desk):
    kiosk = desk.platform.client("officer@oku-timur")
    slips = [kiosk.post(TICKETS, {"site": OKU_TIMUR.site, "service": SERVICE, "channel": "front_desk", "print": True}).body for _ in (1, 2)]
    assert desk.next() is None
    assert desk.state(slips[0]["id"], "confirm", printed=False)[0] == "void"
    waiting = desk.citizen.request("POST", f"{TICKETS}/{slips[1]['id']}/confirm", headers={"Ticket-Token": slips[1]["token"]})
    assert (waiting.status, waiting.body["status"]) == (200, "waiting")
    assert desk.serve() == slips[1]["id"]


def test_another_priority_changes_who_is_next(desk: Desk):
    first, second = desk.take()["id"], desk.take()["id"]
    assert desk.act(second, "priority", priority_class="disability").body["lane"] == "priority"
    assert [desk.serve(), desk.serve()] == [second, first]


def test_every_guard_says_what_the_ticket_is_now(desk: Desk):
    ticket = desk.take()["id"]
    wrong: dict[str, dict[str, Any]] = {
        "start": {},
        "complete": {"outcome": "done"},
        "recall": {},
        "undo-call": {},
        "hold": {},
        "resume": {},
        "no-show": {},
        "return": {"position": "first"},
        "transfer": {"service": OTHER_SERVICE},
        "rejoin": {},
        "confirm": {"printed": True},
    }
    for action, facts in wrong.items():
        answer = desk.act(ticket, action, **facts)
        assert (answer.status, answer.code, answer.body["current_status"]) == (409, "ticket_state_conflict", "waiting"), action
    assert desk.serve() == ticket


def test_the_books_agree_afterwards(desk: Desk):
    tickets = desk.platform.client("auditor@oku-timur").pages(TICKETS)
    checker.check_tickets(tickets)
    checker.check_log(desk.platform, OKU_TIMUR, tickets)
