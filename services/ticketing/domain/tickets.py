"""A ticket, its states, and what leads from one to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from services.ticketing.domain.refusal import QueueRefusal

CLOSURE = "closure"
"""The actor of what a closure does; accounts have an ``@`` in their names."""

OPEN_STATES = frozenset({"reserved", "printing", "waiting", "called", "serving", "on_hold"})
AT_COUNTER_STATES = frozenset({"called", "serving"})
"""States in which a ticket occupies a counter."""


@dataclass(frozen=True)
class Transition:
    """Which command leads from which state to which, and which event tells of it."""

    moves: Mapping[str, frozenset[str]]
    """State before -> states after. Of several, the one in which the ticket was before (``resume``)."""
    event: str

    @property
    def sources(self) -> frozenset[str]:
        """States that the command is for."""
        return frozenset(self.moves)


def _from(sources: str, target: str, event: str) -> Transition:
    return Transition({source: frozenset(target.split()) for source in sources.split()}, event)


TRANSITIONS: Mapping[str, Transition] = {
    "confirm": _from("printing", "waiting", "ticket.issued"),
    "void": _from("printing", "void", "ticket.voided"),
    "check-in": _from("reserved", "waiting", "ticket.checked_in"),
    "call": _from("waiting", "called", "ticket.called"),
    "recall": _from("called", "called", "ticket.recalled"),
    "undo-call": _from("called", "waiting", "ticket.call_undone"),
    "start": _from("called", "serving", "ticket.serving_started"),
    "hold": _from("called serving", "on_hold", "ticket.held"),
    "resume": _from("on_hold", "called serving", "ticket.resumed"),
    "return": _from("called serving", "waiting", "ticket.returned"),
    "transfer": _from("called serving", "transferred", "ticket.transferred"),
    "complete": _from("serving", "completed", "ticket.completed"),
    "no-show": _from("called", "no_show", "ticket.no_show"),
    "rejoin": _from("no_show", "waiting", "ticket.rejoined"),
    "priority": Transition({state: frozenset({state}) for state in ("printing", "waiting", "on_hold")}, "ticket.priority_changed"),
    "cancel": _from("reserved waiting called on_hold", "cancelled", "ticket.cancelled"),
    # Close of day. Never "completed": the books stay true.
    "expire": _from(" ".join(sorted(OPEN_STATES)), "expired", "ticket.expired"),
}
"""The whole state machine; guards, answers, the diagram of the documentation and tests are derived from it."""


_STAYING = frozenset(
    command for command, transition in TRANSITIONS.items() if all({state} == after for state, after in transition.moves.items())
)
"""Commands that lead from no state to another."""


@dataclass(frozen=True)
class Period:
    """A ticket was in ``state`` from ``started_at`` to ``ended_at`` (``None``: still is)."""

    state: str
    actor: str | None
    counter: str | None
    started_at: datetime
    ended_at: datetime | None = None
    undone: bool = False
    """A call that was a mistake: nobody was called, whatever stood on the screen for a moment."""


@dataclass(frozen=True)
class Ticket:
    """A number for one public service on one business date. All instants are aware UTC."""

    id: str
    visit: str
    site: str
    business_date: date
    agency: str
    service: str
    prefix: str
    number: int
    channel: str
    status: str
    priority_class: str | None
    arrived_at: datetime
    """When the citizen's visit began; kept by every ticket of the visit."""
    issued_at: datetime
    turn_at: datetime | None = None
    """Its turn among those who wait in the same lane; ``None``: by arrival, as long as it was not returned and did not rejoin."""
    counter: str | None = None
    """Where it was called last; none while it waits."""
    recalls: int = 0
    """How often it was called again since its last call."""
    last_called_at: datetime | None = None
    """When it was called, or called again."""
    returns: int = 0
    outcome: str | None = None
    collect_on: date | None = None
    """When to collect what was applied for (outcome ``collect_later``)."""
    transferred_from: str | None = None
    transferred_to: str | None = None
    leg: int | None = None
    """Which public service of its visit, from 1; ``None``: the only one."""
    first_estimate_seconds: int | None = None
    """From joining its queue to its first call, as it was told when it joined; kept, to measure how far that was off."""
    periods: tuple[Period, ...] = field(default_factory=tuple)
    version: int = 1

    @property
    def label(self) -> str:
        """What stands on the slip: ``A-012``."""
        return f"{self.prefix}-{self.number:03d}"

    @property
    def lane(self) -> str:
        """``regular`` or ``priority``: all that others learn of the priority class."""
        return "regular" if self.priority_class is None else "priority"

    @property
    def turn(self) -> datetime:
        """What decides its turn among those who wait in the same lane."""
        return self.turn_at or self.arrived_at

    @property
    def last_ended_seconds(self) -> float:
        """Seconds spent in the state before the present one; 0 when there was none."""
        ended = self.periods[-2] if len(self.periods) > 1 else None
        return 0.0 if ended is None or ended.ended_at is None else (ended.ended_at - ended.started_at).total_seconds()

    @property
    def serving_seconds(self) -> float:
        """Seconds spent in ``serving``, over all closed periods."""
        return sum(
            (period.ended_at - period.started_at).total_seconds()
            for period in self.periods
            if period.state == "serving" and period.ended_at is not None
        )

    @property
    def seconds_at_counter(self) -> float:
        """Seconds for which it took a counter: those in ``serving``, and from the call until serving began."""
        calls = (call for call, then in pairwise(self.periods) if call.state == "called" and then.state == "serving")
        waited = sum((call.ended_at - call.started_at).total_seconds() for call in calls if call.ended_at is not None)
        return self.serving_seconds + waited


