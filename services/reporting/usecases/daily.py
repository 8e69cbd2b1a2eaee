"""The figures of a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.contracts.field_rules import Message
from services.contracts.reporting import LONG_WAIT_SECONDS
from services.reporting import domain, store
from services.reporting.usecases.sites import known_site

VISIT_COUNTS = ("total", "finished", "broken_off", "unserved", "several_legs", "legs")

COUNTS = (
    *("issued", "waiting", "called", "serving", "on_hold"),
    *("completed", "no_show", "transferred", "cancelled", "expired"),
)


def daily_report(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one business date at one site, as a whole, by agency, by service and by lane.

    A ticket is a leg of a visit. `issued` counts the tickets that entered the queue, and the states add up to it.
    ``wait_seconds`` is the time in ``waiting`` of the tickets that were called at least once and ``serve_seconds`` the time in
    ``serving`` of the completed ones, each summed over the ticket's periods; ``first_call_seconds`` is the time from joining
    the queue to the first call, returns and rejoining left out. ``estimates`` compares it with what was told at joining.

    ``visits`` counts citizens' visits over all their legs: from arrival to the first call of any leg, and of visits that were
    finished all their waiting, all their serving, and the time from arrival to the end of the last leg. A call that was undone
    is no call anywhere. Every figure is null when there is nothing to take it from. Medians and 90th percentiles are
    continuous (PostgreSQL's ``percentile_cont``). Without a date it is today at the site.

    :raises DomainError: ``site_unknown`` when neither the catalogue nor any ticket has told of the site;
        ``parameter_invalid`` when no date is given and nobody has told the site's time zone.
    """
    site = known_site(work, data["site"])
    day = date.fromisoformat(data["date"]) if "date" in data else _today(work, site)
    agency, service = data.get("agency"), data.get("service")
    rows = store.figures_of_day(work, data["site"], day, agency, service, long_wait=LONG_WAIT_SECONDS)
    whole = next(row for row in rows if row["part"] == "whole")
    return {
        "site": data["site"],
        "site_name": None if site is None else site.name,
        "date": day.isoformat(),
        "agency": agency,
        "service": service,
        **_figures(whole),
        "visits": _visits(whole["visits"]),
        "by_agency": [{"agency": row["agency"], **_figures(row)} for row in rows if row["part"] == "agency"],
        "by_service": [{"agency": row["agency"], "service": row["service"], **_figures(row)} for row in rows if row["part"] == "service"],
        "by_lane": [{"lane": row["lane"], **_figures(row)} for row in rows if row["part"] == "lane"],
    }


def _today(work: UnitOfWork, site: store.Site | None) -> date:
    if site is None or site.timezone is None:
        unknown = Message("site_timezone_unknown")
        raise DomainError("parameter_invalid", errors=[{"field": "date", "rule": unknown.rule, "message": str(unknown)}])
    return domain.local_date(work.now, site.timezone)


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**{count: row[count] for count in COUNTS}, **_durations(row, "wait", "first_call", "serve"), "estimates": _estimates(row)}


def _durations(row: Mapping[str, Any], *measured: str) -> dict[str, Any]:
    return {f"{name}_seconds": {kind: domain.rounded(row[f"{name}_{kind}"]) for kind in store.DURATIONS} for name in measured}


def _estimates(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{count: row[count] for count in ("compared", "not_called", "not_estimated")},
        "median_absolute_error_seconds": domain.rounded(row["error_p50"]),
        "bias_seconds": domain.rounded(row["error_mean"]),
        "above_ten_minutes": {
            "compared": row["long_compared"],
            "median_absolute_error_seconds": domain.rounded(row["long_error_p50"]),
            "median_absolute_error_percent": domain.rounded(row["long_percent_p50"]),
            "bias_seconds": domain.rounded(row["long_error_mean"]),
            "within_25_percent": domain.rounded(row["long_within"]),
        },
    }


def _visits(row: Mapping[str, Any]) -> dict[str, Any]:
    ended = row["finished"] + row["broken_off"] + row["unserved"]
    return {
        **{count: row[count] for count in VISIT_COUNTS},
        "open": row["total"] - ended,
        **_durations(row, "first_call", "wait", "serve", "stay"),
    }
