"""What ticketing does by the clock, for one regency after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from weakref import WeakKeyDictionary

from services.chassis import metrics
from services.chassis.database import Database
from services.chassis.errors import DatabaseUnavailable, Unavailable
from services.chassis.logs import get_logger
from services.ticketing import store, usecases
from services.ticketing.usecases import Closing

log = get_logger(__name__)

CLOSING_SECONDS = 5
PRESSURE_SECONDS = 30
MOST_MEASURED = 150
"""Regencies in one round of measuring: hundreds have their turn every other minute, and five a second at most cost little."""

LANES = ("regular", "priority")
SHOWN_STATES = frozenset({"waiting", "called", "serving", "completed", "no_show", "cancelled"})
"""States that a dashboard shows as 0 too; the others only once a ticket is or was in them."""

LOOK_AGAIN = timedelta(minutes=5)
"""How long to trust what is known of a regency's next closing: another replica may have opened a day since."""

_schedules: WeakKeyDictionary[Database, dict[str, datetime]] = WeakKeyDictionary()
"""When to look at each regency next. Only saves questions: what is not here, or too far ahead, is looked at now."""


_last_measured: WeakKeyDictionary[Database, str] = WeakKeyDictionary()


def close_ended_days(database: Database) -> int:
    """Close the days that local midnight has ended, in every regency; return how many were closed.

    Between two closings a regency is asked only every :data:`LOOK_AGAIN`, so that hundreds of them cost nothing. A
    regency or a day that fails is tried again in the next round, and keeps no other one waiting.
    """
    schedule = _schedules.setdefault(database, {})
    closed = 0

    def close_days_of(regency: str) -> None:
        nonlocal closed
        now = database.clock.now()
        if now < schedule.get(regency, now) <= now + LOOK_AGAIN:
            return
        with database.regency_work(regency) as work:
            due = store.due_days(work)
        closed += sum(_close_day(database, regency, site, day) for site, day in due)
        with database.regency_work(regency) as work:
            next_closing = store.next_closing(work)
        # A day that is still due because it failed, or because another replica is at it, is looked at in the next round.
        schedule[regency] = min(next_closing or now + LOOK_AGAIN, now + LOOK_AGAIN)

    in_every_regency(database, "days_closed", close_days_of)
    return closed


def measure_pressure(database: Database, most: int = sys.maxsize) -> None:
    """Set the gauges of every site: who waits and how long, how many tickets are in which state, how many counters there are.

    :param most: of so many regencies; the next ones have their turn the next time.
    """
    last = _last_measured.get(database, "")

    def measure(regency: str) -> None:
        with database.regency_work(regency, read_only=True) as work:
            found = store.sites_now(work)
        if any(now.tickets["printing"] for now in found.values()):
            give_up_slips(database, regency)
        for site, now in found.items():
            _show(regency, site, now)

    def in_turn(regencies: list[str]) -> list[str]:
        chosen = [*(each for each in regencies if each > last), *(each for each in regencies if each <= last)][:most]
        _last_measured[database] = chosen[-1] if chosen else ""
        return chosen

    in_every_regency(database, "pressure_measured", measure, in_turn)


def give_up_slips(database: Database, regency: str) -> dict[str, datetime]:
    """Make a regency's tickets void whose slips did not come out in time; return when the others that are printed are due."""
    with database.regency_work(regency, read_only=True) as work:
        now, slips = work.now, usecases.slips_due(work)
    for ticket, due in slips.items():
        if due <= now:
            with database.regency_work(regency) as work:
                usecases.void_overdue(work, ticket)
    return {ticket: due for ticket, due in slips.items() if due > now}


def _show(regency: str, site: str, now: store.SiteNow) -> None:
    for lane in LANES:
        metrics.TICKETS_WAITING.labels(regency, site, lane).set(now.waiting[lane])
        metrics.LONGEST_WAIT.labels(regency, site, lane).set(now.longest.get(lane, 0.0))
    for status in SHOWN_STATES | now.tickets.keys():
        metrics.TICKETS_TODAY.labels(regency, site, status).set(now.tickets[status])
    metrics.COUNTERS.labels(regency, site).set(now.counters)


def _close_day(database: Database, regency: str, site: str, day: date) -> bool:
    """Close one day; ``False`` when it failed or is not ours to close."""
    try:
        progress = Closing.MORE
        while progress is Closing.MORE:
            with database.regency_work(regency, timeout=30.0) as work:
                progress = usecases.close_due_day(work, site, day)
    except DatabaseUnavailable:
        raise
    except Unavailable as error:
        log.warning("closing_postponed", regency=regency, site=site, business_date=day.isoformat(), reason=str(error))
        return False
    except Exception:
        log.exception("closing_failed", regency=regency, site=site, business_date=day.isoformat())
        return False
    if progress is Closing.DONE:
        log.info("day_closed", regency=regency, site=site, business_date=day.isoformat())
    return progress is Closing.DONE


def in_every_regency(
    database: Database, what: str, act: Callable[[str], None], choose: Callable[[list[str]], list[str]] = lambda regencies: regencies
) -> None:
    """Do something in each regency; one that fails is reported and keeps none of the others waiting."""
    postponed: dict[str, str] = {}
    try:
        for regency in choose(database.regencies()):
            try:
                act(regency)
            except Unavailable as error:
                postponed[regency] = str(error)
            except Exception:
                log.exception("round_failed", round=what, regency=regency)
    except Unavailable as error:
        postponed["all"] = str(error)
    if postponed:
        log.warning("round_postponed", round=what, regencies=len(postponed), reason=next(iter(postponed.values())))
