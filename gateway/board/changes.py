"""Events as boards see them: which site's, which place in its stream, and what became of a ticket."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from services.contracts.queue_forecast import Waiting

_SOURCE = re.compile(rb'"source": ?"/regencies/([a-z0-9-]+)/ticketing/sites/([a-z0-9-]+)"')


_EPOCH = datetime.fromtimestamp(0, UTC)


def site_of(body: bytes) -> tuple[str, str] | None:
    """Return regency and site of an encoded event without reading it as a whole; ``None``: not of a site's queue.

    Most events are of sites that nobody watches here, and must cost next to nothing.
    """
    found = _SOURCE.search(body)
    return (found[1].decode(), found[2].decode()) if found else None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a board must know of a ticket."""

    id: str
    number: str
    service: str
    lane: str
    status: str
    counter: str | None
    arrived_at: datetime
    issued_at: datetime
    turn_at: datetime | None
    called_at: datetime | None
    called_to: str | None
    call_undone: bool
    recalls: int
    version: int

    @classmethod
    def of_snapshot(cls, ticket: Mapping[str, Any]) -> Self:
        """Read a ticket as ``get_site_day`` answers it."""
        called_at = ticket["called_at"]
        return cls(
            id=ticket["id"],
            number=ticket["number"],
            service=ticket["service"],
            lane=ticket["lane"],
            status=ticket["status"],
            counter=ticket["counter"],
            arrived_at=instant(ticket["arrived_at"]),
            issued_at=instant(ticket.get("issued_at", ticket["arrived_at"])),
            turn_at=None if ticket.get("turn_at") is None else instant(ticket["turn_at"]),
            called_at=None if called_at is None else instant(called_at),
            called_to=ticket["called_to"],
            call_undone=ticket.get("call_undone", False),
            recalls=ticket["recalls"],
            version=ticket["version"],
        )

    @classmethod
    def of_ticket(cls, ticket: Mapping[str, Any]) -> Self:
        """Read a ticket as events carry it; its last call is the latest period in which it was called."""
        calls = [period for period in ticket["periods"] if period["state"] == "called"]
        last = max(calls, key=lambda call: instant(call["started_at"]), default={"started_at": None, "counter": None})
        told = {"called_at": last["started_at"], "called_to": last["counter"], "call_undone": last.get("undone", False)}
        return cls.of_snapshot({**ticket, **told})

    @property
    def waiting(self) -> Waiting:
        """What decides when it is called, as ticketing counts it."""
        turn = ((self.turn_at or self.arrived_at) - _EPOCH) // timedelta(microseconds=1)
        return Waiting(turn, int(self.number.rpartition("-")[2]), self.service, self.lane == "priority")


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a site's stream."""

    sequence: int
    time: datetime
    business_date: str | None
    ticket: Mapping[str, Any] | None
    """The whole public ticket; ``None`` when the event is about something else."""
    counter_now: tuple[str, str] | None = None
    """A counter and its new status, where the event is about that."""
    closure: Mapping[str, Any] | None = None
    """The agency of which an unforeseen closure is told (``None``: the whole site), whether it is ``closed`` now, and ``opens_at``."""

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read an encoded CloudEvent; raises ``ValueError`` for what is none of ours."""
        try:
            event = json.loads(body)
            data = event["data"]
            ticket = data.get("ticket")
            if ticket is not None:
                Entry.of_ticket(ticket)  # an event that cannot be read must not be found out half-way through a board
            date = data["business_date"] if ticket is None and "business_date" in data else ticket and ticket["business_date"]
            counter_now = (data["counter"], data["status"]) if str(event["type"]).startswith("mpp.counter.") else None
            return cls(int(event["sequence"]), instant(event["time"]), date, ticket, counter_now, _closure_of(event["type"], data))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an event of a site: {error!r}") from error


def _closure_of(event_type: str, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if event_type not in ("mpp.site.closed", "mpp.site.reopened"):
        return None
    return {"closed": event_type == "mpp.site.closed", "agency": data["agency"], "opens_at": data.get("opens_at")}


def instant(text: str) -> datetime:
    """Return an RFC 3339 time as an aware instant; raises ``ValueError``."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError("time without offset")
    return parsed.astimezone(UTC)
