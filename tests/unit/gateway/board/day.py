"""A site's day made up: tickets, what happens to them, the events that tell of it, and snapshots."""

from __future__ import annotations

import itertools
import json
import uuid
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.board.changes import Change
from tests.platform.boards import last_call, last_counter, last_undone

REGENCY, SITE = "lampung-timur", "sukadana"
SERVICES = ("CPL-KTP", "CPL-KK", "BPN-UKR")
COUNTERS = tuple(f"{SITE}-{number:02d}" for number in (1, 2, 3))
TODAY = "2026-03-11"
MORNING = datetime(2026, 3, 11, 1, 0, tzinfo=UTC)
SOURCE = f"/regencies/{REGENCY}/ticketing/sites/{SITE}"
ENDS = {"complete": "completed", "no_show": "no_show", "cancel": "cancelled", "expire": "expired"}


class Day:
    """Whatever happens is possible at ticketing; `events` holds the whole stream."""

    def __init__(self) -> None:
        self.tickets: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.paces = [{"service": "CPL-KTP", "mean_seconds": 300.0}]
        self.facts: dict[str, Any] = {}
        """Further members of a snapshot: the policy, turns of counters, hours."""
        self.versions = dict.fromkeys(COUNTERS, 1)
        self.names = {counter: f"Loket {counter[-1]}" for counter in COUNTERS}
        self._clock = itertools.count(1)

    @property
    def sequence(self) -> int:
        return len(self.events)

    def now(self) -> str:
        return (MORNING + timedelta(seconds=next(self._clock))).isoformat()

    def take(self, service: str = SERVICES[0], lane: str = "regular", date: str = TODAY) -> str:
        at = self.now()
        ticket: dict[str, Any] = {
            "id": str(uuid.UUID(int=len(self.tickets) + 1)),
            "visit": str(uuid.UUID(int=10_000 + len(self.tickets))),
            "number": f"A-{len(self.tickets) + 1:03d}",
            "site": SITE,
            "agency": service.partition("-")[0],
            "service": service,
            "business_date": date,
            "channel": "web",
            "status": "waiting",
            "lane": lane,
            "arrived_at": at,
            "issued_at": at,
            "turn_at": None,
            "counter": None,
            "recalls": 0,
            "returns": 0,
            "outcome": None,
            "periods": [{"state": "waiting", "counter": None, "started_at": at, "ended_at": None}],
            "version": 1,
        }
        self.tickets[ticket["id"]] = ticket
        self._tell("ticket.issued", ticket)
        return str(ticket["id"])

    def step(self, ticket_id: str, what: str, counter: str = COUNTERS[0]) -> bool:
        """Do something with a ticket if that is possible."""
        ticket = self.tickets[ticket_id]
        status = ticket["status"]
        busy = {(t["counter"], t["status"]) for t in self.tickets.values()}
        if what == "call" and status == "waiting" and (counter, "called") not in busy:
            self._move(ticket, "called", counter)
        elif what == "start" and status == "called" and (ticket["counter"], "serving") not in busy:
            self._move(ticket, "serving", ticket["counter"])
        elif what == "return" and status in ("called", "serving"):
            ticket["turn_at"] = self.now()
            self._move(ticket, "waiting", None)
        elif what == "undo" and status == "called":
            ticket["periods"][-1]["undone"] = True
            self._move(ticket, "waiting", None)
        elif what == "recall" and status == "called":
            ticket.update(recalls=ticket["recalls"] + 1, version=ticket["version"] + 1)
            self._tell("ticket.recalled", ticket)
        elif what in ENDS and status in {"complete": ("serving",), "no_show": ("called",)}.get(what, ("waiting", "called", "serving")):
            self._move(ticket, ENDS[what], ticket["counter"])
        else:
            return False
        return True

    def _move(self, ticket: dict[str, Any], status: str, counter: str | None) -> None:
        at = self.now()
        ticket["periods"][-1]["ended_at"] = at
        ticket["periods"].append({"state": status, "counter": counter, "started_at": at, "ended_at": None})
        ticket.update(status=status, counter=counter, version=ticket["version"] + 1)
        self._tell(f"ticket.{status}", ticket)

    def tell(self, event_type: str, data: dict[str, Any]) -> None:
        self.events.append(
            {
                "specversion": "1.0",
                "id": str(uuid.UUID(int=len(self.events))),
                "source": SOURCE,
                "type": f"mpp.{event_type}",
                "time": self.now(),
                "sequence": f"{len(self.events) + 1:020d}",
                "data": deepcopy(data),
            }
        )

    def _tell(self, event_type: str, ticket: dict[str, Any]) -> None:
        self.tell(event_type, {"ticket": ticket})

    def body(self, index: int) -> bytes:
        """An event as it comes from the broker."""
        return json.dumps(self.events[index], separators=(",", ":")).encode()

    def change(self, index: int) -> Change:
        return Change.read(self.body(index))

    def of_today(self) -> list[dict[str, Any]]:
        return [ticket for ticket in self.tickets.values() if ticket["business_date"] == TODAY]

    def snapshot(self, date: str = TODAY) -> dict[str, Any]:
        """What ticketing would answer now."""
        tickets = [deepcopy(ticket) for ticket in self.tickets.values() if ticket["business_date"] == date]
        return {
            "site": SITE,
            "name": "MPP Lampung Timur",
            "timezone": "Asia/Jakarta",
            "version": 1,
            "business_date": date,
            "sequence": self.sequence,
            "counters": [
                {
                    "id": counter,
                    "number": int(counter[-2:]),
                    "name": self.names[counter],
                    "services": list(SERVICES),
                    "active": True,
                    "version": self.versions[counter],
                }
                for counter in COUNTERS
            ],
            "services": [{"id": service, "name": f"Layanan {service}", "version": 1} for service in SERVICES],
            "paces": deepcopy(self.paces),
            "default_pace_seconds": 600.0,
            **deepcopy(self.facts),
            "tickets": [self._told(ticket) for ticket in tickets if self._is_shown(ticket, tickets)],
        }

    @staticmethod
    def _is_shown(ticket: dict[str, Any], tickets: list[dict[str, Any]]) -> bool:
        """The rule of `get_site_day`: open ones, and those called or issued last."""
        own = [other for other in tickets if other["service"] == ticket["service"]]
        calls, of_service = (sorted((call for t in some if (call := last_call(t))), reverse=True) for some in (tickets, own))
        called = last_call(ticket)
        return (
            ticket["status"] in ("waiting", "called", "serving")
            or ticket is max(own, key=lambda other: other["arrived_at"])
            or (called is not None and (called in calls[:10] or called == of_service[0]))
        )

    @staticmethod
    def _told(ticket: dict[str, Any]) -> dict[str, Any]:
        names = ("id", "number", "service", "lane", "status", "counter", "arrived_at", "issued_at", "turn_at", "recalls", "version")
        called = last_call(ticket)
        return {
            **{name: ticket[name] for name in names},
            "called_at": None if called is None else called.isoformat(),
            "called_to": last_counter(ticket),
            "call_undone": last_undone(ticket),
        }
