"""What a dashboard consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Panel:
    """One picture: its curves as (PromQL, legend), and the unit by Grafana's name.

    ``limit``: from here on it is red, as the alert on it has it. ``kind``: ``timeseries``, ``stat`` or ``bargauge``.
    """

    title: str
    unit: str
    curves: tuple[tuple[str, str], ...]
    meaning: str
    kind: str = "timeseries"
    width: int = 12
    limit: float | None = None


@dataclass(frozen=True)
class Dashboard:
    """What one reader wants to see at once; rows of panels under titles."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    variable: tuple[str, str] | None = None
    """A choice above the panels: its name, and the PromQL of its values."""


def panel(title: str, unit: str, *curves: tuple[str, str], meaning: str, **more: Any) -> Panel:
    """Return a panel."""
    return Panel(title, unit, curves, meaning, **more)
