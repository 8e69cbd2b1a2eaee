"""The figures of a day, counted again in plain Python from ticketing's own rows: for comparison with what reporting says.

Nothing of reporting is used here, neither its facts nor its SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

STATES = ("waiting", "called", "serving", "on_hold", "completed", "no_show", "transferred", "cancelled", "expired")

Row = Mapping[str, Any]


def recounted(rows: Sequence[Row]) -> dict[str, Any]:
    """Counts by state, durations and errors of estimates of tickets, each with ``status`` and ``periods``; nothing is rounded."""
    queued = [row for row in rows if began(row, "waiting") is not None]
    called = [row for row in queued if began(row, "called") is not None]
    waits = [seconds(row, "waiting") for row in called]
    serves = [seconds(row, "serving") for row in queued if row["status"] == "completed"]
    counts = {state: sum(row["status"] == state for row in queued) for state in STATES}
    return {
        "issued": len(queued),
        **counts,
        "wait_seconds": durations(waits),
        "first_call_seconds": durations([until_called(row) for row in called]),
        "serve_seconds": durations(serves),
        "estimates": errors(queued),
    }


def visits(rows: Iterable[Row], service: str | None = None) -> dict[str, Any]:
    """How the visits went that have a leg for this service; ``rows`` are all tickets of a day, of whatever service."""
    legs = by((row for row in rows if row["status"] not in ("void", "printing")), "visit").values()
    found = [some for some in legs if any(service in (None, leg["service"]) and began(leg, "waiting") is not None for leg in some)]
    called = [some for some in found if any(began(leg, "called") is not None for leg in some)]
    fates = [fate(some) for some in found]
    finished = [some for some, how in zip(found, fates, strict=True) if how == "finished"]
    return {
        "total": len(found),
        **{how: fates.count(how) for how in ("open", "finished", "broken_off", "unserved")},
        "several_legs": sum(len(some) > 1 for some in found),
        "legs": sum(len(some) for some in found),
        "first_call_seconds": durations([min(filter(None, (began(leg, "called") for leg in some))) - arrival(some) for some in called]),
        "wait_seconds": durations([sum(seconds(leg, "waiting") for leg in some) for some in finished]),
        "serve_seconds": durations([sum(seconds(leg, "serving") for leg in some) for some in finished]),
        "stay_seconds": durations([max(ended(leg) for leg in some) - arrival(some) for some in finished]),
    }


def fate(legs: Sequence[Row]) -> str:
    """How a visit ended, if it did."""
    states = {leg["status"] for leg in legs}
    if states & {"reserved", "waiting", "called", "serving", "on_hold"}:
        return "open"
    if states <= {"completed", "transferred"}:
        return "finished"
    return "broken_off" if states & {"completed", "transferred"} else "unserved"


def arrival(legs: Sequence[Row]) -> float:
    """When a visit began; all its legs have to say the same."""
    [arrived] = {instant(leg["arrived_at"]) for leg in legs}
    return arrived


def ended(row: Row) -> float:
    """When a ticket ended that has."""
    last = row["periods"][-1]
    return instant(last["ended_at"] or last["started_at"])


def errors(queued: Sequence[Row]) -> dict[str, Any]:
    """How far the first estimates of these tickets were off."""
    told = [row for row in queued if row.get("first_estimate_seconds") is not None]
    called = [row for row in queued if began(row, "called") is not None]
    pairs = [(row["first_estimate_seconds"] - until_called(row), until_called(row)) for row in told if row in called]
    long = [(error, wait) for error, wait in pairs if wait > 600]
    return {
        "compared": len(pairs),
        "not_called": len(told) - len(pairs),
        "not_estimated": len(called) - len(pairs),
        "median_absolute_error_seconds": durations([abs(error) for error, _ in pairs])["p50"],
        "bias_seconds": durations([error for error, _ in pairs])["mean"],
        "above_ten_minutes": {
            "compared": len(long),
            "median_absolute_error_seconds": durations([abs(error) for error, _ in long])["p50"],
            "median_absolute_error_percent": durations([100 * abs(error) / wait for error, wait in long])["p50"],
            "bias_seconds": durations([error for error, _ in long])["mean"],
            "within_25_percent": durations([100 * (abs(error) <= wait / 4) for error, wait in long])["mean"],
        },
    }


def began(row: Row, state: str) -> float | None:
    """When a ticket was first in a state; a call that was undone is none."""
    return min((instant(each["started_at"]) for each in row["periods"] if each["state"] == state and not each.get("undone")), default=None)


def until_called(row: Row) -> float:
    """Seconds from joining the queue to the first call of a ticket that was called."""
    joined, called = began(row, "waiting"), began(row, "called")
    assert joined is not None
    assert called is not None
    return called - joined


def by(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some of their columns."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def seconds(row: Row, state: str) -> float:
    """How long a ticket was in a state, over all periods that have ended."""
    ended = [period for period in row["periods"] if period["state"] == state and period["ended_at"] is not None]
    return sum(instant(period["ended_at"]) - instant(period["started_at"]) for period in ended)


def instant(moment: str | datetime) -> float:
    return (moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)).timestamp()


def durations(values: Sequence[float]) -> dict[str, float | None]:
    """Mean, median and 90th percentile; between two values the line is drawn."""
    if not values:
        return {"mean": None, "p50": None, "p90": None}
    return {"mean": sum(values) / len(values), "p50": percentile(values, 50), "p90": percentile(values, 90)}


def percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    place, rest = divmod((len(ordered) - 1) * percent, 100)
    if rest == 0:
        return ordered[place]
    return ordered[place] + (ordered[place + 1] - ordered[place]) * rest / 100


def same(told: Any, counted: Any) -> bool:
    """Whether told figures are the counted ones; seconds and per cent are told to the thousandth."""
    if isinstance(counted, Mapping):
        return all(same(told[name], value) for name, value in counted.items())
    if isinstance(counted, float) and told is not None:
        return abs(told - counted) <= 0.0011
    return bool(told == counted)
