"""What happens to tickets between their call and their end, and what must be true of the visits to which they belong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from tests.platform.client import CommandRecord

DETOURS = ("held", "two services", "returned", "transferred", "missed")

WAYS = tuple(way for detour in DETOURS for way in ("plain", detour, "plain"))
"""What befalls one journey after the other: a third of them takes longer."""

LIVE = frozenset({"printing", "waiting", "called", "serving", "on_hold"})
"""States of a ticket whose holder is in a queue, at a counter, or put aside there."""

Ticket = Mapping[str, Any]


def was_missed(ticket: Ticket) -> bool:
    """Whether its holder was called once and did not come: nobody may rejoin twice."""
    return any(period["state"] == "no_show" for period in ticket["periods"])


# --- the audit


def check_effects(records: Iterable[CommandRecord], tickets: Iterable[Ticket]) -> int:
    """Every command that was answered changed its ticket once, and nothing else changed any; return how many changes there were."""
    changes: Counter[str] = Counter()
    for record in records:
        if record.answer.status == 204 or record.path.endswith("/check-in"):
            continue
        changes[record.answer.body["id"]] += 1
        changes.update(leg["id"] for leg in record.answer.body.get("legs") or () if leg["id"] != record.answer.body["id"])
        if record.path.endswith("/transfer"):  # answered with the new ticket; the old one has ended
            changes[record.path.split("/")[-2]] += 1
    tickets = list(tickets)
    # A reserved leg joins its queue once, by itself or because somebody said so.
    changes.update(ticket["id"] for ticket in tickets if [period["state"] for period in ticket["periods"]][:2] == ["reserved", "waiting"])
    versions = {ticket["id"]: ticket["version"] for ticket in tickets}
    wrong = {ticket: (version, changes[ticket]) for ticket, version in versions.items() if version != changes[ticket]}
    assert not wrong, f"{len(wrong)} tickets with (version, changes that were answered): {list(wrong.items())[:5]}"
    assert changes.keys() <= versions.keys(), "a ticket of which a client was told is not there"
    return sum(changes.values())


def check_visits(tickets: Iterable[Ticket], log: Iterable[Mapping[str, Any]], *, legs_in_order: bool = True) -> int:
    """Nobody is in two queues at any point of the log, legs follow each other, transfers agree.

    :param legs_in_order: everybody was served in the end, and nobody let a leg join its queue sooner.
    :returns: how many visits had several tickets.
    """
    visits: dict[str, list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        visits[ticket["visit"]].append(ticket)
    _check_one_live(log)
    for together in visits.values():
        assert len({ticket["arrived_at"] for ticket in together}) == 1, f"several arrivals: {_named(together)}"
        _check_transfers(together)
        if legs_in_order:
            _check_legs(together)
    return sum(len(together) > 1 for together in visits.values())


def _check_one_live(log: Iterable[Mapping[str, Any]]) -> None:
    """The log is in order of commits."""
    live: dict[str, set[str]] = defaultdict(set)
    for event in log:
        if (ticket := event["data"].get("ticket")) is None:
            continue
        there = live[ticket["visit"]]
        (there.add if ticket["status"] in LIVE else there.discard)(ticket["number"])
        assert len(there) <= 1, f"{sorted(there)} of one visit are live after {event['sequence']} ({event['type']})"


def _check_transfers(visit: list[Ticket]) -> None:
    known = {ticket["id"]: ticket for ticket in visit}
    for ticket in visit:
        assert (ticket["status"] == "transferred") == (ticket["transferred_to"] is not None), _named(visit)
        if ticket["transferred_to"] is not None:
            new = known[ticket["transferred_to"]]
            assert (new["transferred_from"], new["leg"]) == (ticket["id"], ticket["leg"]), _named(visit)
            assert new["issued_at"] >= ticket["periods"][-1]["ended_at"], f"in two queues: {_named(visit)}"


def _check_legs(visit: list[Ticket]) -> None:
    """A leg that was reserved joins its queue when the one before it has ended, and in the order of the slip."""
    ends: dict[int, str] = {}
    for ticket in sorted(visit, key=lambda ticket: ticket["issued_at"]):
        ends[ticket["leg"] or 1] = ticket["periods"][-1]["ended_at"]
    reserved = [ticket for ticket in visit if ticket["periods"][0]["state"] == "reserved"]
    joined = {ticket["leg"]: ticket["periods"][0]["ended_at"] for ticket in reserved}
    for before, leg in pairwise(sorted(ends)):
        assert joined[leg] >= ends[before], f"leg {leg} began before leg {before} had ended: {_named(visit)}"


def _named(visit: list[Ticket]) -> list[tuple[str, str]]:
    return [(ticket["number"], ticket["status"]) for ticket in visit]
