"""Business dates and opening hours, in the local time of a site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo

from services.ticketing.domain.refusal import QueueRefusal

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def business_date(now: datetime, timezone: str) -> date:
    """Return the local date at the site: numbers restart at *its* midnight, not at 07:00 because of UTC."""
    return now.astimezone(ZoneInfo(timezone)).date()


def end_of_day(day: date, timezone: str) -> datetime:
    """Return the instant (UTC) of the local midnight that ends a business date."""
    return datetime.combine(day + timedelta(days=1), time_of_day(0), ZoneInfo(timezone)).astimezone(UTC)


def is_open(now: datetime, timezone: str, hours: Mapping[str, Iterable[Mapping[str, str]]]) -> bool:
    """Whether the site's opening hours contain this instant; ``24:00`` closes at midnight."""
    local = now.astimezone(ZoneInfo(timezone))
    clock = f"{local:%H:%M}"
    return any(period["open"] <= clock < period["close"] for period in hours.get(WEEKDAYS[local.weekday()], ()))


def check_site_takes_numbers(site: Mapping[str, Any], channel: str, now: datetime) -> None:
    """Refuse a number where the site does not accept, does not offer this channel, or is closed."""
    if not site["accepting"]:
        raise QueueRefusal("site_not_accepting", site=site["id"])
    if channel not in site["channels"]:
        raise QueueRefusal("channel_not_allowed", site=site["id"], channel=channel)
    if site["enforce_hours"] and not is_open(now, site["timezone"], site["hours"]):
        raise QueueRefusal("site_closed", site=site["id"], hours=site["hours"])
