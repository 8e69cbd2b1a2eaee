"""What the platform reports, read through the gateway before and after playing."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from deploy.simulation.comparison import NOTHING, Disagreement, Figures, disagreements
from deploy.simulation.gateway_client import Session
from deploy.simulation.malls import Mall
from deploy.simulation.tally import DayAtSite, Played

SETTLING_SECONDS = 0.5
EVERY_SECONDS = 0.3

Baseline = Mapping[DayAtSite, Figures]


def today(session: Session, mall: Mall) -> tuple[DayAtSite, Figures]:
    """Return the server's business date at a mall, and its figures."""
    daily = session.get(f"{mall.path}/reports/daily?site={mall.site}")
    day = DayAtSite(mall.regency, mall.site, daily["date"])
    return day, Figures(daily, _skm(session, day))


def figures(session: Session, day: DayAtSite) -> Figures:
    """Return the figures of a business date."""
    return Figures(session.get(f"/v1/{day.regency}/reports/daily?site={day.site}&date={day.date}"), _skm(session, day))


def baseline(sessions: Mapping[str, Session], malls: Sequence[Mall], within: float) -> Baseline:
    """Return today's figures of all malls, once they have stopped changing: events of what was before may still be on their way."""
    end = time.monotonic() + within
    found = dict(today(sessions[mall.regency], mall) for mall in malls)
    while True:
        time.sleep(SETTLING_SECONDS)
        again = dict(today(sessions[mall.regency], mall) for mall in malls)
        if again == found or time.monotonic() > end:
            return again
        found = again


def compare(
    sessions: Mapping[str, Session],
    malls: Sequence[Mall],
    played: Mapping[DayAtSite, Played],
    before: Baseline,
    within: float,
) -> dict[DayAtSite, list[Disagreement]]:
    """Compare each business date that was played with its reports, asking again until they agree or the time is over."""
    end = time.monotonic() + within
    found: dict[DayAtSite, list[Disagreement]] = {}
    open_days = list(played)
    while open_days:
        current = {today(sessions[mall.regency], mall)[0] for mall in malls}
        for day in open_days:
            after = figures(sessions[day.regency], day)
            found[day] = disagreements(day, played[day], before.get(day, NOTHING), after, is_over=day not in current)
        open_days = [day for day in open_days if found[day]]
        if open_days and time.monotonic() > end:
            break
        if open_days:
            threading.Event().wait(EVERY_SECONDS)
    return found


def _skm(session: Session, day: DayAtSite) -> Mapping[str, object]:
    answer: Mapping[str, object] = session.get(f"/v1/{day.regency}/reports/skm?site={day.site}&from={day.date}&to={day.date}")
    return answer
