"""The rules of the queue: states, numbers, days, opening hours. Plain calculation; the instant is passed in."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo


class QueueRefusal(Exception):
    """A rule of the queue was broken; ``code`` is stable, ``details`` are safe to show."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


# --- Ticket states -------------------------------------------------------------------------------------------------

OPEN_STATES = frozenset({"reserved", "printing", "waiting", "called", "serving", "on_hold"})


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

COMMANDS_OF_PEOPLE = frozenset(TRANSITIONS) - {"expire"}


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

    :raises QueueRefusal: ``ticket_state_conflict`` with the current status and the commands that it allows.
    """
    transition = TRANSITIONS[command]
    if ticket.status not in transition.sources:
        raise QueueRefusal("ticket_state_conflict", current_status=ticket.status, allowed=allowed_commands(ticket.status))
    at = counter or ticket.counter
    periods = ticket.periods
    if transition.target != ticket.status:
        closed = tuple(period if period.ended_at else replace(period, ended_at=now) for period in periods)
        still = None if transition.target not in OPEN_STATES else Period(transition.target, actor, at, now)
        periods = (*closed, still or Period(transition.target, actor, at, now, now))
    return replace(
        ticket,
        status=transition.target,
        counter=at,
        outcome=outcome or ticket.outcome,
        recalls=ticket.recalls + (command == "recall"),
        periods=periods,
        version=ticket.version + 1,
    )


def allowed_commands(status: str) -> list[str]:
    """Return what people may do with a ticket in this status, sorted."""
    return sorted(command for command in COMMANDS_OF_PEOPLE if status in TRANSITIONS[command].sources)


def check_recall(ticket: Ticket, most: int) -> None:
    """Refuse a recall beyond the site's maximum: then it is time for ``no-show``."""
    if ticket.status == "called" and ticket.recalls >= most:
        raise QueueRefusal("recall_limit_reached", limit=most)


# --- Days and hours ------------------------------------------------------------------------------------------------

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def business_date(now: datetime, timezone: str) -> date:
    """Return the local date at the site: numbers restart at *its* midnight, not at 07:00 because of UTC."""
    return now.astimezone(ZoneInfo(timezone)).date()


def end_of_day(day: date, timezone: str) -> datetime:
    """Return the instant (UTC) of the local midnight that ends a business date."""
    return datetime.combine(day + timedelta(days=1), time_of_day(0), ZoneInfo(timezone)).astimezone(UTC)


def oldest_open_date(now: datetime) -> date:
    """Return a business date that no day still open in any time zone precedes."""
    return (now - timedelta(days=1)).date()


def is_open(now: datetime, timezone: str, hours: Mapping[str, Iterable[Mapping[str, str]]]) -> bool:
    """Whether the site's opening hours contain this instant; ``24:00`` closes at midnight."""
    local = now.astimezone(ZoneInfo(timezone))
    clock = f"{local:%H:%M}"
    return any(period["open"] <= clock < period["close"] for period in hours.get(WEEKDAYS[local.weekday()], ()))


def check_site_takes_numbers(site: Mapping[str, Any], channel: str, now: datetime) -> None:
    """Refuse a number where the site does not accept, is closed, or does not offer this channel."""
    if not site["accepting"]:
        raise QueueRefusal("site_not_accepting", site=site["id"])
    if channel not in site["channels"]:
        raise QueueRefusal("channel_not_allowed", site=site["id"], channel=channel)
    if site["enforce_hours"] and not is_open(now, site["timezone"], site["hours"]):
        raise QueueRefusal("site_closed", site=site["id"], hours=site["hours"])


def prefix_at(agency: Mapping[str, Any], site: str) -> str:
    """Return the letters of an agency's numbers at a site; refuses an agency that is not there."""
    for presence in agency["presences"]:
        if presence["site"] == site:
            return str(presence["prefix"])
    raise QueueRefusal("service_not_offered", site=site, agency=agency["id"])


# --- Who may do what -----------------------------------------------------------------------------------------------

STAFF_ROLES = frozenset({"officer", "front_desk", "supervisor", "administrator", "operator", "system"})

CHANNELS_OF_ROLE: Mapping[str, frozenset[str]] = {
    "anonymous": frozenset({"web"}),
    "citizen": frozenset({"web"}),
    "kiosk": frozenset({"kiosk"}),
    **{role: frozenset({"front_desk", "kiosk", "web"}) for role in STAFF_ROLES},
}
"""Through which channels a role may issue: a citizen cannot claim to be a kiosk."""


def check_channel(role: str, channel: str) -> None:
    """Refuse a channel that is not the caller's."""
    if channel not in CHANNELS_OF_ROLE.get(role, frozenset()):
        raise QueueRefusal("channel_not_allowed", channel=channel)


def check_staff(role: str) -> None:
    """Refuse whoever is not staff."""
    if role not in STAFF_ROLES:
        raise QueueRefusal("role_forbidden")


def check_agency(agencies: Collection[str] | None, agency: str) -> None:
    """Refuse an officer who does not act for this agency (``None``: acts for all)."""
    if agencies is not None and agency not in agencies:
        raise QueueRefusal("agency_forbidden", agency=agency)


def agency_of(service: str) -> str:
    """Return the agency's code within a service's id: ``CPL-KTP`` -> ``CPL``."""
    return service.partition("-")[0]


def services_for(counter: Mapping[str, Any], agencies: Collection[str] | None) -> list[str]:
    """Return which of a counter's services this officer may call for; refuses when there is none."""
    if not counter["active"]:
        raise QueueRefusal("counter_inactive", counter=counter["id"])
    services = [service for service in counter["services"] if agencies is None or agency_of(service) in agencies]
    if not services and counter["services"]:
        raise QueueRefusal("agency_forbidden", counter=counter["id"])
    return services


def check_counter_free(open_there: Iterable[tuple[str, str, str]], *, may_call_while_serving: bool) -> None:
    """Refuse a call from a counter that has one open.

    :param open_there: ``(ticket id, label, status)`` of tickets called or serving at the counter.
    """
    for ticket_id, label, status in open_there:
        if status == "called" or not may_call_while_serving:
            raise QueueRefusal("counter_busy", ticket=ticket_id, number=label, current_status=status)


# --- Tokens and estimates ------------------------------------------------------------------------------------------


def ticket_token(secret: str, ticket_id: str) -> str:
    """Return the citizen's token for a ticket: a keyed hash, so that no table holds it and nobody can guess it."""
    digest = hmac.new(secret.encode(), b"ticket:" + ticket_id.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_ticket_token(secret: str, ticket_id: str, token: str | None) -> None:
    """Refuse a wrong token, taking the same time for every wrong one."""
    if token is None or not hmac.compare_digest(ticket_token(secret, ticket_id).encode(), token.encode()):
        raise QueueRefusal("ticket_token_invalid")


DEFAULT_SERVING_SECONDS = 600.0
"""Assumed until a service has been observed."""

PACE_WEIGHT = 0.1
"""Weight of the newest service in the moving average, once ten have been seen."""


def estimated_wait(ahead: int, mean_seconds: float | None, counters: int) -> int:
    """Return seconds until the turn: waiting ahead x mean serving time / counters that serve it."""
    return round(ahead * (mean_seconds or DEFAULT_SERVING_SECONDS) / max(1, counters))


def new_pace(mean_seconds: float, samples: int, seconds: float) -> float:
    """Return the moving average of serving seconds after one more observation."""
    weight = max(PACE_WEIGHT, 1 / (samples + 1))
    return mean_seconds + weight * (seconds - mean_seconds)
