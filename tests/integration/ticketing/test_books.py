"""That the books are whole is a check that can fail: each invariant finds a day in which it alone, or hardly more, is broken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.chassis.events import Envelope
from tests.integration.ticketing.books import check_books, check_nobody_overtaken_in
from tests.integration.ticketing.mall import POLICY, Mall

pytestmark = pytest.mark.integration

Shown = dict[str, Any]


class Books:
    """Tickets and stream of a day as a site shows them, which a test may falsify."""

    def __init__(self, mall: Mall) -> None:
        self.site_facts = mall.site_facts
        self._tickets = mall.tickets()
        self._events = [copy.deepcopy(event) for event in mall.events()]

    def tickets(self) -> list[Shown]:
        return self._tickets

    def events(self) -> list[Envelope]:
        return self._events

    def of(self, label: str) -> list[Shown]:
        """A ticket wherever it is shown: as it is now, and in each event."""
        told = [event.data["ticket"] for event in self._events if "ticket" in event.data]
        return [ticket for ticket in (*self._tickets, *told) if ticket["number"] == label]


@pytest.fixture
def books(mall, clock) -> Books:
    """A-001 was served after a return, A-002 transferred to B-001, A-003 goes on to B-002, A-004 is at the counter, A-005 waits."""
    [land] = mall.agency("BPN", "B", "CEK")
    for further in ([], [], [land], [], []):
        mall.take(mall.ktp, then=further)
        clock.pass_by(seconds=10)
    mall.send_back(mall.call_next(mall.first), position="first")
    clock.pass_by(seconds=10)
    mall.complete(mall.start(mall.call_next(mall.first)))
    clock.pass_by(seconds=10)
    mall.transfer(mall.start(mall.call_next(mall.first)), land)
    clock.pass_by(seconds=10)
    mall.complete(mall.start(mall.call_next(mall.first)))
    clock.pass_by(seconds=10)
    mall.start(mall.call_next(mall.first))
    books = Books(mall)
    assert {ticket["number"]: ticket["status"] for ticket in books.tickets()} == {
        "A-001": "completed",
        "A-002": "transferred",
        "A-003": "completed",
        "A-004": "serving",
        "A-005": "waiting",
        "B-001": "waiting",
        "B-002": "waiting",
    }
    check_books(books)  # type: ignore[arg-type]
    return books


def a_number_is_missing(books: Books) -> None:
    for ticket in books.of("A-005"):
        ticket["number"] = "A-006"


def a_number_is_there_twice(books: Books) -> None:
    for ticket in books.of("A-005"):
        ticket["number"] = "A-004"


def two_are_at_a_counter(books: Books) -> None:
    """A-004 was called there before A-003 had left."""
    events = books.events()
    [left] = [index for index, event in enumerate(events) if _tells(event, "ticket.completed", "A-003")]
    [called] = [index for index, event in enumerate(events) if _tells(event, "ticket.called", "A-004")]
    events.insert(left, events.pop(called))
    events[:] = [replace(event, sequence=sequence) for sequence, event in enumerate(events, 1)]


def _tells(event: Envelope, event_type: str, label: str) -> bool:
    return event.type == event_type and event.data["ticket"]["number"] == label


def nobody_knows_where_somebody_was(books: Books) -> None:
    for ticket in books.of("A-001"):
        if len(ticket["periods"]) > 2:
            ticket["periods"][2]["started_at"] = _later(ticket["periods"][2]["started_at"])


def a_version_is_left_out(books: Books) -> None:
    for ticket in books.of("A-001"):
        ticket["version"] += ticket["version"] > 2


def a_version_is_told_twice(books: Books) -> None:
    events = books.events()
    last = next(event for event in reversed(events) if event.subject == books.of("A-001")[0]["id"])
    events.append(replace(last, sequence=len(events) + 1))


def an_event_was_never_sent(books: Books) -> None:
    books.events().pop(5)


def somebody_was_served_before_the_call(books: Books) -> None:
    """Whole periods, in the order of their states, that go backwards in time."""
    for ticket in books.of("A-004"):
        for before, after in zip(ticket["periods"], ticket["periods"][1:], strict=False):
            if after["state"] == "called":
                before["ended_at"] = after["started_at"] = _later(after["started_at"])


def somebody_came_after_the_number_was_taken(books: Books) -> None:
    for ticket in books.of("A-005"):
        ticket["arrived_at"] = _later(ticket["arrived_at"])


def an_ended_ticket_goes_on(books: Books) -> None:
    for ticket in books.of("A-001"):
        if ticket["status"] == "completed":
            ticket["periods"][-1]["ended_at"] = None


def the_last_event_is_not_what_the_ticket_is(books: Books) -> None:
    books.of("A-004")[0]["recalls"] += 1


def somebody_is_in_two_queues(books: Books) -> None:
    """B-002 is of the visit of A-003, which has ended; let it be of the visit of A-005, who waits."""
    [visit] = {ticket["visit"] for ticket in books.of("A-005")}
    [arrived] = {ticket["arrived_at"] for ticket in books.of("A-005")}
    for ticket in books.of("B-002"):
        ticket["visit"] = visit
        ticket["arrived_at"] = arrived


def a_transfer_forgets_when_somebody_came(books: Books) -> None:
    [issued] = {ticket["issued_at"] for ticket in books.of("B-001")}
    for ticket in books.of("B-001"):
        ticket["arrived_at"] = issued


def _later(instant: str) -> str:
    return (datetime.fromisoformat(instant) + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    "falsify",
    [
        a_number_is_missing,
        a_number_is_there_twice,
        two_are_at_a_counter,
        nobody_knows_where_somebody_was,
        a_version_is_left_out,
        a_version_is_told_twice,
        an_event_was_never_sent,
        somebody_was_served_before_the_call,
        somebody_came_after_the_number_was_taken,
        an_ended_ticket_goes_on,
        the_last_event_is_not_what_the_ticket_is,
        somebody_is_in_two_queues,
        a_transfer_forgets_when_somebody_came,
    ],
)
def test_false_books_are_found(books: Books, falsify: Callable[[Books], None]):
    falsify(books)
    with pytest.raises(AssertionError):
        check_books(books)  # type: ignore[arg-type]


def test_somebody_overtaken_after_the_cap_is_found(mall, clock):
    """Strict priority, of which the same calls are looked at as if the site had an ageing cap."""
    mall.open_site(policy={**POLICY, "regular_per_priority": 0})
    mall.take(mall.ktp)
    clock.pass_by(minutes=20)
    mall.take(mall.ktp, "elderly")
    called = mall.call_next(mall.first)
    assert called["lane"] == "priority"
    calls = {(called["id"], called["version"]): ([mall.ktp], clock.now())}
    assert check_nobody_overtaken_in(mall.events(), calls, cap_minutes=21) == 0
    with pytest.raises(AssertionError, match="had waited longer"):
        check_nobody_overtaken_in(mall.events(), calls, cap_minutes=20)
