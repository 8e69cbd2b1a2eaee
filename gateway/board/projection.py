"""The board of one site as a calculation: a snapshot, then one change after the other, exactly in their order.

Changes are applied only in the order of their sequence; what comes early waits, what comes again is passed over. So a
board is a function of its sequence: two gateways that show the same sequence show the same numbers. Only estimates follow
the clock too, by the minute, and what no event tells: paces, turns of counters, hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.board.changes import Change, Entry, instant
from services.contracts.board import MOST_LAST_CALLS
from services.contracts.queue_forecast import AS_OF_SECONDS, AtCounter, Calling, Forecast, Hall, forecast

OPEN_STATES = frozenset({"reserved", "printing", "waiting", "called", "serving", "on_hold"})
MOST_EARLY = 2_000
"""Changes that may wait for an earlier one; with more of them a snapshot is cheaper."""

_OLDEST = datetime.min.replace(tzinfo=UTC)


class Projection:
    """What is known of one site's queue. Nothing before :meth:`begin`."""

    def __init__(self, regency: str, site: str) -> None:
        self.regency = regency
        self.site = site
        self.sequence = -1
        self.business_date = ""
        self.timezone = "UTC"
        self.versions: dict[tuple[str, str], int] = {}
        """Version of every catalogue entity that the snapshot was made with."""
        self.behind_date = False
        """A change of a later business date has come: only a snapshot can show that day."""
        self._day: Mapping[str, Any] = {}
        self._paces: dict[str, float] = {}
        self._turns: dict[str, int] = {}
        """By counter: regular tickets that it has called since its last priority call."""
        self._working: list[tuple[float, float]] = []
        self._played: tuple[float, Forecast] | None = None
        """The newest forecast and for which minute it holds; none after a change."""
        self._counters_now: dict[str, str] = {}
        """Status of each counter that was opened on the business date."""
        self._open: dict[str, Entry] = {}
        self._calls: list[Entry] = []
        self._last_called: dict[str, Entry] = {}
        self._last_issued: dict[str, Entry] = {}
        self._early: dict[int, Change] = {}
        self._closures: dict[str | None, Mapping[str, Any]] = {}
        """Unforeseen closures of the day by agency; ``None``: the whole site."""

    # --- what comes in

    def begin(self, day: Mapping[str, Any], *, force: bool = False) -> list[Change]:
        """Start from a snapshot; return the changes that had come early and now fit.

        A snapshot that is older than what is shown already brings the catalogue and the paces only, unless ``force``.
        """
        self._day, self._played = day, None
        self.timezone = day["timezone"]
        self.versions = {("site", self.site): day["version"]}
        self.versions.update({("counter", counter["id"]): counter["version"] for counter in day["counters"]})
        self.versions.update({("service", service["id"]): service["version"] for service in day["services"]})
        self.learn(day)
        if day["sequence"] >= self.sequence or day["business_date"] != self.business_date or force:
            self.business_date, self.sequence = day["business_date"], day["sequence"]
            self.behind_date = False
            self._open, self._calls, self._last_called, self._last_issued = {}, [], {}, {}
            self._counters_now = {now["counter"]: now["status"] for now in day.get("counters_now", ())}
            self._closures = {closure["agency"]: closure for closure in day.get("closures", ())}
            for ticket in day["tickets"]:
                self._put(Entry.of_snapshot(ticket))
        self._early = {sequence: change for sequence, change in self._early.items() if sequence > self.sequence}
        return self._catch_up()

    def learn(self, told: Mapping[str, Any]) -> bool:
        """Take over what no event tells: paces, turns of counters and the hours of today; return whether any of it is news."""
        before = self._paces, self._turns, self._working
        self._paces = {pace["service"]: float(pace["mean_seconds"]) for pace in told["paces"]}
        self._turns = {each["counter"]: each["regular_calls"] for each in told.get("turns", ())}
        self._working = [
            (instant(period["opens_at"]).timestamp(), instant(period["closes_at"]).timestamp()) for period in told.get("working", ())
        ]
        if before == (self._paces, self._turns, self._working):
            return False
        self._played = None
        return True

    def add(self, change: Change) -> list[Change]:
        """Take a change; return those that were applied, in order: none while an earlier one is missing."""
        if change.sequence <= self.sequence:
            return []
        if len(self._early) < MOST_EARLY:
            self._early[change.sequence] = change
        return self._catch_up() if self._day else []

    @property
    def has_hole(self) -> bool:
        """Whether changes wait for an earlier one."""
        return bool(self._early)

    def _catch_up(self) -> list[Change]:
        applied = []
        while (change := self._early.pop(self.sequence + 1, None)) is not None:
            self.sequence, self._played = change.sequence, None
            applied.append(change)
            if change.business_date == self.business_date and change.ticket is not None:
                entry = Entry.of_ticket(change.ticket)
                self._count_turn(entry)
                self._put(entry)
            elif change.business_date == self.business_date and change.counter_now is not None:
                counter, status = change.counter_now
                self._counters_now[counter] = status
            elif change.business_date == self.business_date and change.closure is not None:
                self._take_closure(change.closure)
            elif change.business_date is not None and change.business_date > self.business_date:
                self.behind_date = True
        return applied

    def _count_turn(self, entry: Entry) -> None:
        """Guess how a call moves its counter's turn between the lanes; ticketing tells soon whether it did."""
        before, k = self._open.get(entry.id), self._day.get("regular_per_priority", 0)
        if k and entry.counter is not None and entry.status == "called" and before is not None and before.status == "waiting":
            calls = self._turns.get(entry.counter, k)
            self._turns = {**self._turns, entry.counter: 0 if entry.lane == "priority" else min(calls + 1, k)}

    def _take_closure(self, closure: Mapping[str, Any]) -> None:
        self._closures.pop(closure["agency"], None)
        if closure["closed"]:
            self._closures[closure["agency"]] = {name: closure[name] for name in ("agency", "opens_at")}

    def _put(self, entry: Entry) -> None:
        if entry.status in OPEN_STATES:
            self._open[entry.id] = entry
        else:
            self._open.pop(entry.id, None)
        last = self._last_issued.get(entry.service)
        if last is None or last.issued_at <= entry.issued_at:
            self._last_issued[entry.service] = entry
        if entry.called_at is None:
            return
        self._calls = sorted((*(call for call in self._calls if call.id != entry.id), entry), key=_call_order, reverse=True)[
            :MOST_LAST_CALLS
        ]
        last = self._last_called.get(entry.service)
        if last is None or _call_order(last) <= _call_order(entry):
            self._last_called[entry.service] = entry

    # --- what can be seen

    def content(self, clock: float) -> dict[str, Any]:
        """Return the board of a Unix time without ``live`` and ``as_of``."""
        day, counters, waiting = self._day, self._active_counters(), self._waiting()
        newcomers = self.forecast(clock).newcomers
        at_counter = {(entry.counter, entry.status): entry for entry in self._open.values() if entry.counter is not None}
        busy = {counter for counter, status in at_counter if status in ("called", "serving")}
        names = {service["id"]: service["name"] for service in day["services"]}
        shown = sorted({*(service for counter in counters for service in counter["services"]), *self._last_issued})
        return {
            "regency": self.regency,
            "site": self.site,
            "name": day["name"],
            "timezone": day["timezone"],
            "business_date": day["business_date"],
            "sequence": self.sequence,
            "counters": [
                {
                    "id": counter["id"],
                    "number": counter["number"],
                    "name": counter["name"],
                    "status": self._counters_now.get(counter["id"]),
                    "called": _at_counter(at_counter.get((counter["id"], "called"))),
                    "serving": _at_counter(at_counter.get((counter["id"], "serving"))),
                }
                for counter in sorted(day["counters"], key=lambda counter: (counter["number"], counter["id"]))
                if counter["active"] or counter["id"] in busy
            ],
            "calls": [_call(entry) for entry in self._calls if entry.called_to is not None and not entry.call_undone],
            "services": [
                {
                    "id": service,
                    "name": names.get(service, service),
                    "waiting": waiting.get(service, 0),
                    "last_called": _called_number(self._last_called.get(service)),
                    "last_issued": _number(self._last_issued.get(service)),
                    "estimated_wait_seconds": newcomers.get(service),
                }
                for service in shown
            ],
            "closures": [self._closures[agency] for agency in sorted(self._closures, key=lambda agency: agency or "")],
        }

    def missing_services(self) -> set[str]:
        """Return services with numbers of today whose names the snapshot did not tell."""
        return {service for service in self._last_issued if ("service", service) not in self.versions}

    def knows(self, ticket_id: str) -> Entry | None:
        """Return an open ticket of the day."""
        return self._open.get(ticket_id)

    @property
    def tells_waits(self) -> bool:
        """Whether anybody was told of a wait, which is another one the next minute."""
        told = Forecast() if self._played is None else self._played[1]
        return any(told.newcomers.values()) or any(place.seconds for place in told.places.values())

    def forecast(self, clock: float) -> Forecast:
        """Return who will be called when, as ticketing would say at a Unix time; made once for each change and minute."""
        minute = clock // AS_OF_SECONDS
        if self._played is None or self._played[0] != minute:
            self._played = minute, forecast(self._hall(), clock)
        return self._played[1]

    def place(self, entry: Entry, clock: float) -> tuple[int | None, int | None]:
        """Return position and estimated wait in seconds of a ticket; nothing for one that does not wait."""
        if entry.status != "waiting":
            return None, None
        place = self.forecast(clock).places[entry.waiting]
        return place.ahead + 1, place.seconds

    def _hall(self) -> Hall:
        busy: dict[str, list[AtCounter]] = defaultdict(list)
        for entry in self._open.values():
            if entry.status in ("called", "serving") and entry.counter is not None and entry.called_at is not None:
                busy[entry.counter].append(AtCounter(entry.called_at.timestamp(), entry.service))
        calling = self._active_counters()
        if self._counters_now:  # at a site where officers say so, those that are open
            calling = [counter for counter in calling if self._counters_now.get(counter["id"]) == "open"]
        cap, default = self._day.get("ageing_cap_minutes"), self._day["default_pace_seconds"]
        return Hall(
            [entry.waiting for entry in self._open.values() if entry.status == "waiting"],
            [
                Calling(counter["id"], counter["services"], sorted(busy[counter["id"]]), self._turns.get(counter["id"]))
                for counter in sorted(calling, key=lambda counter: str(counter["id"]))
            ],
            lambda _, service: self._paces.get(service, default),
            self._day.get("regular_per_priority", 0),
            None if cap is None else 60.0 * cap,
            self._working,
        )

    def _active_counters(self) -> list[Mapping[str, Any]]:
        return [counter for counter in self._day["counters"] if counter["active"]]

    def _waiting(self) -> dict[str, int]:
        counts: dict[str, int] = defaultdict(int)
        for entry in self._open.values():
            if entry.status == "waiting":
                counts[entry.service] += 1
        return counts


def _call_order(entry: Entry) -> tuple[datetime, str]:
    return entry.called_at or _OLDEST, entry.number


def _number(entry: Entry | None) -> str | None:
    return None if entry is None else entry.number


def _called_number(entry: Entry | None) -> str | None:
    """Return the number called last; none right after a call was undone, for whoever was called before is not looked up."""
    return None if entry is None or entry.call_undone else entry.number


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _call(entry: Entry) -> dict[str, Any]:
    return {"number": entry.number, "service": entry.service, "counter": entry.called_to, "called_at": _time(entry.called_at)}


def _at_counter(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {
        "number": entry.number,
        "service": entry.service,
        "lane": entry.lane,
        "called_at": _time(entry.called_at),
        "recalls": entry.recalls,
    }
