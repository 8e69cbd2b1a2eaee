"""What was played: the last state of every ticket that the simulation had to do with, as the gateway answered it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.simulation.visits import began, seconds_in

Ticket = Mapping[str, Any]

STATES = ("waiting", "called", "serving", "on_hold", "completed", "no_show", "transferred", "cancelled", "expired")
"""States that the daily report counts."""


@dataclass(frozen=True)
class DayAtSite:
    """A business date (the server's) at a site."""

    regency: str
    site: str
    date: str

    @property
    def name(self) -> str:
        """As people at a terminal read it."""
        return f"{self.regency}/{self.site}"


@dataclass
class Handled:
    """A ticket as it was met (``None``: it did not exist) and as it stands."""

    before: str | None
    recalls_before: int
    ticket: Ticket


@dataclass(frozen=True)
class Played:
    """What was done on a business date at a site; `change` counts by how many the tickets in each state have grown."""

    issued: int
    change: Mapping[str, int]
    recalls: int
    waits: tuple[float, ...]
    """Seconds in the queue of the issued tickets that were called, sorted."""
    waiting: int
    """How many of the issued tickets still wait."""
    strangers: int
    """Tickets that others had taken, and that were called here."""
    survey_points: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By element: how many have scored it, and the sum of their scores."""
    surveys: int = 0
    tickets: tuple[Ticket, ...] = ()
    """The issued tickets as they stand, with second numbers that never came to wait."""


class Tally:
    """Filled by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handled: dict[tuple[str, str], Handled] = {}
        self._surveys: list[tuple[DayAtSite, Mapping[str, int]]] = []

    def issued(self, regency: str, ticket: Ticket) -> None:
        """A number was taken."""
        self._note(regency, ticket, None, 0)

    def changed(self, regency: str, ticket: Ticket, *, before: str = "waiting") -> None:
        """A ticket has changed; one that is met for the first time was in the state `before`, with the recalls that it has."""
        self._note(regency, ticket, before, ticket["recalls"])

    def surveyed(self, regency: str, survey: Mapping[str, Any], scores: Mapping[str, int]) -> None:
        """A survey was answered."""
        with self._lock:
            self._surveys.append((DayAtSite(regency, survey["site"], survey["business_date"]), scores))

    @property
    def ended(self) -> int:
        """How many visitors' first numbers have come to their end."""
        with self._lock:
            issued = [each.ticket for each in self._handled.values() if each.before is None]
        return sum(ticket["status"] in STATES[4:] and ticket["leg"] in (None, 1) for ticket in issued)

    def played(self) -> dict[DayAtSite, Played]:
        """Return what was done, by business date and site."""
        with self._lock:
            handled: dict[DayAtSite, list[Handled]] = {}
            for (regency, _), each in self._handled.items():
                day = DayAtSite(regency, each.ticket["site"], each.ticket["business_date"])
                handled.setdefault(day, []).append(each)
            surveys: dict[DayAtSite, list[Mapping[str, int]]] = {}
            for day, scores in self._surveys:
                surveys.setdefault(day, []).append(scores)
            return {
                day: _played(handled.get(day, []), surveys.get(day, []))
                for day in sorted({*handled, *surveys}, key=lambda day: (day.regency, day.site, day.date))
            }

    def _note(self, regency: str, ticket: Ticket, before: str | None, recalls_before: int) -> None:
        with self._lock:
            known = self._handled.setdefault((regency, ticket["id"]), Handled(before, recalls_before, ticket))
            if ticket["version"] > known.ticket["version"]:
                known.ticket = ticket


def _played(handled: Iterable[Handled], surveys: Iterable[Mapping[str, int]]) -> Played:
    change: Counter[str] = Counter()
    issued = waiting = strangers = recalls = respondents = 0
    waits: list[float] = []
    tickets: list[Ticket] = []
    answers: Counter[str] = Counter()
    points: Counter[str] = Counter()
    for each in handled:
        if each.before is None:
            tickets.append(each.ticket)
            if began(each.ticket, "waiting") is None:
                continue  # a second number that never came to wait is in no figure of tickets
        change[each.ticket["status"]] += 1
        recalls += each.ticket["recalls"] - each.recalls_before
        if each.before is None:
            issued += 1
            waiting += each.ticket["status"] == "waiting"
            waits += [] if (wait := waited(each.ticket)) is None else [wait]
        else:
            change[each.before] -= 1
            strangers += 1
    for scores in surveys:
        respondents += 1
        for element, score in scores.items():
            answers[element] += 1
            points[element] += score
    return Played(
        issued=issued,
        change={state: change[state] for state in STATES},
        recalls=recalls,
        waits=tuple(sorted(waits)),
        waiting=waiting,
        strangers=strangers,
        survey_points={element: (answers[element], points[element]) for element in answers},
        surveys=respondents,
        tickets=tuple(tickets),
    )


def waited(ticket: Ticket) -> float | None:
    """Return the seconds that a ticket was in the queue; ``None`` when it was never called."""
    return None if began(ticket, "called") is None else seconds_in(ticket, "waiting")
