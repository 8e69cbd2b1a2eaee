"""Places in lists, as opaque texts."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime

from services.chassis.errors import DomainError


def cursor_behind(at: datetime, id: str) -> str:
    """Return the cursor behind an item of a list in order of time, then id."""
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), id]).encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> tuple[datetime, str] | None:
    """Return time and id that :func:`cursor_behind` was given; refuses with ``parameter_invalid``."""
    if cursor is None:
        return None
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, last = json.loads(place)
        return datetime.fromisoformat(at).astimezone(UTC), str(uuid.UUID(last))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        problem = {"field": "cursor", "rule": "opaque", "message": "Not a cursor of this list."}
        raise DomainError("parameter_invalid", errors=[problem]) from error
