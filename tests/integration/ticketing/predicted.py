"""A model of a site's day, in memory and without a clock of its own: what each command does, and which are refused.

It knows the rules as a reader of the documentation knows them; of the product it uses the state table alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from services.chassis.context import Actor
from services.ticketing.domain import OPEN_STATES, TRANSITIONS, agency_of
from tests.integration.ticketing.building import Building

LIVE = ("printing", "waiting", "called", "serving", "on_hold")
AT_COUNTER = ("called", "serving")
PRINTING_MINUTES = 2


@dataclass
class Expected:
    """What the model knows of a ticket."""

    id: str
    visit: str
    service: str
    number: int
    day: date
    regular: bool
    order: int
    """Its turn among all tickets of the site, as a number."""
    arrival: int
    turn: datetime
    since: datetime
    """When it came to the state in which it is."""
    leg: int | None = None
    status: str = "waiting"
    before: str = ""
    counter: str | None = None
    called_at: datetime | None = None
    recalls: int = 0
    no_shows: int = 0
    version: int = 1

    def do(self, command: str, now: datetime, counter: str | None = None) -> None:
        """Change as a command changes a ticket."""
        targets = TRANSITIONS[command].moves[self.status]
        (target,) = targets if len(targets) == 1 else {self.before}
        moment = max(now, self.since)
        if target != self.status:
            self.before, self.status, self.since = self.status, target, moment
        self.version += 1
        if command in ("call", "recall"):
            self.called_at = moment
        self.recalls = self.recalls + 1 if command == "recall" else 0 if command in ("call", "undo-call") else self.recalls
        self.no_shows += command == "no-show"
        self.counter = None if target == "waiting" else counter or self.counter

    def is_for(self, command: str) -> bool:
        return self.status in TRANSITIONS[command].sources

    @property
    def lane_and_turn(self) -> tuple[bool, int]:
        return self.regular, self.order

    @property
    def at_counter(self) -> bool:
        return self.status in AT_COUNTER


@dataclass
class Session:
    """How a counter is staffed on a day."""

    day: date
    status: str
    officer: str


@dataclass
class Predicted:
    """The site as it should be now."""

    building: Building
    policy: dict[str, Any]
    tickets: list[Expected] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    called_while_serving: bool = False
    """Whether the site has allowed that at any time."""
    closed: set[tuple[date, str | None]] = field(default_factory=set)
    """Days on which an agency, or the whole site, is closed unforeseen."""
    counted: dict[tuple[date, str], int] = field(default_factory=dict)
    """Regular calls of a counter since its last priority call."""
    newest_counted: dict[tuple[date, str], tuple[str, int, int | None]] = field(default_factory=dict)
    """The call that a counter counted last: ticket, its version by that, and the count before."""

    def __post_init__(self) -> None:
        self.follow_policy(self.policy)

    def follow_policy(self, policy: dict[str, Any]) -> None:
        """Go by another policy from now on."""
        self.policy = policy
        self.called_while_serving |= policy["call_while_serving"]

    # --- who waits, and who is next

    def waiting(self, services: Iterable[str], day: date) -> list[Expected]:
        """Who waits for any of these services, in strict order."""
        found = [each for each in self.tickets if each.status == "waiting" and each.day == day and each.service in services]
        return sorted(found, key=lambda each: each.lane_and_turn)

    def may_stand_at(self, new: Expected, position: int | None) -> bool:
        """Whether a place is one for a ticket: behind its lane, and among the other one as the policy may let counters mix them.

        Where nothing is mixed there is only one. What each counter owes either lane decides the others
        (`services.contracts.queue_forecast`, which has tests of its own).
        """
        if new.status != "waiting":
            return position is None
        waiting = self.waiting([new.service], new.day)
        own = [each for each in waiting if each.regular is new.regular]
        least, most = own.index(new) + 1, own.index(new) + 1 + len(waiting) - len(own)
        if self.policy["regular_per_priority"] == 0 and self.policy["ageing_cap_minutes"] is None:
            return position == (most if new.regular else least)
        return position is not None and least <= position <= most

    def next_at(self, counter: str, services: Iterable[str], now: datetime, day: date) -> Expected | None:
        """Who is called next to a counter."""
        waiting = self.waiting(services, day)
        priority, regular = (next((each for each in waiting if each.regular is lane), None) for lane in (False, True))
        if priority is None or regular is None:
            return priority or regular
        k, cap = self.policy["regular_per_priority"], self.policy["ageing_cap_minutes"]
        earlier = min(priority, regular, key=lambda each: each.order)
        if cap is not None and now - earlier.turn >= timedelta(minutes=cap):
            return earlier
        return priority if self.counted.get((day, counter), k) >= k else regular

    def called_next(self, called: Expected, counter: str, now: datetime) -> None:
        """Call who is next, and count it."""
        k, key = self.policy["regular_per_priority"], (called.day, counter)
        called.do("call", now, counter)
        if k:
            before = self.counted.get(key)
            self.newest_counted[key] = (called.id, called.version, before)
            self.counted[key] = min((k if before is None else before) + 1, k) if called.regular else 0

    def undone(self, called: Expected, now: datetime) -> None:
        """Undo a call: what its counter has counted last is what it was."""
        key = (called.day, called.counter or "")
        ticket, version, before = self.newest_counted.get(key, ("", 0, None))
        if self.policy["regular_per_priority"] and (ticket, version) == (called.id, called.version - called.recalls):
            del self.newest_counted[key]
            self.counted.pop(key, None)
            if before is not None:
                self.counted[key] = before
        called.do("undo-call", now)

    # --- counters

    def session(self, counter: str, day: date) -> Session | None:
        """The session of a counter on a day."""
        found = self.sessions.get(counter)
        return found if found is not None and found.day == day else None

    def calls_nobody(self, counter: str, day: date) -> bool:
        """Whether a counter was opened on this day, and is paused or closed now."""
        session = self.session(counter, day)
        return session is not None and session.status != "open"

    def is_busy(self, counter: str, day: date) -> bool:
        """Whether nobody more may be called to a counter."""
        there = {each.status for each in self.tickets if each.counter == counter and each.at_counter and each.day == day}
        return "called" in there or (bool(there) and not self.policy["call_while_serving"])

    def has_room_for(self, held: Expected, counter: str) -> bool:
        """Whether somebody who was put aside can go on at a counter."""
        there = {each.status for each in self.tickets if each.counter == counter and each.at_counter}
        return held.before not in there and (not there or bool(self.policy["call_while_serving"]))

    def serves_another(self, chosen: Expected) -> bool:
        """Whether somebody else is being served at the counter to which a ticket was called."""
        return any(each.counter == chosen.counter and each.status == "serving" for each in self.tickets)

    def leave_yesterday(self, counter: str, today: date, now: datetime) -> None:
        """A call ends those at its counter whom midnight has overtaken."""
        for each in self.tickets:
            if each.counter == counter and each.at_counter and each.day < today:
                each.do("expire", now)

    # --- refusals

    def tells_the_present(self, code: str, told: Mapping[str, Any], about: str | None, today: date) -> bool:
        """Whether a refusal tells the state in which that is now what it is about, or what is in its way.

        :param about: id of the ticket, or of the counter, with which something was tried.
        """
        known = {each.id: each for each in self.tickets}
        if code == "ticket_state_conflict":
            return told["status"] == known[about or ""].status and told["status"] not in told["allowed"]
        if code == "day_closed":
            return bool(told["business_date"] == known[about or ""].day.isoformat() != today.isoformat())
        if code == "counter_busy":
            other = known[told["ticket"]]
            return other.at_counter and (told["status"], told["counter"]) == (other.status, other.counter)
        if code == "visit_busy":
            other = known[told["ticket"]]
            return (told["status"], other.visit) == (other.status, known[about or ""].visit) and other.id != about
        if code == "counter_not_open":
            session = self.session(told["counter"], today)
            return bool(told["status"] == (session.status if session else "closed"))
        if code in ("counter_taken", "officer_elsewhere"):
            session = self.session(told["counter"], today)
            return session is not None and session.status != "closed"
        return True

    # --- visits

    def legs(self, visit: str) -> list[Expected]:
        """The tickets of a visit of several services, in their order."""
        return sorted((each for each in self.tickets if each.visit == visit and each.leg is not None), key=lambda each: each.leg or 0)

    def is_elsewhere(self, chosen: Expected) -> bool:
        """Whether another leg of the visit is live."""
        return any(each is not chosen and each.status in LIVE for each in self.legs(chosen.visit) if chosen.leg is not None)

    def ordered(self, services: list[str]) -> list[str]:
        """Services of a visit so that what one needs comes before it."""
        left, ordered = list(services), []
        while left:
            ready = next(each for each in left if not self.building.prerequisites.get(each, set()) & set(left))
            left.remove(ready)
            ordered.append(ready)
        return ordered

    def after(self, ended: Expected, now: datetime) -> None:
        """Go on with a visit after one of its legs."""
        if ended.leg is None or ended.status not in ("completed", "cancelled", "void"):
            return
        legs = self.legs(ended.visit)
        reserved = [leg for leg in legs if leg.status == "reserved"]
        lost, given_up = [], {ended.service} if ended.status == "cancelled" else set()
        for leg in reserved:
            if ended.status == "void" or given_up & self.building.prerequisites.get(leg.service, set()):
                lost.append(leg)
                given_up.add(leg.service)
        for leg in lost:
            leg.do("cancel", now)
        following = next((leg for leg in reserved if leg not in lost), None)
        if following is not None and not any(leg.status in LIVE for leg in legs if leg is not ended):
            following.do("check-in", now)

    # --- the day

    def closed_code(self, service: str, day: date) -> str | None:
        """The code with which a number is refused on a day, `None` when it is not."""
        if (day, None) in self.closed:
            return "site_closed"
        return "agency_closed" if (day, agency_of(service)) in self.closed else None

    def close_what_is_closed(self, day: date, now: datetime) -> None:
        """Give back the numbers of those whom a closure concerns."""
        concerned = [each for each in self.tickets if each.day == day and each.is_for("cancel") and self.closed_code(each.service, day)]
        for each in concerned:
            each.do("cancel", now)
        for each in sorted(concerned, key=lambda each: (agency_of(each.service), each.number)):
            self.after(each, now)

    def give_up_slips(self, now: datetime) -> None:
        """Make void what did not come out of a printer in time."""
        for each in [each for each in self.tickets if each.status == "printing"]:
            if each.since + timedelta(minutes=PRINTING_MINUTES) <= now:
                each.do("void", now)
                self.after(each, now)

    def close_days_before(self, today: date, now: datetime) -> None:
        """End what midnight has left open."""
        for each in self.tickets:
            if each.day < today and each.status in OPEN_STATES:
                each.do("expire", now)

    @staticmethod
    def acts_for(actor: Actor, service: str) -> bool:
        """Whether a ticket is of an agency for which somebody works."""
        return actor.agencies is None or agency_of(service) in actor.agencies
