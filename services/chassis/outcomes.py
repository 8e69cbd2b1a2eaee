"""How a handling ended: the verdict on a failure, its reason, the pause until the next attempt, and the figures."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.chassis import metrics
from services.chassis.errors import PermanentFailure, code_of
from services.chassis.events import Envelope

MAX_ATTEMPTS = 8
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 300.0
REASON_LENGTH = 300


def verdict(error: Exception, attempts: int, most: int = MAX_ATTEMPTS) -> str:
    """Return what becomes of an event after so many attempts that failed: ``failed`` is tried again, ``dead`` is not."""
    return "dead" if isinstance(error, PermanentFailure) or attempts >= most else "failed"


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after the given number of failed attempts: doubling, capped, with jitter."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts - 1, 30))
    return timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311  (jitter, not a secret)


def reason_of(error: Exception) -> str:
    """Return a short reason without values: a driver's message may quote a row."""
    code = code_of(error)
    if code is not None:
        return code
    text = str(error) if isinstance(error, (PermanentFailure, KeyError, ValueError, TypeError)) else ""
    return f"{type(error).__name__}: {text}"[:REASON_LENGTH]


def counted(consumer: str, event: Envelope, outcome: str) -> str:
    """Count how an event ended that was handled alone; return the outcome."""
    metrics.EVENTS_HANDLED.labels(consumer, event.type, outcome).inc()
    if outcome in ("failed", "dead"):
        metrics.INBOX_FAILURES.labels(consumer, event.type).inc()
    if outcome == "dead":
        metrics.DEAD_LETTERS.labels(consumer, event.type).inc()
    return outcome


def observe_age(consumer: str, events: Sequence[Envelope], now: datetime) -> None:
    """Note how old events were when their effect was committed."""
    for event in events:
        age = max(0.0, (now - event.time).total_seconds())
        metrics.EVENT_AGE.labels(consumer).observe(age)
        metrics.REGENCY_EVENT_AGE.labels(event.regency, consumer).observe(age)


def count_group(consumer: str, events: Sequence[Envelope], new: Sequence[Envelope]) -> None:
    """Count events that were handled together, some of them perhaps not for the first time."""
    handled = Counter(event.type for event in new)
    duplicate = Counter(event.type for event in events) - handled
    for outcome, counts in (("handled", handled), ("duplicate", duplicate)):
        for event_type, count in counts.items():
            metrics.EVENTS_HANDLED.labels(consumer, event_type, outcome).inc(count)
