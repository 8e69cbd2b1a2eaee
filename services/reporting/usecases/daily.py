"""The figures of a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.contracts.field_rules import Message
from services.reporting import domain, store
from services.reporting.usecases.sites import known_site

COUNTS = (
    *("issued", "waiting", "called", "serving", "on_hold"),
    *("completed", "no_show", "transferred", "cancelled", "expired"),
)


def daily_report(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one business date at one site, as a whole, by service and by lane.

    `issued` counts the tickets that entered the queue, and the states add up to it. ``wait_seconds`` is the time in
    ``waiting`` of the tickets that were called at least once, ``serve_seconds`` the time in ``serving`` of the
    completed ones, each summed over the ticket's periods; every figure is null when there is no such ticket. Medians
    and 90th percentiles are continuous (PostgreSQL's ``percentile_cont``). Without a date it is today at the site.

    :raises DomainError: ``site_unknown`` when neither the catalogue nor any ticket has told of the site;
        ``parameter_invalid`` when no date is given and nobody has told the site's time zone.
    """
    site = known_site(work, data["site"])
    day = date.fromisoformat(data["date"]) if "date" in data else _today(work, site)
    agency, service = data.get("agency"), data.get("service")
    rows = store.figures_of_day(work, data["site"], day, agency, service)
    whole = next(row for row in rows if row["part"] == "whole")
    return {
        "site": data["site"],
        "site_name": None if site is None else site.name,
        "date": day.isoformat(),
        "agency": agency,
        "service": service,
        **_figures(whole),
        "by_service": [{"agency": row["agency"], "service": row["service"], **_figures(row)} for row in rows if row["part"] == "service"],
        "by_lane": [{"lane": row["lane"], **_figures(row)} for row in rows if row["part"] == "lane"],
    }


def _today(work: UnitOfWork, site: store.Site | None) -> date:
    if site is None or site.timezone is None:
        unknown = Message("site_timezone_unknown")
        raise DomainError("parameter_invalid", errors=[{"field": "date", "rule": unknown.rule, "message": str(unknown)}])
    return domain.local_date(work.now, site.timezone)


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{count: row[count] for count in COUNTS},
        "wait_seconds": {kind: domain.rounded(row[f"wait_{kind}"]) for kind in store.DURATIONS},
        "serve_seconds": {kind: domain.rounded(row[f"serve_{kind}"]) for kind in store.DURATIONS},
    }
