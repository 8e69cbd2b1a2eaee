"""Places in lists, as opaque texts."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from services.chassis.errors import DomainError


def cursor_behind(at: datetime, id: str) -> str:
    """Return the cursor behind an item of a list in order of time, then id."""
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), id]).encode()).decode().rstrip("=")


Position = tuple[str, int]
"""Instant and id of a row."""


def cursor_behind_all(positions: Mapping[str, Position]) -> str:
    """Return the cursor of a list that is put together from several services': where each of them goes on."""
    return base64.urlsafe_b64encode(json.dumps(positions, separators=(",", ":")).encode()).decode().rstrip("=")


def positions_of(cursor: str | None) -> dict[str, Position]:
    """Return what :func:`cursor_behind_all` was given; refuses with ``parameter_invalid``."""
    if cursor is None:
        return {}
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        return {str(name): (datetime.fromisoformat(at).astimezone(UTC).isoformat(), _row_id(row)) for name, (at, row) in found.items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _not_of_this_list() from error


def _row_id(id: object) -> int:
    if type(id) is not int or not 0 <= id < 2**63:
        raise ValueError("no id")
    return id


def _not_of_this_list() -> DomainError:
    return DomainError("parameter_invalid", errors=[{"field": "cursor", "rule": "opaque", "message": "Not a cursor of this list."}])


def place_of(cursor: str | None) -> tuple[datetime, str] | None:
    """Return time and id that :func:`cursor_behind` was given; refuses with ``parameter_invalid``."""
    if cursor is None:
        return None
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, last = json.loads(place)
        return datetime.fromisoformat(at).astimezone(UTC), str(uuid.UUID(last))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _not_of_this_list() from error
