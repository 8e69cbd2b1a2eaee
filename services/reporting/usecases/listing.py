"""Reading what citizens have said."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.paging import cursor_behind, place_of
from services.reporting import store

PLACES = ("site", "agency", "service")
SHOWN = ("id", *PLACES, "scores", "comment")


def list_surveys(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a page of answers with their comments, newest first. They name no ticket: who answered stays unknown."""
    filters: dict[str, Any] = {name: data[name] for name in PLACES if name in data}
    filters |= {name: date.fromisoformat(data[name]) for name in ("since", "until") if name in data}
    rows = store.survey_page(work, filters, place_of(data.get("cursor")), data["limit"] + 1)
    page, more = rows[: data["limit"]], len(rows) > data["limit"]
    return {
        "items": [_shown(row) for row in page],
        "next_cursor": cursor_behind(page[-1]["submitted_at"], page[-1]["id"]) if more else None,
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    when = {"business_date": row["business_date"].isoformat(), "submitted_at": row["submitted_at"].isoformat()}
    return {**{name: row[name] for name in SHOWN}, **when}
