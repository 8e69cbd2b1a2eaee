"""What boards show: a site's whole day, and how far it has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.tenancy import stream_of
from services.contracts.board import MOST_LAST_CALLS, MOST_OPEN_TICKETS
from services.ticketing import domain, store


def get_site_day(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a site's queue of today; refuses with ``site_unknown``."""
    site, counters = store.site_and_counters(work, data["site"])
    if site is None:
        raise DomainError("site_unknown", site=data["site"])
    today = domain.business_date(work.now, site["timezone"])
    day = store.day(
        work,
        site["id"],
        today,
        _source(work, site["id"]),
        open_states=sorted(domain.OPEN_STATES),
        last_calls=MOST_LAST_CALLS,
        limit=MOST_OPEN_TICKETS,
    )
    served = {service for counter in counters if counter["active"] for service in counter["services"]}
    policy = domain.policy_of(site)
    services = store.services(work, sorted(served | {row["service"] for row in day.tickets}))
    return {
        "site": site["id"],
        "name": site["name"],
        "timezone": site["timezone"],
        "version": site["version"],
        "business_date": today.isoformat(),
        "sequence": day.sequence,
        "counters": [{name: counter[name] for name in _COUNTER} for counter in counters],
        "services": [{name: service[name] for name in ("id", "name", "version")} for service in services],
        "paces": _paces(work, [site["id"]])[site["id"]],
        "default_pace_seconds": domain.DEFAULT_SERVING_SECONDS,
        "counters_now": [{"counter": counter, "status": status} for counter, status in sorted(day.counters_now.items())],
        "regular_per_priority": policy.regular_per_priority,
        "ageing_cap_minutes": policy.ageing_cap_minutes,
        "turns": _turns(day.regular_calls),
        "working": _working(site, store.special_hours(work), today),
        "closures": [_board_closure(told, site) for told in store.told_closures(work, site["id"], today)],
        "tickets": [_board_ticket(row) for row in day.tickets],
    }


def get_site_heads(work: UnitOfWork, data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the newest sequence of each site's stream, 0 for one without history, and what no event tells."""
    sources = {site: _source(work, site) for site in data["sites"]}
    heads, paces = store.heads(work, list(sources.values())), _paces(work, data["sites"])
    days, special = store.days_of_now(work, data["sites"]), store.special_hours(work)
    told = {
        site["id"]: {"turns": _turns(calls), "working": _working(site, special, domain.business_date(work.now, site["timezone"]))}
        for site, calls in days
    }
    unknown: dict[str, Any] = {"turns": [], "working": []}
    return [
        {"site": site, "sequence": heads.get(source, 0), "paces": paces[site], **told.get(site, unknown)}
        for site, source in sources.items()
    ]


_COUNTER = ("id", "number", "name", "services", "active", "version")


def _source(work: UnitOfWork, site: str) -> str:
    return stream_of(work.service, work.regency, site)


def _paces(work: UnitOfWork, sites: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for site, service, mean_seconds in store.observed_paces(work, sites):
        found[site].append({"service": service, "mean_seconds": mean_seconds})
    return found


def _turns(regular_calls: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"counter": counter, "regular_calls": calls} for counter, calls in sorted(regular_calls.items())]


def _working(site: dict[str, Any], special: Sequence[dict[str, Any]], today: date) -> list[dict[str, Any]]:
    zone = ZoneInfo(site["timezone"])
    periods = domain.Calendar(site, special).working(today)
    return [
        {"opens_at": datetime.fromtimestamp(opens, zone).isoformat(), "closes_at": datetime.fromtimestamp(closes, zone).isoformat()}
        for opens, closes in periods
    ]


def _board_closure(told: store.Told, site: dict[str, Any]) -> dict[str, Any]:
    zone = ZoneInfo(site["timezone"])
    return {"agency": told.agency, "opens_at": None if told.opens_at is None else told.opens_at.astimezone(zone).isoformat()}


def _board_ticket(row: store.Row) -> dict[str, Any]:
    ticket = store.from_row(row)
    last_call = max((period for period in ticket.periods if period.state == "called"), key=lambda call: call.started_at, default=None)
    return {
        "id": str(ticket.id),  # the driver reads a UUID where no table says text
        "number": ticket.label,
        "service": ticket.service,
        "lane": ticket.lane,
        "status": ticket.status,
        "counter": ticket.counter,
        "arrived_at": ticket.arrived_at.isoformat(),
        "issued_at": ticket.issued_at.isoformat(),
        "turn_at": None if ticket.turn_at is None else ticket.turn_at.isoformat(),
        "called_at": None if last_call is None else last_call.started_at.isoformat(),
        "called_to": None if last_call is None else last_call.counter,
        "call_undone": last_call is not None and last_call.undone,
        "recalls": ticket.recalls,
        "version": ticket.version,
    }
