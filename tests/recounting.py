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
    """Counts by state and durations of tickets, each with ``status`` and ``periods``; seconds are not rounded."""
    queued = [row for row in rows if any(period["state"] == "waiting" for period in row["periods"])]
    called = [row for row in queued if any(period["state"] == "called" and not period.get("undone") for period in row["periods"])]
    waits = [seconds(row, "waiting") for row in called]
    serves = [seconds(row, "serving") for row in queued if row["status"] == "completed"]
    counts = {state: sum(row["status"] == state for row in queued) for state in STATES}
    return {"issued": len(queued), **counts, "wait_seconds": durations(waits), "serve_seconds": durations(serves)}


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


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


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


def same(told: Mapping[str, Any], counted: Mapping[str, Any]) -> bool:
    """Whether told figures are the counted ones; seconds are told to the millisecond."""
    for name, value in counted.items():
        if name.endswith("_seconds"):
            for kind, figure in value.items():
                if (figure is None) != (told[name][kind] is None) or (figure is not None and abs(told[name][kind] - figure) > 0.0011):
                    return False
        elif told[name] != value:
            return False
    return True
