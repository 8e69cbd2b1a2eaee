"""A ticket, its states, and what leads from one to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.ticketing.domain.refusal import QueueRefusal

CLOSURE = "closure"
"""The actor of what a closure does; accounts have an ``@`` in their names."""

OPEN_STATES = frozenset({"reserved", "printing", "waiting", "called", "serving", "on_hold"})
AT_COUNTER_STATES = frozenset({"called", "serving"})
"""States in which a ticket occupies a counter."""


@dataclass(frozen=True)
class Transition:
    """From which states a command leads where, and which event tells of it."""

    sources: frozenset[str]
    target: str
    event: str


TRANSITIONS: Mapping[str, Transition] = {
    "call": Transition(frozenset({"waiting"}), "called", "ticket.called"),
    "recall": Transition(frozenset({"called"}), "called", "ticket.recalled"),
    "start": Transition(frozenset({"called"}), "serving", "ticket.serving_started"),
    "complete": Transition(frozenset({"serving"}), "completed", "ticket.completed"),
    "no-show": Transition(frozenset({"called"}), "no_show", "ticket.no_show"),
    "cancel": Transition(frozenset({"reserved", "waiting", "called", "on_hold"}), "cancelled", "ticket.cancelled"),
    # Close of day. Never "completed": the books stay true.
    "expire": Transition(OPEN_STATES, "expired", "ticket.expired"),
}
"""The whole state machine; guards, answers and tests are derived from it."""


@dataclass(frozen=True)
class Period:
    """A ticket was in ``state`` from ``started_at`` to ``ended_at`` (``None``: still is)."""

    state: str
    actor: str | None
    counter: str | None
    started_at: datetime
    ended_at: datetime | None = None


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
    issued_at: datetime
    counter: str | None = None
    recalls: int = 0
    returns: int = 0
    outcome: str | None = None
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


def issued(ticket: Ticket, actor: str | None) -> Ticket:
    """Return a new ticket with its first period."""
    return replace(ticket, periods=(Period(ticket.status, actor, None, ticket.issued_at),))


def changed(
    ticket: Ticket, command: str, now: datetime, *, actor: str | None, counter: str | None = None, outcome: str | None = None
) -> Ticket:
    """Return the ticket after ``command``, one version on; a change of state closes a period and opens the next.

    ``now`` may lie before the ticket's last change, when this command began first and then waited for it, or when the
    clocks of two replicas differ: the change then counts from the last one, so that no period ends before it began.

    :raises QueueRefusal: ``ticket_state_conflict`` with the current status and those that the command is for.
    """
    transition = TRANSITIONS[command]
    if ticket.status not in transition.sources:
        raise QueueRefusal("ticket_state_conflict", status=ticket.status, allowed=sorted(transition.sources))
    at = counter or ticket.counter
    periods = ticket.periods
    if transition.target != ticket.status:
        moment = max(now, periods[-1].started_at)
        ended = None if transition.target in OPEN_STATES else moment
        periods = (*periods[:-1], replace(periods[-1], ended_at=moment), Period(transition.target, actor, at, moment, ended))
    return replace(
        ticket,
        status=transition.target,
        counter=at,
        outcome=outcome or ticket.outcome,
        recalls=ticket.recalls + (command == "recall"),
        periods=periods,
        version=ticket.version + 1,
    )


def cancelled_by(ticket: Ticket) -> str | None:
    """Return who gave the number back, ``citizen`` or ``staff``, or :data:`CLOSURE`; ``None`` while it is not cancelled.

    A citizen shows the ticket's token and has no account; devices count as staff.
    """
    if ticket.status != "cancelled" or not ticket.periods:
        return None
    actor = ticket.periods[-1].actor
    return "citizen" if actor is None else CLOSURE if actor == CLOSURE else "staff"


def check_recall(ticket: Ticket, most: int) -> None:
    """Refuse a recall beyond the site's maximum: then it is time for ``no-show``."""
    if ticket.status == "called" and ticket.recalls >= most:
        raise QueueRefusal("recall_limit_reached", limit=most)


def check_day(ticket: Ticket, today: date) -> None:
    """Refuse to call a ticket of another day: midnight has ended its queue, the close of day is about to expire it."""
    if ticket.business_date != today:
        raise QueueRefusal("day_closed", business_date=ticket.business_date.isoformat())
