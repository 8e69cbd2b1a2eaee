"""Whose turn it is when both lanes wait: strict priority, k regular calls for each priority call, and a cap on waiting."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.ticketing.domain.policy import QueuePolicy
from services.ticketing.domain.tickets import Ticket


def next_of(priority: Ticket | None, regular: Ticket | None, regular_calls: int, policy: QueuePolicy, now: datetime) -> Ticket | None:
    """Return who is called next, of the first of each lane; ``None`` when nobody waits.

    Who has waited as long as the ageing cap is overtaken by nobody: then the earlier turn decides, whatever the lane.
    Else the policy does: priority always (``regular_per_priority`` 0), or once so many regular calls have been made.

    :param regular_calls: how many regular tickets the counter has called since its last priority call.
    """
    if priority is None or regular is None:
        return priority or regular
    earlier = min(priority, regular, key=lambda ticket: (ticket.turn, ticket.number))
    if policy.ageing_cap_minutes is not None and now - earlier.turn >= timedelta(minutes=policy.ageing_cap_minutes):
        return earlier
    return priority if regular_calls >= policy.regular_per_priority else regular
