"""What an attempt means for its delivery: done, again later, or given up."""

from __future__ import annotations

import random
from datetime import timedelta

from services.chassis.database import UnitOfWork
from services.notification import store
from services.notification.channels.channel import Parcel
from services.notification.domain import Outcome, Retries

_STATES = {"delivered": "delivered", "failed": "failed", "gone": "failed", "uncertain": "uncertain", "withdrawn": "superseded"}

BLAMELESS_PAUSE = (30.0, 120.0)
"""Seconds until something is tried again that failed for want of a key: somebody has to see to it first."""

PASSING_PAUSE = (0.5, 3.0)
"""Seconds until something is tried again for which only our own database was away, which it is not any more."""

draw = random.SystemRandom().uniform


def settle(work: UnitOfWork, parcel: Parcel, outcome: Outcome, retries: Retries) -> str:
    """Store the outcome of an attempt; return the delivery's state, ``withdrawn`` when the claim was lost meanwhile."""
    attempts = parcel.attempts + (not outcome.blameless)
    state, next_attempt_at = _STATES.get(outcome.result, "pending"), None
    if state == "pending" and retries.over(attempts) and not outcome.blameless:
        state = "failed"
    if state == "pending":
        next_attempt_at = work.now + timedelta(seconds=_pause(outcome, attempts, retries))
        store.hints.leave(work, next_attempt_at)
    settled = store.deliveries.settle(
        work,
        parcel.id,
        parcel.claim,
        state=state,
        counted=not outcome.blameless and outcome.result != "withdrawn",
        next_attempt_at=next_attempt_at,
        status=outcome.status,
        error=outcome.error,
    )
    return state if settled else "withdrawn"


def _pause(outcome: Outcome, attempts: int, retries: Retries) -> float:
    if outcome.blameless:
        return draw(*(PASSING_PAUSE if outcome.passing else BLAMELESS_PAUSE))
    return max(retries.pause_after(attempts, draw), outcome.retry_after or 0.0)
