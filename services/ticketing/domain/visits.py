"""Visits of several legs: one slip, one arrival, one public service after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from services.ticketing.domain.refusal import QueueRefusal
from services.ticketing.domain.tickets import Ticket

LIVE_STATES = frozenset({"printing", "waiting", "called", "serving", "on_hold"})
"""A visit has one leg at most in one of these: nobody can be at two counters."""


def in_order(services: Sequence[str], prerequisites: Mapping[str, Collection[str]]) -> list[str]:
    """Return the services of a visit so that what one requires comes before it, else as they were asked for.

    What a service requires and the citizen did not ask for is taken as done: it may have been done long ago.

    :raises QueueRefusal: ``prerequisites_circular`` when there is no such order.
    """
    wanted = list(dict.fromkeys(services))
    sorter = TopologicalSorter({each: [need for need in prerequisites.get(each, ()) if need in wanted] for each in wanted})
    ordered: list[str] = []
    try:
        sorter.prepare()
    except CycleError as circular:
        raise QueueRefusal("prerequisites_circular", services=sorted(set(circular.args[1]))) from circular
    ready = list(sorter.get_ready())
    while ready:
        first = min(ready, key=wanted.index)
        ready.remove(first)
        ordered.append(first)
        sorter.done(first)
        ready += sorter.get_ready()
    return ordered


def depending_on(given_up: str, legs: Iterable[Ticket], prerequisites: Mapping[str, Collection[str]]) -> list[Ticket]:
    """Return the reserved legs, in order, that cannot be served once a service of the visit is given up."""
    lost, lost_legs = {given_up}, []
    for leg in legs:
        if lost & set(prerequisites.get(leg.service, ())):
            lost.add(leg.service)
            lost_legs.append(leg)
    return lost_legs


def check_only_live(legs: Iterable[Ticket], ticket: Ticket) -> None:
    """Refuse to bring a leg to its queue while another one of the visit is live."""
    for other in legs:
        if other.id != ticket.id and other.status in LIVE_STATES:
            raise QueueRefusal("visit_busy", ticket=other.id, number=other.label, status=other.status)
