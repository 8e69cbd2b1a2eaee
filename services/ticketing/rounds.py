"""What ticketing does by the clock, for one regency after the other."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.chassis import metrics
from services.chassis.database import Database
from services.chassis.errors import DomainError, Unavailable
from services.chassis.logs import get_logger
from services.ticketing import store, usecases
from services.ticketing.domain import oldest_open_date

log = get_logger(__name__)

CLOSING_SECONDS = 5
PRESSURE_SECONDS = 30
LOOK_AGAIN = timedelta(minutes=5)
"""How long to trust what is known of a regency's next closing: another replica may have opened a day since."""

_look_at: dict[str, datetime] = {}


def close_ended_days(database: Database) -> int:
    """Close the days that local midnight has ended, in every regency; return how many were closed.

    Between two closings a regency is asked only every :data:`LOOK_AGAIN`, so that hundreds of them cost nothing.
    """
    closed = 0
    now = database.clock.now()
    try:
        for regency in database.regencies():
            if _look_at.get(regency, now) > now:
                continue
            try:
                closed += _close_days_of(database, regency)
                with database.regency_work(regency) as work:
                    closing = store.next_closing(work)
                _look_at[regency] = min(closing or now + LOOK_AGAIN, now + LOOK_AGAIN)
            except DomainError as error:
                log.warning("closing_postponed", regency=regency, reason=str(error))
    except Unavailable as error:
        log.warning("closing_postponed", reason=str(error))
    return closed


def _close_days_of(database: Database, regency: str) -> int:
    with database.regency_work(regency) as work:
        due = store.due_days(work)
    for site, day in due:
        more = True
        while more:
            with database.regency_work(regency, timeout=30.0) as work:
                more = usecases.close_due_day(work, site, day)
        log.info("day_closed", regency=regency, site=site, business_date=day.isoformat())
    return len(due)


def measure_pressure(database: Database) -> None:
    """Set the gauges of waiting tickets and longest wait."""
    try:
        for regency in database.regencies():
            with database.regency_work(regency, read_only=True) as work:
                waiting, longest = store.pressure(work, oldest_open_date(work.now))
            metrics.TICKETS_WAITING.labels(regency).set(waiting)
            metrics.LONGEST_WAIT.labels(regency).set(longest)
    except Unavailable as error:
        log.debug("pressure_not_measured", reason=str(error))
