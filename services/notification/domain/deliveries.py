"""When something is tried again, when it is given up, and when a receiver is left in peace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

ENDED_TICKET_STATES = frozenset({"completed", "cancelled", "expired", "void", "transferred", "no_show"})
"""After these nothing more is to be told, unless a no-show rejoins."""

REDELIVERABLE = frozenset({"delivered", "failed", "superseded", "uncertain", "discarded"})
"""States of a delivery that rests; the others are on their way."""

LONGEST_RETRY_AFTER = timedelta(days=1)
FAILURES_UNTIL_REST = 5
"""So many failures in a row before a receiver is given rest: one event that it cannot digest delays no others."""

FIRST_REST, LONGEST_REST = 5.0, 900.0
FAILURES_UNTIL_PAUSE = 15
PERIOD_UNTIL_PAUSE = timedelta(hours=24)

Random = Callable[[float, float], float]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    ``retry``: not taken, may be tried again. ``failed``: refused for good. ``gone``: the receiver wants nothing more.
    ``uncertain``: it may have been taken. ``withdrawn``: somebody else has it, or it is no news any more.
    ``error`` is a class of failures, never a text that others wrote.
    """

    result: Literal["delivered", "retry", "failed", "gone", "uncertain", "withdrawn"]
    error: str | None = None
    status: int | None = None
    retry_after: float | None = None
    """Seconds for which the receiver asked to be left alone."""
    blameless: bool = False
    """The failure lies with us (a key is missing, our database is away): it counts neither as an attempt nor against the receiver."""
    passing: bool = False
    """What failed on our side comes back by itself: tried again within seconds."""


@dataclass(frozen=True)
class Retries:
    """Exponential pauses with full jitter: random between nothing and a limit that doubles up to ``longest`` seconds."""

    first: float
    longest: float
    attempts: int

    def pause_after(self, attempts: int, random: Random) -> float:
        """Return the seconds to wait after so many attempts; ``random(low, high)`` draws."""
        return random(0.0, min(self.longest, self.first * 2 ** min(attempts - 1, 40)))

    def over(self, attempts: int) -> bool:
        """Whether that was the last attempt."""
        return attempts >= self.attempts


WEBHOOK_RETRIES = Retries(first=10.0, longest=14_400.0, attempts=22)
"""22 attempts within about a day (a day and an hour on average), the first again after some seconds."""

MAIL_RETRIES = Retries(first=30.0, longest=3_600.0, attempts=30)
"""Half a day; a notice that is older has mostly been overtaken."""


def verdict_of_status(status: int, retry_after: float | None) -> Outcome:
    """Return what an HTTP status means: 2xx took it, 410 wants no more, anything else (redirects too) is tried again."""
    if 200 <= status < 300:
        return Outcome("delivered", status=status)
    if status == 410:
        return Outcome("gone", "gone", status)
    if status in (429, 503):
        return Outcome("retry", f"status_{status}", status, retry_after)
    return Outcome("retry", "redirected" if 300 <= status < 400 else f"status_{status}", status)


def seconds_of_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds of a ``Retry-After`` header, at most a day; ``None`` for none and for what cannot be read."""
    if value is None or len(value) > 100:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return max(0.0, min(seconds, LONGEST_RETRY_AFTER.total_seconds()))


def rest_after(failures: int, random: Random) -> float:
    """Return for how many seconds a receiver that failed so often in a row gets nothing at all."""
    if failures < FAILURES_UNTIL_REST:
        return 0.0
    return random(0.0, min(LONGEST_REST, FIRST_REST * 2 ** min(failures - FAILURES_UNTIL_REST, 40)))


def pause_reason(outcome: Outcome, failures: int, failing_since: datetime | None, now: datetime) -> str | None:
    """Return why a webhook has to be paused now, if it has to: ``gone``, or ``failures`` for a whole day."""
    if outcome.result == "gone":
        return "gone"
    if failures >= FAILURES_UNTIL_PAUSE and failing_since is not None and now - failing_since >= PERIOD_UNTIL_PAUSE:
        return "failures"
    return None