def issued(ticket: Ticket, actor: str | None) -> Ticket:
    """Return a new ticket with its first period."""
    return replace(ticket, periods=(Period(ticket.status, actor, None, ticket.issued_at),))


def changed(ticket: Ticket, command: str, now: datetime, *, actor: str | None, counter: str | None = None, **facts: Any) -> Ticket:
    """Return the ticket after ``command``, one version on; a change of state closes a period and opens the next.

    ``now`` may lie before the ticket's last change, when this command began first and then waited for it, or when the
    clocks of two replicas differ: the change then counts from the last one, so that no period ends before it began.

    :param counter: where it happens; the ticket's own when none is given.
    :param facts: what else the command sets: ``outcome``, ``turn_at``, ``priority_class`` and the like.
    :raises QueueRefusal: ``ticket_state_conflict`` with the current status and those that the command is for.
    """
    target = target_of(ticket, command)
    at = None if target == "waiting" else counter or ticket.counter
    moment = max(now, ticket.periods[-1].started_at)
    periods = ticket.periods
    if target != ticket.status:
        ended = None if target in OPEN_STATES else moment
        before = replace(periods[-1], ended_at=moment, undone=command == "undo-call")
        periods = (*periods[:-1], before, Period(target, actor, at, moment, ended))
    if command in ("call", "recall"):
        facts |= {"last_called_at": moment, "recalls": ticket.recalls + 1 if command == "recall" else 0}
    if command == "return":
        facts |= {"returns": ticket.returns + 1}
    return replace(ticket, status=target, counter=at, periods=periods, version=ticket.version + 1, **facts)


def difference(ticket: Ticket, command: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what ``command`` has just changed about a ticket that others may know, as it was and as it is."""
    now = ticket.periods[-1]
    moved = command not in _STAYING and len(ticket.periods) > 1
    was = ticket.periods[-2] if moved else now
    before: dict[str, Any] = {"status": was.state, "counter": was.counter, "version": ticket.version - 1}
    after: dict[str, Any] = {"status": ticket.status, "counter": now.counter, "version": ticket.version}
    if command == "recall":
        before["recalls"], after["recalls"] = ticket.recalls - 1, ticket.recalls
    if command == "return":
        before["returns"], after["returns"] = ticket.returns - 1, ticket.returns
    for name, value in (("outcome", ticket.outcome), ("collect_on", ticket.collect_on), ("transferred_to", ticket.transferred_to)):
        if command in ("complete", "transfer") and value is not None:
            before[name], after[name] = None, value.isoformat() if isinstance(value, date) else value
    same = [name for name in before if before[name] == after[name]]
    return tuple({name: value for name, value in side.items() if name not in same} for side in (before, after))  # type: ignore[return-value]


def cancelled_by(ticket: Ticket) -> str | None:
    """Return who gave the number back, ``citizen`` or ``staff``, or :data:`CLOSURE`; ``None`` while it is not cancelled.

    A citizen shows the ticket's token and has no account; devices count as staff.
    """
    if ticket.status != "cancelled" or not ticket.periods:
        return None
    actor = ticket.periods[-1].actor
    return "citizen" if actor is None else CLOSURE if actor == CLOSURE else "staff"


def target_of(ticket: Ticket, command: str) -> str:
    """Return the state to which a command leads a ticket; refuses with ``ticket_state_conflict``."""
    moves = TRANSITIONS[command].moves
    if ticket.status not in moves:
        raise QueueRefusal("ticket_state_conflict", status=ticket.status, allowed=sorted(moves))
    targets = moves[ticket.status]
    return next(iter(targets)) if len(targets) == 1 else ticket.periods[-2].state


def check_recall(ticket: Ticket, now: datetime, *, most: int, gap_seconds: int) -> None:
    """Refuse a recall beyond the site's maximum (then it is time for ``no-show``), or sooner than its minimum gap."""
    if ticket.status != "called":
        return
    if ticket.recalls >= most:
        raise QueueRefusal("recall_limit_reached", limit=most)
    # Clocks of replicas differ: nobody was called in the future.
    waited = gap_seconds if ticket.last_called_at is None else max(0.0, (now - ticket.last_called_at).total_seconds())
    if waited < gap_seconds:
        raise QueueRefusal("recall_too_soon", retry_after_seconds=math.ceil(gap_seconds - waited))


def check_undo(ticket: Ticket, now: datetime, within_seconds: int) -> None:
    """Refuse to undo a call that was made longer ago than a misclick takes to notice: then ``return`` it."""
    if ticket.status == "called" and (now - ticket.periods[-1].started_at).total_seconds() > within_seconds:
        raise QueueRefusal("undo_too_late", limit_seconds=within_seconds)


def check_rejoin(ticket: Ticket, most: int) -> None:
    """Refuse to let somebody who did not come join the queue more often than the site allows."""
    if ticket.status == "no_show" and sum(period.state == "no_show" for period in ticket.periods) > most:
        raise QueueRefusal("rejoin_limit_reached", limit=most)


def check_collected_later(ticket: Ticket) -> None:
    """Refuse a date to collect something that lies before the visit."""
    if ticket.collect_on is not None and ticket.collect_on < ticket.business_date:
        raise QueueRefusal("collect_date_past", business_date=ticket.business_date.isoformat())


def check_day(ticket: Ticket, today: date) -> None:
    """Refuse to call a ticket of another day: midnight has ended its queue, the close of day is about to expire it."""
    if ticket.business_date != today:
        raise QueueRefusal("day_closed", business_date=ticket.business_date.isoformat())
