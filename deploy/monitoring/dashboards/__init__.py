"""Grafana's dashboards, written as JSON by ``make dashboards``.

A dashboard is a few dozen numbers that matter and a thousand lines of layout; only the former are worth reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from deploy.monitoring.dashboards.broker import BROKER
from deploy.monitoring.dashboards.layout import encoded
from deploy.monitoring.dashboards.model import Dashboard, Panel
from deploy.monitoring.dashboards.platform import PLATFORM
from deploy.monitoring.dashboards.regencies import REGENCIES
from deploy.monitoring.dashboards.regency import REGENCY
from deploy.monitoring.dashboards.runbooks import runbooks

RUNBOOK_FOLDER = "Runbooks"
"""Grafana's name of the folder that holds them."""

_CHOICE = re.compile(r"\$[a-z]+")

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"
DASHBOARDS = (PLATFORM, REGENCIES, REGENCY, BROKER)


def expressions(dashboards: Iterable[Dashboard] = DASHBOARDS) -> list[str]:
    """Return the PromQL of all curves; a chosen value (``$regency``) stands for all of them."""
    return [expression for each in dashboards for _, row in each.rows for one in row for expression in expressions_of(one)]


def expressions_of(panel: Panel) -> list[str]:
    """Return the PromQL of a panel's curves; a chosen value (``$regency``) stands for all of them."""
    return [_CHOICE.sub(".+", curve) for curve, _ in panel.curves]


def write(folder: Path = FOLDER) -> None:
    """Write all dashboards."""
    folder.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        (folder / f"{dashboard.uid}.json").write_text(encoded(dashboard))
    shelf = folder / RUNBOOK_FOLDER
    shelf.mkdir(exist_ok=True)
    for stale in shelf.glob("*.json"):
        stale.unlink()
    for name, text in runbooks().items():
        (shelf / f"{name}.json").write_text(text)
