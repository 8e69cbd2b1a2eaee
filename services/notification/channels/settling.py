"""What an attempt means for its delivery: done, again later, or given up."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta

from services.chassis.database import UnitOfWork
from services.notification import store
from services.notification.channels.channel import Attempt
from services.notification.domain import Outcome, Retries

_STATES = {"delivered": "delivered", "failed": "failed", "gone": "failed", "uncertain": "uncertain", "withdrawn": "superseded"}

BLAMELESS_PAUSE = (30.0, 120.0)
"""Seconds until something is tried again that failed for want of a key: somebody has to see to it first."""

PASSING_PAUSE = (0.5, 3.0)
"""Seconds until something is tried again for which only our own database was away, which it is not any more."""

draw = random.SystemRandom().uniform


def settle(work: UnitOfWork, attempts: Sequence[Attempt], retries: Retries) -> dict[str, str]:
    """Store outcomes; return each delivery's state by its id, ``withdrawn`` when the claim was lost meanwhile."""
    endings = [_ending(work, attempt, retries) for attempt in attempts]
    for ending in endings:
        if ending.next_attempt_at is not None:
            store.hints.leave(work, ending.next_attempt_at)
    settled = store.deliveries.settle(work, endings)
    return {ending.id: ending.state if ending.id in settled else "withdrawn" for ending in endings}


def _ending(work: UnitOfWork, attempt: Attempt, retries: Retries) -> store.deliveries.Ending:
    parcel, outcome = attempt.parcel, attempt.outcome
    attempts = parcel.attempts + (not outcome.blameless)
    state, next_attempt_at = _STATES.get(outcome.result, "pending"), None
    if state == "pending" and retries.over(attempts) and not outcome.blameless:
        state = "failed"
    if state == "pending":
        next_attempt_at = work.now + timedelta(seconds=_pause(outcome, attempts, retries))
    counted = int(not outcome.blameless and outcome.result != "withdrawn")
    return store.deliveries.Ending(parcel.id, parcel.claim, state, counted, next_attempt_at, outcome.status, outcome.error)


def _pause(outcome: Outcome, attempts: int, retries: Retries) -> float:
    if outcome.blameless:
        return draw(*(PASSING_PAUSE if outcome.passing else BLAMELESS_PAUSE))
    return max(retries.pause_after(attempts, draw), outcome.retry_after or 0.0)
