"""Boards as an auditor sees them: recomputed from whole tickets, by the definitions and not by the gateway's code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

LAST_CALLS = 10

Ticket = Mapping[str, Any]


def last_call(ticket: Ticket) -> datetime | None:
    """When a ticket was called last."""
    return max((at for at, _ in _calls(ticket)), default=None)


def last_counter(ticket: Ticket) -> str | None:
    """To which counter a ticket was called last."""
    return max(_calls(ticket), default=(None, None))[1]


def last_undone(ticket: Ticket) -> bool:
    """Whether its last call was a mistake."""
    calls = [period for period in ticket["periods"] if period["state"] == "called"]
    return bool(calls) and bool(max(calls, key=lambda call: datetime.fromisoformat(call["started_at"])).get("undone"))


def _calls(ticket: Ticket) -> list[tuple[datetime, str]]:
    return [
        (datetime.fromisoformat(period["started_at"]), period["counter"]) for period in ticket["periods"] if period["state"] == "called"
    ]


def recomputed(tickets: Iterable[Ticket]) -> dict[str, Any]:
    """What a board must show of a site's tickets of one business date, in the form of `reduced`."""
    tickets = list(tickets)
    at_counter: dict[str, dict[str, str]] = defaultdict(dict)
    for ticket in tickets:
        if ticket["status"] in ("called", "serving"):
            at_counter[ticket["counter"]][ticket["status"]] = ticket["number"]
    called = sorted(((last_call(t), t["number"], t) for t in tickets if last_call(t)), key=lambda call: call[:2], reverse=True)
    services = {}
    for service in {ticket["service"] for ticket in tickets}:
        own = [ticket for ticket in tickets if ticket["service"] == service]
        services[service] = {
            "waiting": sum(ticket["status"] == "waiting" for ticket in own),
            "last_called": next((None if last_undone(t) else number for _, number, t in called if t["service"] == service), None),
            "last_issued": max(own, key=lambda ticket: datetime.fromisoformat(ticket["issued_at"]))["number"],
        }
    calls = [(number, last_counter(ticket)) for _, number, ticket in called[:LAST_CALLS] if not last_undone(ticket)]
    return {"counters": dict(at_counter), "calls": calls, "services": services}


def reduced(board: Mapping[str, Any]) -> dict[str, Any]:
    """What a board says of tickets: who is where, who was called last, and who waits."""
    counters = {}
    for counter in board["counters"]:
        there = {state: counter[state]["number"] for state in ("called", "serving") if counter[state] is not None}
        if there:
            counters[counter["id"]] = there
    names = ("waiting", "last_called", "last_issued")
    services = {
        service["id"]: {name: service[name] for name in names} for service in board["services"] if service["last_issued"] is not None
    }
    return {"counters": counters, "calls": [(call["number"], call["counter"]) for call in board["calls"]], "services": services}
