"""When people can come: the hours of a site, day by day, as ticketing itself heeds them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.contracts.hours import MOST_DAYS
from services.ticketing import domain, store
from services.ticketing.domain import Calendar, DayHours

USUAL_DAYS = timedelta(days=7)


def get_site_hours(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return the hours of a site on each day asked for, and of the agencies that keep others; refuses with ``site_unknown``."""
    site = store.catalog_entities(work, site=data["site"]).get("site")
    if site is None:
        raise DomainError("site_unknown", site=data["site"])
    today = domain.business_date(work.now, site["timezone"])
    since, until = _days_asked_for(data, today)
    # Beyond the days that are shown, for the next opening.
    entries = store.special_hours(work, min(since, today), max(until, today + timedelta(days=domain.LONGEST_SEARCH)))
    calendar = Calendar(site, entries)
    agencies = [calendar.of_agency(agency) for agency in store.agencies_at(work, site["id"])]
    opens_at = calendar.opens_next(work.now)
    return {
        "site": site["id"],
        "timezone": site["timezone"],
        "enforced": site["enforce_hours"],
        "opens_at": None if opens_at is None else opens_at.isoformat(),
        "days": [_day(calendar, agencies, since + timedelta(days=days)) for days in range((until - since).days + 1)],
    }


def _days_asked_for(data: dict[str, Any], today: date) -> tuple[date, date]:
    since = date.fromisoformat(data["since"]) if "since" in data else today
    try:
        until = date.fromisoformat(data["until"]) if "until" in data else since + USUAL_DAYS - timedelta(days=1)
        _ = until + timedelta(days=1)
    except OverflowError as end_of_the_calendar:
        raise _refused("until", "out_of_range", "Dates end with the year 9999.") from end_of_the_calendar
    if until < since:  # the contract sees this only where both are given
        raise _refused("until", "ends_before_it_begins", "The last day must not be before the first.")
    if (until - since).days >= MOST_DAYS:
        raise _refused("until", "too_many", f"At most {MOST_DAYS} days.")
    return since, until


def _refused(field: str, rule: str, message: str) -> DomainError:
    return DomainError("parameter_invalid", errors=[{"field": field, "rule": rule, "message": message}])


def _day(calendar: Calendar, agencies: Sequence[Calendar], day: date) -> dict[str, Any]:
    hours = calendar.hours_on(day)
    of_agencies = ((agency.agency, agency.hours_on(day)) for agency in agencies)
    differing = [{"agency": code, **_hours(others)} for code, others in of_agencies if others != hours]
    return {"date": day.isoformat(), **_hours(hours), "agencies": differing}


def _hours(hours: DayHours) -> dict[str, Any]:
    periods = [{"open": opens, "close": closes} for opens, closes in hours.periods]
    return {"periods": periods, "reason": hours.reason, "name": hours.name}
