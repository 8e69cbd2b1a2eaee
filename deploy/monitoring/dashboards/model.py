"""What a dashboard consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Panel:
    """One picture: its curves as (PromQL, legend), and the unit by Grafana's name.

    ``limit``: from here on it is red, as the alert on it has it. ``kind``: ``timeseries``, ``stacked`` (areas upon each other), ``stat``,
    ``bargauge``, or ``table``: then each curve is a column, joined by the labels that they have in common.
    """

    title: str
    unit: str
    curves: tuple[tuple[str, str], ...]
    meaning: str
    kind: str = "timeseries"
    width: int = 12
    height: int = 9
    limit: float | None = None
    empty: str | None = None
    """What to say where there is nothing to show, which is no fault."""
    units: tuple[tuple[str, str], ...] = ()
    """Of a table's columns that have another unit."""
    link: tuple[str, str] | None = None
    """Of a table's column: where its cells lead; ``${__value.text}`` is what stands in the cell."""


@dataclass(frozen=True)
class Variable:
    """A choice above the panels, filled by a query of Grafana's. ``several``: or all of them."""

    name: str
    query: str
    several: bool = False


@dataclass(frozen=True)
class Dashboard:
    """What one reader wants to see at once; rows of panels under titles."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    variables: tuple[Variable, ...] = ()
    since: str = "now-6h"
    """From when on it shows; ``now/d`` is today."""


def panel(title: str, unit: str, *curves: tuple[str, str], meaning: str, **more: Any) -> Panel:
    """Return a panel."""
    return Panel(title, unit, curves, meaning, **more)
