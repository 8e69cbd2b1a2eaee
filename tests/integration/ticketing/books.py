"""What must be true of a site's tickets and events, whatever was done to them."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

from services.chassis.events import Envelope
from services.ticketing.domain import OPEN_STATES, TRANSITIONS
from tests.integration.ticketing.mall import Mall

MOVES = {transition.event: transition.moves for transition in TRANSITIONS.values()}


def check_books(mall: Mall) -> None:
    """Numbers gapless, periods whole, one event for each version, one ticket at a counter at a time."""
    tickets, events = mall.tickets(), mall.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    _check_numbers(tickets)
    for ticket in tickets:
        _check_periods(ticket)
        _check_story(ticket, [event for event in events if event.subject == ticket["id"]])
    _check_counters(events, together=2 if mall.site_facts["policy"]["call_while_serving"] else 1)
    _check_days(events)


def _check_numbers(tickets: list[dict[str, Any]]) -> None:
    series = defaultdict(list)
    for ticket in tickets:  # in order of issue
        prefix, _, number = ticket["number"].partition("-")
        series[ticket["business_date"], prefix].append(int(number))
    for numbers in series.values():
        assert numbers == list(range(1, len(numbers) + 1))


def _check_periods(ticket: dict[str, Any]) -> None:
    periods = ticket["periods"]
    assert periods[0]["started_at"] == ticket["issued_at"]
    assert all(before["ended_at"] == after["started_at"] for before, after in pairwise(periods))
    assert all(period["ended_at"] is None or period["started_at"] <= period["ended_at"] for period in periods)
    assert periods[-1]["state"] == ticket["status"]
    assert (periods[-1]["ended_at"] is None) == (ticket["status"] in OPEN_STATES)


def _check_story(ticket: dict[str, Any], events: list[Envelope]) -> None:
    """The events of a ticket tell each of its versions once, in order, and the last one tells what it is now."""
    told = [event.data["ticket"] for event in events]
    begins = 2 if ticket["periods"][0]["state"] == "printing" else 1  # nobody hears of a number before its slip is out
    assert [each["version"] for each in told] == list(range(begins, ticket["version"] + 1))
    if not told:
        return
    assert events[0].type == {"void": "ticket.voided", "expired": "ticket.expired", "reserved": "ticket.reserved"}.get(
        told[0]["status"], "ticket.issued"
    )
    for (_, before), (event, after) in pairwise(zip(events, told, strict=True)):
        assert after["status"] in MOVES[event.type][before["status"]]
        assert after["periods"][: len(before["periods"]) - 1] == before["periods"][:-1]
    now = {name: value for name, value in ticket.items() if name not in ("position", "estimated_wait_seconds")}
    assert told[-1] == now


def _check_counters(events: list[Envelope], together: int) -> None:
    """The stream is in order of commits: at no point of it has a counter two called, two serving, or too many."""
    there: dict[str, dict[str, str]] = defaultdict(dict)
    for event in events:
        ticket = event.data.get("ticket")
        if ticket is None:
            continue
        for others in there.values():
            others.pop(ticket["id"], None)
        if ticket["status"] not in ("called", "serving"):
            continue
        tickets = there[ticket["counter"]]
        tickets[ticket["id"]] = ticket["status"]
        states = list(tickets.values())
        assert len(states) == len(set(states)) <= together


def _check_days(events: list[Envelope]) -> None:
    opened, closed = set(), set()
    for event in events:
        day = event.data.get("ticket", event.data)["business_date"]
        if event.type.startswith("counter."):
            assert day not in closed
            continue
        if event.type == "queue.day_opened":
            assert day not in opened
            opened.add(day)
        assert day in opened
        assert day not in closed
        if event.type == "queue.day_closed":
            closed.add(day)
            expired = [each for each in events if each.type == "ticket.expired" and each.data["ticket"]["business_date"] == day]
            assert event.data["expired"] == len(expired)
