"""When a site and its agencies are open: weekly hours, holidays, Ramadan, closures. Plain calculation in local time.

An entry of special hours holds from one local date of the site to another, both included, for a site or all, for an
agency or all. Of those that hold on a day one wins, by :func:`_precedence`:

1. a `closure` beats everything: nobody foresaw it, so nothing that was planned before can have meant it;
2. then the single days (`joint_leave`, `national_holiday`, `regional_holiday`, `other`) beat a season (`ramadan`), whose
   hours only take the place of those of every week;
3. then the more specific one: an agency at a site, an agency, a site, the regency;
4. then the later of `joint_leave`, `national_holiday`, `regional_holiday`, `other`: what the regency decides itself beats
   what the nation decides, and an `other` day, such as an opening on a holiday, beats a holiday;
5. then the one that begins later, the one that ends sooner, and at last the greater id, so that there is always one.

Where the winner is about the agency, its hours are the agency's. Else they are the site's, and an agency with hours of
its own is there when both are: Ramadan shortens the day of an agency that comes on Tuesdays, and adds no other day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo

Entry = Mapping[str, Any]
WeeklyHours = Mapping[str, Iterable[Mapping[str, str]]]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKLY = "weekly"
"""The reason of hours that hold in every week."""

CLOSURE = "closure"
_SEASON, _DAY, _UNFORESEEN = range(3)
_RANKS = {"ramadan": _SEASON, CLOSURE: _UNFORESEEN}
_DAYS_IN_ORDER = ("joint_leave", "national_holiday", "regional_holiday", "other")

LONGEST_SEARCH = 366
"""Days in which the next opening is looked for."""


@dataclass(frozen=True)
class DayHours:
    """The hours of a site, or of an agency there, on one local date."""

    date: date
    periods: tuple[tuple[str, str], ...]
    """Opening and closing times, ``HH:MM``, in order; ``24:00`` closes at midnight. Empty: closed."""
    reason: str = WEEKLY
    """:data:`WEEKLY`, or the kind of the entry that holds."""
    name: str | None = None
    """What people call that entry."""

    def contains(self, clock: str) -> bool:
        """Whether it is open at a local time ``HH:MM``: from the opening on, until just before the closing."""
        return any(opens <= clock < closes for opens, closes in self.periods)

    def is_over(self, clock: str) -> bool:
        """Whether an unforeseen closure leaves nothing more of the day at a local time ``HH:MM``."""
        return self.reason == CLOSURE and all(closes <= clock for _, closes in self.periods)


@dataclass(frozen=True)
class Calendar:
    """What is known of the hours at one site.

    ``own`` are the weekly hours of an agency there, ``None`` where it keeps those of the site; ``agency`` is its code,
    ``None`` for the site itself.
    """

    site: Mapping[str, Any]
    entries: Sequence[Entry]
    agency: str | None = None
    own: WeeklyHours | None = None

    def of_agency(self, agency: Mapping[str, Any]) -> Calendar:
        """Return the calendar of an agency at this site."""
        own = next((each.get("hours") for each in agency["presences"] if each["site"] == self.site["id"]), None)
        return Calendar(self.site, self.entries, str(agency["id"]), own)

    def hours_on(self, day: date) -> DayHours:
        """Return the hours of a local date with their reason, by the order of precedence that this module states."""
        entry = max((each for each in self.entries if self._holds(each, day)), key=_precedence, default=None)
        if entry is None:
            return DayHours(day, _periods(self.site["hours"] if self.own is None else self.own, day))
        periods = _periods(entry["hours"], day)
        if entry["agency"] is None and self.own is not None:
            periods = _in_both(periods, _periods(self.own, day))
        return DayHours(day, periods, entry["kind"], entry["name"])

    def is_open(self, now: datetime) -> bool:
        """Whether numbers are given out at this instant."""
        local = self.local(now)
        return self.hours_on(local.date()).contains(f"{local:%H:%M}")

    def opens_next(self, now: datetime) -> datetime | None:
        """Return the next opening after an instant, with the site's offset; ``None``: not within :data:`LONGEST_SEARCH` days."""
        today = self.local(now).date()
        for days in range(LONGEST_SEARCH):
            day = today + timedelta(days=days)
            for opens, _ in self.hours_on(day).periods:
                instant = datetime.combine(day, time_of_day.fromisoformat(opens), ZoneInfo(self.site["timezone"]))
                if instant > now:
                    return instant
        return None

    def working(self, day: date) -> list[tuple[float, float]]:
        """Return when it is open on a local date, from opening to closing, in Unix seconds."""
        return [(self._instant(day, opens), self._instant(day, closes)) for opens, closes in self.hours_on(day).periods]

    def _instant(self, day: date, clock: str) -> float:
        if clock == "24:00":
            day, clock = day + timedelta(days=1), "00:00"
        return datetime.combine(day, time_of_day.fromisoformat(clock), ZoneInfo(self.site["timezone"])).timestamp()

    def local(self, now: datetime) -> datetime:
        """Return an instant in the site's local time."""
        return now.astimezone(ZoneInfo(self.site["timezone"]))

    def _holds(self, entry: Entry, day: date) -> bool:
        return bool(
            entry["active"]
            and entry["from"] <= day.isoformat() <= entry["to"]
            and entry["site"] in (None, self.site["id"])
            and (entry["agency"] is None or entry["agency"] == self.agency)
        )


def _precedence(entry: Entry) -> tuple[Any, ...]:
    """Order entries that hold on the same day; the greatest wins. The module says why."""
    kind = entry["kind"]
    specific = 2 * (entry["agency"] is not None) + (entry["site"] is not None)
    among_days = _DAYS_IN_ORDER.index(kind) if kind in _DAYS_IN_ORDER else 0
    sooner_over = -date.fromisoformat(entry["to"]).toordinal()
    return _RANKS.get(kind, _DAY), specific, among_days, entry["from"], sooner_over, entry["id"]


def _periods(hours: WeeklyHours, day: date) -> tuple[tuple[str, str], ...]:
    return tuple((period["open"], period["close"]) for period in hours.get(WEEKDAYS[day.weekday()], ()))


def _in_both(some: Iterable[tuple[str, str]], others: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return when both are open."""
    shared = ((max(one[0], other[0]), min(one[1], other[1])) for one in some for other in others)
    return tuple(period for period in shared if period[0] < period[1])
