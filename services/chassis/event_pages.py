"""Reading the event log from outside: pages without holes, or a clear word about what is gone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.events import HIGHEST_SEQUENCE, SEQUENCE_DIGITS, read_log

_HEAD = sa.text("SELECT sequence FROM stream WHERE source = :source")

_RANGES = sa.text("""
    SELECT stream.source, coalesce(log.first, stream.sequence + 1) AS first, stream.sequence AS last
    FROM stream LEFT JOIN LATERAL (
        SELECT event_log.sequence AS first FROM event_log WHERE event_log.source = stream.source ORDER BY event_log.sequence LIMIT 1
    ) log ON true ORDER BY stream.source
""")


def page(work: UnitOfWork, source: str, after: str | None, limit: int) -> dict[str, Any]:
    """Return ``{items, next_cursor}``: CloudEvents of a stream behind ``after``; without it from the first that is kept.

    :raises DomainError: ``events_gone`` (the log begins later), ``events_ahead`` (the stream is not that long),
        ``stream_unknown`` (nothing has ever happened there).
    """
    seen = min(int(after or 0), HIGHEST_SEQUENCE)
    found = read_log(work, source, seen, limit + 1)
    if not found or (after is not None and found[0].sequence > seen + 1):
        _explain(work, source, after, seen, found[0].sequence if found else None)
    items, more = found[:limit], len(found) > limit
    return {
        "items": [event.to_cloudevent() for event in items],
        "next_cursor": str(items[-1].sequence).zfill(SEQUENCE_DIGITS) if more else None,
    }


def _explain(work: UnitOfWork, source: str, after: str | None, seen: int, first: int | None) -> None:
    """Raise unless it is all right that the event behind ``seen`` is not there: it has not happened yet."""
    row = work.execute(_HEAD, {"source": source}).one_or_none()
    last = 0 if row is None else row.sequence
    if seen > last:
        raise DomainError("events_ahead", source=source, last=last)
    if row is None:
        raise DomainError("stream_unknown", regency=work.regency)
    if after is not None and seen < (first or last + 1) - 1:
        raise DomainError("events_gone", source=source, first_available=first or last + 1)


def ranges(work: UnitOfWork) -> list[dict[str, Any]]:
    """Return ``{source, first, last}`` of this service's streams in the regency, by source."""
    return [dict(row) for row in work.execute(_RANGES).mappings()]
