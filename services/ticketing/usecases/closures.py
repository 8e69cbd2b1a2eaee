"""Unforeseen closures: who waits is told, the numbers are given back, and the board says so.

Any replica may do any step at any time, several at once: who comes second finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any

from services.chassis.database import UnitOfWork
from services.ticketing import domain, store
from services.ticketing.domain import Calendar
from services.ticketing.usecases.changing import keep, tell_of_day
from services.ticketing.usecases.visits import after_leg

Entity = dict[str, Any]

CANCELLING_BATCH = 500
"""Tickets cancelled in one transaction; a crash in between loses nothing, the rest follows."""


class Cancelling(Enum):
    """How far the cancelling at a site has come."""

    MORE = "a batch was cancelled, more may wait"
    DONE = "nobody waits who is concerned"


def sites_to_look_at(work: UnitOfWork) -> list[str]:
    """Return the sites of the regency where a closure holds or was told about now; mostly none."""
    closures = [entry for entry in store.special_hours(work) if entry["kind"] == domain.CLOSURE]
    if not closures and not store.any_told(work):
        return []
    return [site["id"] for site in store.sites(work)]


def apply_closures(work: UnitOfWork, site_id: str) -> Cancelling:
    """Bring a site's day in line with its closures: tell of them, tell when they are taken back, cancel who waits.

    The calendar is read under the lock of the day, so a closure that was taken back before cancels nobody. Whoever is
    being served is served to the end.
    """
    site = store.catalog_entities(work, site=site_id)["site"]
    today = domain.business_date(work.now, site["timezone"])
    store.lock_day(work, site_id, today)
    closed = _closed_now(work, site, today)
    _tell(work, closed, today)
    tickets = store.cancellable(work, site_id, today, closed.agencies, but=closed.exempt, limit=CANCELLING_BATCH) if closed.any else []
    cancelled = [domain.changed(ticket, "cancel", work.now, actor=domain.CLOSURE) for ticket in tickets]
    for ticket in cancelled:
        keep(work, ticket, "cancel")
    for ticket in cancelled:
        after_leg(work, ticket)
    return Cancelling.MORE if len(tickets) == CANCELLING_BATCH else Cancelling.DONE


@dataclass(frozen=True)
class _Closed:
    """For whom a closure leaves nothing more of a site's day."""

    calendar: Calendar
    whole: bool
    of: Sequence[Calendar]
    """Calendars of the agencies that are closed."""
    exempt: Sequence[str]
    """Agencies that are not, though the site as a whole may be."""

    @property
    def any(self) -> bool:
        return self.whole or bool(self.of)

    @property
    def agencies(self) -> list[str] | None:
        """Whose numbers are given back; ``None``: of all agencies but the exempt."""
        return None if self.whole else [str(calendar.agency) for calendar in self.of]


def _closed_now(work: UnitOfWork, site: Entity, today: date) -> _Closed:
    calendar = Calendar(site, store.special_hours(work, until=today + timedelta(days=domain.LONGEST_SEARCH)))
    clock = f"{calendar.local(work.now):%H:%M}"
    agencies = [calendar.of_agency(agency) for agency in store.agencies_at(work, site["id"])]
    of = [agency for agency in agencies if agency.hours_on(today).is_over(clock)]
    exempt = [str(agency.agency) for agency in agencies if agency not in of]
    return _Closed(calendar, calendar.hours_on(today).is_over(clock), of, exempt)


def _tell(work: UnitOfWork, closed: _Closed, today: date) -> None:
    """Tell of what is closed and was not told, and of what was told and is open again. The whole site speaks for its agencies."""
    site = closed.calendar.site["id"]
    told = {each.agency for each in store.told_closures(work, site, today)}
    for calendar in [closed.calendar] if closed.whole else closed.of:
        opens_at = calendar.opens_next(work.now)
        if calendar.agency not in told and store.keep_told(work, site, today, store.Told(calendar.agency, opens_at)):
            opening = None if opens_at is None else opens_at.isoformat()
            tell_of_day(work, "site.closed", site, today, agency=calendar.agency, reason=domain.CLOSURE, opens_at=opening)
    still = {calendar.agency for calendar in closed.of} | ({None} if closed.whole else set())
    for agency in sorted(told - still, key=str):
        if store.take_back(work, site, today, agency):
            tell_of_day(work, "site.reopened", site, today, agency=agency)
