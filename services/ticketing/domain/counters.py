"""What is offered where: agencies at sites, services at counters, and when a counter may call."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from services.ticketing.domain.refusal import QueueRefusal
from services.ticketing.domain.tickets import Ticket


def agency_of(service: str) -> str:
    """Return the agency's code within a service's id: ``CPL-KTP`` -> ``CPL``."""
    return service.partition("-")[0]


def prefix_at(agency: Mapping[str, Any], site: str) -> str:
    """Return the letters of an agency's numbers at a site; refuses an agency that is not there."""
    for presence in agency["presences"]:
        if presence["site"] == site:
            return str(presence["prefix"])
    raise QueueRefusal("service_not_offered", site=site, agency=agency["id"])


def services_for(counter: Mapping[str, Any], agencies: Collection[str] | None) -> list[str]:
    """Return which of a counter's services this officer may call for.

    A counter belongs to one agency, or is shared by several; then an officer calls for the own ones only.

    :raises QueueRefusal: ``counter_inactive``, or ``agency_forbidden`` when the counter is not the officer's.
    """
    if not counter["active"]:
        raise QueueRefusal("counter_inactive", counter=counter["id"])
    if agencies is None:
        return list(counter["services"])
    own = [service for service in counter["services"] if agency_of(service) in agencies]
    foreign = counter["agency"] is not None and counter["agency"] not in agencies
    if foreign or (counter["services"] and not own):
        raise QueueRefusal("agency_forbidden", counter=counter["id"])
    return own


def check_counter_free(open_there: Iterable[Ticket], *, may_call_while_serving: bool) -> None:
    """Refuse a call from a counter that has a ticket called already, or serving unless the site allows that.

    :param open_there: the tickets called or serving at the counter.
    """
    for ticket in open_there:
        if ticket.status == "called" or not may_call_while_serving:
            raise _busy(ticket)


def check_nobody_served(open_there: Iterable[Ticket], called: Ticket) -> None:
    """Refuse to serve two at a counter: where the site allows calling while serving, the first is completed first."""
    for ticket in open_there:
        if ticket.status == "serving" and ticket.id != called.id:
            raise _busy(ticket)


def check_room_for(open_there: Iterable[Ticket], target: str, *, may_call_while_serving: bool) -> None:
    """Refuse to bring a ticket back to a counter as ``called`` or ``serving`` when another one is in its way there."""
    for ticket in open_there:
        if ticket.status == target or not may_call_while_serving:
            raise _busy(ticket)


def _busy(ticket: Ticket) -> QueueRefusal:
    return QueueRefusal("counter_busy", counter=ticket.counter, ticket=ticket.id, number=ticket.label, status=ticket.status)
