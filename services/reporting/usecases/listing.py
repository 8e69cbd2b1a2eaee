"""Reading what citizens have said."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, date, datetime
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.reporting import store

PLACES = ("site", "agency", "service")
SHOWN = ("id", *PLACES, "scores", "comment")


def list_surveys(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a page of answers with their comments, newest first. They name no ticket: who answered stays unknown."""
    filters: dict[str, Any] = {name: data[name] for name in PLACES if name in data}
    filters |= {name: date.fromisoformat(data[name]) for name in ("since", "until") if name in data}
    rows = store.survey_page(work, filters, _after(data.get("cursor")), data["limit"] + 1)
    page, more = rows[: data["limit"]], len(rows) > data["limit"]
    return {"items": [_shown(row) for row in page], "next_cursor": _cursor(page[-1]) if more else None}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    when = {"business_date": row["business_date"].isoformat(), "submitted_at": row["submitted_at"].isoformat()}
    return {**{name: row[name] for name in SHOWN}, **when}


def _cursor(row: dict[str, Any]) -> str:
    place = [row["submitted_at"].isoformat(), row["id"]]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _after(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        submitted_at, survey_id = json.loads(place)
        return datetime.fromisoformat(submitted_at).astimezone(UTC), str(uuid.UUID(survey_id))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        problem = {"field": "cursor", "rule": "opaque", "message": "Not a cursor of this list."}
        raise DomainError("parameter_invalid", errors=[problem]) from error
