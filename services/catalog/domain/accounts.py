"""Rules of accounts: when one is valid, and how long to wait after failed sign-ins."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.catalog.domain.catalogue import CatalogError, invalid

FREE_ATTEMPTS = 5
"""Failed sign-ins in a row without a delay: people mistype."""

LONGEST_DELAY = timedelta(minutes=5)
"""At most 288 guesses a day; and the owner, who goes on working where signed in, is never shut out for longer."""

FORGOTTEN_AFTER = timedelta(days=1)
"""Failed sign-ins so long ago do not count."""


def check_account(account: dict[str, Any]) -> None:
    """An account's days end after they begin."""
    if account["valid_from"] and account["valid_until"] and account["valid_until"] < account["valid_from"]:
        raise invalid("valid_until", "ends_before_it_begins", "The last day must not be before the first.")


def end_of_validity(valid_from: str | None, valid_until: str | None, timezone: str, now: datetime) -> datetime | None:
    """Return the instant at which an account that is valid now ceases to be; None for never.

    :param valid_from: first day, a local date of the regency; None: always was.
    :param valid_until: last day; it counts as a whole.
    :raises CatalogError: ``account_not_valid`` outside of these days.
    """
    begins = None if valid_from is None else _midnight(date.fromisoformat(valid_from), timezone)
    ends = None if valid_until is None else _midnight(date.fromisoformat(valid_until) + timedelta(days=1), timezone)
    if (begins is not None and now < begins) or (ends is not None and now >= ends):
        raise CatalogError("account_not_valid", valid_from=valid_from, valid_until=valid_until)
    return ends


def delay(failures: int, last_at: datetime, now: datetime) -> timedelta:
    """Return how long the next attempt has to wait: nothing at first, then a second, and twice as long each time."""
    if failures < FREE_ATTEMPTS or is_forgotten(last_at, now):
        return timedelta()
    pause = min(LONGEST_DELAY, timedelta(seconds=2 ** min(failures - FREE_ATTEMPTS, 20)))
    return max(timedelta(), last_at + pause - now)


def is_forgotten(last_at: datetime, now: datetime) -> bool:
    """Whether failed sign-ins do not count any more."""
    return now - last_at >= FORGOTTEN_AFTER


def _midnight(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(timezone))
