"""Tests that compare numbers and days must not begin right before a site's midnight, when both change by right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.processes import eventually

TIMEZONES = ("Asia/Jakarta", "Asia/Makassar")
"""Time zones of the five regencies."""

LONGEST_TEST = timedelta(seconds=100)


def midnight_is_near(now: datetime) -> bool:
    """Whether a local midnight comes before a test that begins now would be over."""
    return any((local := now.astimezone(ZoneInfo(zone))).date() != (local + LONGEST_TEST).date() for zone in TIMEZONES)


def wait_past_midnight() -> None:
    """Return at once, but for the last moments of a day."""
    eventually(lambda: not midnight_is_near(datetime.now(UTC)), within=LONGEST_TEST.total_seconds() + 10, every=0.5)
