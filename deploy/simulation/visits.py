"""What became of the visits that were played, worked out from their tickets as the gateway answered them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Ticket = Mapping[str, Any]

FATES = ("open", "finished", "broken_off", "unserved")
_SERVED = frozenset({"completed", "transferred"})
_LEFT = frozenset({"no_show", "cancelled", "expired"})


@dataclass(frozen=True)
class Visits:
    """Visits of one business date at one site; all durations are seconds, sorted."""

    legs: int
    fates: Mapping[str, int]
    first_calls: tuple[float, ...]
    """From arrival to the first call of any leg, of visits that were called."""
    waits: tuple[float, ...]
    """In the queue, all legs together, of finished visits; so are the next two."""
    serves: tuple[float, ...]
    stays: tuple[float, ...]
    """From arrival to the end of the last leg."""


def visits_of(tickets: Iterable[Ticket]) -> Visits:
    """Return what became of the visits to which these tickets belong; they are all the tickets of each."""
    visits: dict[str, list[Ticket]] = {}
    for ticket in tickets:
        visits.setdefault(ticket["visit"], []).append(ticket)
    fates = {visit: _fate(legs) for visit, legs in visits.items()}
    finished = [legs for visit, legs in visits.items() if fates[visit] == "finished"]
    calls = [(legs[0], _first(began(leg, "called") for leg in legs)) for legs in visits.values()]
    return Visits(
        legs=sum(map(len, visits.values())),
        fates={fate: list(fates.values()).count(fate) for fate in FATES},
        first_calls=tuple(sorted((call - _instant(leg["arrived_at"])).total_seconds() for leg, call in calls if call is not None)),
        waits=tuple(sorted(sum(seconds_in(leg, "waiting") for leg in legs) for legs in finished)),
        serves=tuple(sorted(sum(seconds_in(leg, "serving") for leg in legs) for legs in finished)),
        stays=tuple(sorted((max(map(_ended, legs)) - _instant(legs[0]["arrived_at"])).total_seconds() for legs in finished)),
    )


def began(ticket: Ticket, state: str) -> datetime | None:
    """Return when a ticket was first in a state; a call that was undone is none."""
    return _first(_instant(each["started_at"]) for each in ticket["periods"] if each["state"] == state and not each["undone"])


def seconds_in(ticket: Ticket, state: str) -> float:
    """Return how long a ticket was in a state, over all periods that have ended."""
    ended = [period for period in ticket["periods"] if period["state"] == state and period["ended_at"] is not None]
    return sum((_instant(period["ended_at"]) - _instant(period["started_at"])).total_seconds() for period in ended)


def until_called(ticket: Ticket) -> float | None:
    """Return the seconds from joining the queue to the first call; ``None`` when it was not called."""
    joined, called = began(ticket, "waiting"), began(ticket, "called")
    return None if joined is None or called is None else (called - joined).total_seconds()


def _fate(legs: Sequence[Ticket]) -> str:
    states = {leg["status"] for leg in legs}
    if not states <= _SERVED | _LEFT:
        return "open"
    if not states & _SERVED:
        return "unserved"
    return "broken_off" if states & _LEFT else "finished"


def _ended(ticket: Ticket) -> datetime:
    last = ticket["periods"][-1]
    return _instant(last["ended_at"] or last["started_at"])


def _first(instants: Iterable[datetime | None]) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
