"""Tickets on their way through a day, as ticketing's events tell of them: for tests of who listens.

The machine takes the steps of the whole ticket life, also those whose event types no release publishes yet; a reader
passes such an event over and finds the periods in the next one that it knows.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from services.chassis.events import Envelope
from services.contracts.events import is_known

OPENING = datetime(2025, 6, 11, 1, 0, tzinfo=UTC)
"""08:00 in western Indonesia."""

BUSINESS_DATE = "2025-06-11"

STEPS: Mapping[str, Mapping[str, str]] = {
    "reserved": {"ticket.checked_in": "waiting", "ticket.cancelled": "cancelled", "ticket.expired": "expired"},
    "waiting": {"ticket.called": "called", "ticket.cancelled": "cancelled", "ticket.expired": "expired"},
    "called": {
        "ticket.recalled": "called",
        "ticket.call_undone": "waiting",
        "ticket.serving_started": "serving",
        "ticket.no_show": "no_show",
        "ticket.returned": "waiting",
        "ticket.cancelled": "cancelled",
        "ticket.expired": "expired",
    },
    "serving": {
        "ticket.completed": "completed",
        "ticket.held": "on_hold",
        "ticket.returned": "waiting",
        "ticket.transferred": "transferred",
        "ticket.expired": "expired",
    },
    "on_hold": {"ticket.resumed": "serving", "ticket.cancelled": "cancelled", "ticket.expired": "expired"},
    "no_show": {"ticket.rejoined": "waiting"},
}
"""Event type to next state, by state; a state that is not here is the last one."""

AT_COUNTER = frozenset({"called", "serving", "completed", "no_show", "transferred"})
ENDED = frozenset({"completed", "no_show", "transferred", "cancelled", "expired"})
OUTCOMES = ("done", "papers_missing", "collect_later", "referred")

_sequences = itertools.count(1)


@dataclass(frozen=True)
class Happening:
    """One event of a ticket: its type, when, and the whole public ticket after it."""

    type: str
    at: datetime
    ticket: dict[str, Any]

    @property
    def key(self) -> tuple[str, int]:
        """Ticket and version."""
        return self.ticket["id"], self.ticket["version"]

    @property
    def known(self) -> bool:
        """Whether this release has a contract for the event's type."""
        return is_known(self.type)

    def envelope(self, regency: str) -> Envelope:
        """The event as it is delivered, with a sequence that no other delivery has."""
        site = self.ticket["site"]
        return Envelope(
            id=str(uuid.uuid4()),
            source=f"/regencies/{regency}/ticketing/sites/{site}",
            type=self.type,
            subject=self.ticket["id"],
            time=self.at,
            regency=regency,
            sequence=next(_sequences),
            data={"ticket": self.ticket},
        )


def journey(
    *steps: tuple[str, float],
    site: str = "sukadana",
    outcome: str = "done",
    begins: datetime = OPENING,
    **differing: Any,
) -> list[Happening]:
    """The events of one ticket.

    Issued at ``begins``, waiting unless another ``status`` is given; then ``(event type, seconds since the event before)``.
    """
    ticket: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "visit": str(uuid.uuid4()),
        "number": "E-012",
        "site": site,
        "agency": "CPL",
        "service": "CPL-KTP",
        "business_date": BUSINESS_DATE,
        "channel": "kiosk",
        "status": "waiting",
        "lane": "regular",
        "arrived_at": begins.isoformat(),
        "issued_at": begins.isoformat(),
        "counter": None,
        "recalls": 0,
        "returns": 0,
        "outcome": None,
        "periods": [_period(differing.get("status", "waiting"), None, begins)],
        "version": 1,
        **differing,
    }
    told, now = [Happening("ticket.issued", begins, ticket)], begins
    for event_type, seconds in steps:
        now += timedelta(seconds=seconds)
        ticket = _after(ticket, event_type, now, outcome)
        told.append(Happening(event_type, now, ticket))
    return told


def newest_known(told: Sequence[Happening]) -> dict[str, Happening]:
    """Of each ticket the event of the highest version among those that this release knows."""
    newest: dict[str, Happening] = {}
    for happening in told:
        held = newest.get(happening.ticket["id"])
        if happening.known and (held is None or held.ticket["version"] < happening.ticket["version"]):
            newest[happening.ticket["id"]] = happening
    return newest


@st.composite
def journeys(draw: st.DrawFn) -> list[Happening]:
    """A ticket's random way from its issue to any state, with steps from nothing to four hours."""
    steps, state = [], "waiting"
    for _ in range(draw(st.integers(0, 9))):
        if state not in STEPS:
            break
        event_type = draw(st.sampled_from(sorted(STEPS[state])))
        steps.append((event_type, draw(st.integers(0, 14_400_000_000)) / 1_000_000))
        state = STEPS[state][event_type]
    lane, channel = draw(st.sampled_from(("regular", "priority"))), draw(st.sampled_from(("kiosk", "web", "front_desk")))
    return journey(*steps, outcome=draw(st.sampled_from(OUTCOMES)), lane=lane, channel=channel)


@st.composite
def deliveries(draw: st.DrawFn, most: int = 5) -> tuple[list[Happening], list[Happening]]:
    """What happened to some tickets, and how it arrives: everything at least once, in any order."""
    told = [happening for way in draw(st.lists(journeys(), min_size=1, max_size=most)) for happening in way]
    again = draw(st.lists(st.sampled_from(told), max_size=len(told)))
    return told, draw(st.permutations([*told, *again]))


def _after(ticket: dict[str, Any], event_type: str, now: datetime, outcome: str) -> dict[str, Any]:
    state = STEPS[ticket["status"]][event_type]
    counter = "sukadana-05" if state in AT_COUNTER else None
    periods = ticket["periods"]
    if state != ticket["status"]:
        *earlier, last = periods
        closed = [*earlier, {**last, "ended_at": last["ended_at"] or now.isoformat(), "undone": event_type == "ticket.call_undone"}]
        periods = [*closed, _period(state, counter, now, now if state in ENDED else None)]
    return {
        **ticket,
        "status": state,
        "counter": counter,
        "recalls": ticket["recalls"] + (event_type == "ticket.recalled"),
        "returns": ticket["returns"] + (event_type == "ticket.returned"),
        "outcome": outcome if state == "completed" else ticket["outcome"],
        "periods": periods,
        "version": ticket["version"] + 1,
    }


def _period(state: str, counter: str | None, started_at: datetime, ended_at: datetime | None = None) -> dict[str, Any]:
    return {
        "state": state,
        "counter": counter,
        "started_at": started_at.isoformat(),
        "ended_at": None if ended_at is None else ended_at.isoformat(),
        "undone": False,
    }
