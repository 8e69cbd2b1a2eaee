"""What must be true of a site's tickets and events, whatever was done to them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from services.chassis.events import Envelope
from services.ticketing.domain import LIVE_STATES, OPEN_STATES, TRANSITIONS
from tests.integration.ticketing.mall import Mall

MOVES = {transition.event: transition.moves for transition in TRANSITIONS.values()}


Shown = Mapping[str, Any]
"""A ticket as answers and events show it."""


def check_books(mall: Mall, *, called_while_serving: bool | None = None) -> None:
    """Numbers gapless, periods whole, one event for each version, one ticket at a counter at a time, one live leg of a visit.

    :param called_while_serving: whether the site ever allowed that; default: whether it does now.
    """
    tickets, events = mall.tickets(), mall.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    _check_numbers(tickets)
    for ticket in tickets:
        _check_periods(ticket)
        _check_times(ticket)
        _check_story(ticket, [event for event in events if event.subject == ticket["id"]])
    allowed = mall.site_facts["policy"]["call_while_serving"] if called_while_serving is None else called_while_serving
    _check_counters(events, together=2 if allowed else 1)
    _check_visits(tickets, events)
    _check_days(events)


# --- at one moment


def check_counters_now(tickets: Iterable[Shown]) -> None:
    """No counter has two called or two served."""
    there = Counter((ticket["counter"], ticket["status"]) for ticket in tickets if ticket["status"] in ("called", "serving"))
    assert all(number == 1 for number in there.values()), there


def check_visits_now(tickets: Iterable[Shown]) -> None:
    """Nobody is in two queues, or at two counters: of a visit one ticket is live."""
    live = Counter(ticket["visit"] for ticket in tickets if ticket["status"] in LIVE_STATES)
    assert all(number == 1 for number in live.values()), live


def check_turns(tickets: Iterable[Shown], order: Mapping[str, int]) -> None:
    """The instants by which those who wait have their turn follow one another as their turns do."""
    waiting = sorted((ticket for ticket in tickets if ticket["status"] == "waiting"), key=lambda ticket: order[ticket["id"]])
    turns = [(ticket["business_date"], _turn(ticket)) for ticket in waiting]
    assert all(before < after for before, after in pairwise(sorted(turns, key=lambda each: each[0]))), turns


def check_nobody_overtaken(
    called: str, tickets: Iterable[Shown], services: Collection[str], day: str, now: datetime, cap_minutes: int | None
) -> None:
    """Who was called is not overtaking anybody who had waited for the same counter as long as the ageing cap.

    :param tickets: as they were before the call.
    """
    if cap_minutes is None:
        return
    known = {ticket["id"]: ticket for ticket in tickets}
    turn, patience = _turn(known[called]), timedelta(minutes=cap_minutes)
    overtaken = [
        ticket["number"]
        for ticket in known.values()
        if (ticket["status"], ticket["business_date"]) == ("waiting", day) and ticket["service"] in services and _turn(ticket) < turn
        and now - _turn(ticket) >= patience
    ]  # fmt: skip
    assert not overtaken, f"{known[called]['number']} was called before {overtaken}, who had waited longer than {patience}"


def check_nobody_overtaken_in(
    events: Iterable[Envelope], calls: Mapping[tuple[str, int], tuple[Collection[str], datetime]], cap_minutes: int
) -> int:
    """The same of every call of a stream, which is in order of commits; return how many calls had somebody to respect.

    :param calls: for which services a counter called who was next, and when at the earliest, by ticket and its version.
    """
    tickets: dict[str, Shown] = {}
    respected = 0
    for event in events:
        ticket = event.data.get("ticket")
        if ticket is None:
            continue
        if (ticket["id"], ticket["version"]) in calls:
            services, now = calls[ticket["id"], ticket["version"]]
            check_nobody_overtaken(ticket["id"], tickets.values(), services, ticket["business_date"], now, cap_minutes)
            respected += _turn(tickets[ticket["id"]]) <= now - timedelta(minutes=cap_minutes)
        tickets[ticket["id"]] = ticket
    return respected


def _turn(ticket: Shown) -> datetime:
    return datetime.fromisoformat(ticket["turn_at"] or ticket["arrived_at"])


# --- over the whole story


def _check_numbers(tickets: list[dict[str, Any]]) -> None:
    series = defaultdict(list)
    for ticket in tickets:  # in order of issue
        prefix, _, number = ticket["number"].partition("-")
        series[ticket["business_date"], prefix].append(int(number))
    for numbers in series.values():
        assert numbers == list(range(1, len(numbers) + 1))
    issued: dict[str, list[datetime]] = defaultdict(list)
    for ticket in tickets:
        issued[ticket["business_date"]].append(datetime.fromisoformat(ticket["issued_at"]))
    for instants in issued.values():
        assert all(before < after for before, after in pairwise(sorted(instants))), "two numbers of a day at the same instant"


def _check_periods(ticket: dict[str, Any]) -> None:
    periods = ticket["periods"]
    assert periods[0]["started_at"] == ticket["issued_at"]
    assert all(before["ended_at"] == after["started_at"] for before, after in pairwise(periods))
    assert all(period["ended_at"] is None or period["started_at"] <= period["ended_at"] for period in periods)
    assert periods[-1]["state"] == ticket["status"]
    assert (periods[-1]["ended_at"] is None) == (ticket["status"] in OPEN_STATES)


def _check_times(ticket: dict[str, Any]) -> None:
    """Nobody came after the number was taken, or was called, served or sent home before."""
    periods = ticket["periods"]
    instants = [ticket["arrived_at"], *(period["started_at"] for period in periods), *filter(None, (periods[-1]["ended_at"],))]
    assert instants == sorted(instants), f"{ticket['number']}: {instants}"
    assert all(period["undone"] is False or period["state"] == "called" for period in periods)
    assert ticket["leg"] is None or ticket["leg"] >= 1
    assert all(period["counter"] is not None for period in periods if period["state"] in ("called", "serving"))
    assert all(period["counter"] is None for period in periods if period["state"] in ("printing", "reserved", "waiting"))


def _check_story(ticket: dict[str, Any], events: list[Envelope]) -> None:
    """The events of a ticket tell each of its versions once, in order, and the last one tells what it is now."""
    told = [event.data["ticket"] for event in events]
    assert all(each["status"] != "printing" for each in told), "somebody heard of a number before its slip was out"
    # While it is printed it may change its lane, and no event tells of that.
    begins = 1 if ticket["periods"][0]["state"] != "printing" else told[0]["version"] if told else ticket["version"] + 1
    assert [each["version"] for each in told] == list(range(begins, ticket["version"] + 1))
    if not told:
        assert ticket["status"] == "printing"
        return
    assert [period["state"] for period in told[0]["periods"]] in (["reserved"], ["waiting"], ["printing", told[0]["status"]])
    assert events[0].type == {"void": "ticket.voided", "expired": "ticket.expired", "reserved": "ticket.reserved"}.get(
        told[0]["status"], "ticket.issued"
    )
    for (_, before), (event, after) in pairwise(zip(events, told, strict=True)):
        assert after["status"] in MOVES[event.type][before["status"]]
        assert after["periods"][: len(before["periods"]) - 1] == before["periods"][:-1]
        assert (after["visit"], after["arrived_at"], after["number"]) == (before["visit"], before["arrived_at"], before["number"])
        assert before["first_estimate_seconds"] in (None, after["first_estimate_seconds"]), "what was told first has changed"
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


def _check_visits(tickets: list[dict[str, Any]], events: list[Envelope]) -> None:
    """At no point of the stream is somebody in two queues; all tickets of a visit have its arrival."""
    live: dict[str, set[str]] = defaultdict(set)
    for event in events:
        ticket = event.data.get("ticket")
        if ticket is None:
            continue
        (live[ticket["visit"]].add if ticket["status"] in LIVE_STATES else live[ticket["visit"]].discard)(ticket["id"])
        assert len(live[ticket["visit"]]) <= 1, f"{ticket['number']} is live beside another number of its visit ({event.type})"
    check_visits_now(tickets)
    arrivals = {(ticket["visit"], ticket["arrived_at"]) for ticket in tickets}
    assert len(arrivals) == len({visit for visit, _ in arrivals})


def _check_days(events: list[Envelope]) -> None:
    opened, closed = set(), set()
    for event in events:
        day = event.data.get("ticket", event.data)["business_date"]
        if event.type.startswith(("counter.", "site.")):
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
