"""The runbook of each alert as a page of Grafana, so that its link works wherever the dashboards do, without the internet."""

from __future__ import annotations

from pathlib import Path

from deploy.monitoring.dashboards.layout import COLUMNS, Json, envelope, written

PAGES = Path(__file__).parents[1] / "runbooks"


def runbooks() -> dict[str, str]:
    """Return the text of each page's file by the alert's name."""
    return {page.stem: written(_document(page.stem, page.read_text())) for page in sorted(PAGES.glob("*.md")) if page.stem != "README"}


def _document(name: str, text: str) -> Json:
    panel = {
        "id": 1,
        "type": "text",
        "title": "",
        "transparent": True,
        "gridPos": {"x": 0, "y": 0, "w": COLUMNS, "h": 24},
        "options": {"mode": "markdown", "content": text.partition("\n")[2].strip()},
    }
    return {
        **envelope(f"runbook-{name}", f"Runbook: {name}", "mpp-runbook"),
        "links": [{"type": "dashboards", "title": "MPP", "tags": ["mpp"], "asDropdown": False, "keepTime": True}],
        "panels": [panel],
    }
