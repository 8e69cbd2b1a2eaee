"""Business dates, and when a number may be taken, in the local time of a site."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo

from services.ticketing.domain.calendar import Calendar
from services.ticketing.domain.refusal import QueueRefusal


def business_date(now: datetime, timezone: str) -> date:
    """Return the local date at the site: numbers restart at *its* midnight, not at 07:00 because of UTC."""
    return now.astimezone(ZoneInfo(timezone)).date()


def end_of_day(day: date, timezone: str) -> datetime:
    """Return the instant (UTC) of the local midnight that ends a business date."""
    return datetime.combine(day + timedelta(days=1), time_of_day(0), ZoneInfo(timezone)).astimezone(UTC)


def check_site_takes_numbers(site: Mapping[str, Any], channel: str) -> None:
    """Refuse a number where the site does not accept, or does not offer this channel."""
    if not site["accepting"]:
        raise QueueRefusal("site_not_accepting", site=site["id"])
    if channel not in site["channels"]:
        raise QueueRefusal("channel_not_allowed", site=site["id"], channel=channel)


def is_closed(calendar: Calendar, now: datetime) -> bool:
    """Whether no numbers are given out now, at a site or by an agency there, whosever calendar it is.

    A site that does not enforce its hours gives them out at any time, but not once an unforeseen closure leaves nothing
    more of the day: whoever took one would be told at once that it is cancelled.
    """
    local = calendar.local(now)
    today, clock = calendar.hours_on(local.date()), f"{local:%H:%M}"
    return today.is_over(clock) or (calendar.site["enforce_hours"] and not today.contains(clock))


def check_open(calendar: Calendar, agency: Mapping[str, Any], now: datetime) -> None:
    """Refuse a number while the site, or the agency there, is closed, and say when it can be taken.

    :param calendar: the site's, with the special hours of as many days as the next opening is to be looked for.
    :raises QueueRefusal: ``site_closed``, or ``agency_closed`` when only the agency is; with ``reason``, the entry's
        ``name`` and the agency's next opening ``opens_at`` (with the site's offset) where there are such.
    """
    its = calendar.of_agency(agency)
    if not is_closed(its, now):
        return
    hours, opens_at = its.hours_on(its.local(now).date()), its.opens_next(now)
    why: dict[str, Any] = {"site": calendar.site["id"], "reason": hours.reason}
    if hours.name is not None:
        why["name"] = hours.name
    if opens_at is not None:
        why["opens_at"] = opens_at.isoformat()
    if is_closed(calendar, now):
        raise QueueRefusal("site_closed", **why)
    raise QueueRefusal("agency_closed", agency=agency["id"], agency_name=agency["name"], **why)
