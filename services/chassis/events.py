"""Events: what happened, written in the transaction that made it happen.

``record`` writes one statement: it takes the stream's next numbers (locking the stream's row last), appends to the
regency's ``event_log`` and to the shared ``outbox``, from which the relay publishes. There is no other way to
publish an event, so none can be published without its state change, and none lost after it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import sqlalchemy as sa

from services.chassis.tenancy import stream_of

if TYPE_CHECKING:
    from services.chassis.database import UnitOfWork

TYPE_PREFIX = "mpp."
CONTENT_TYPE = "application/cloudevents+json"
SEQUENCE_DIGITS = 20
"""CloudEvents' ``sequence`` extension compares as text, so it is padded with zeros."""

HIGHEST_SEQUENCE = 2**63 - 1
_SOURCE = re.compile(r"/regencies/(?P<regency>[a-z0-9-]+)/[a-z]+(/sites/[a-z0-9-]+)?")


@dataclass(frozen=True)
class Event:
    """Something that happened. ``type`` without prefix (``ticket.called``); ``site`` decides the stream."""

    type: str
    subject: str
    data: dict[str, Any]
    site: str | None = None
    traceparent: str | None = None
    """Of what made it happen, where that is not the caller of its unit of work."""


@dataclass(frozen=True)
class Envelope:
    """An event as others receive it. ``sequence`` is contiguous within ``source``; ``time`` is aware UTC."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    regency: str
    sequence: int
    data: dict[str, Any]
    traceparent: str | None = None
    replayed: bool = False
    """The reader has heard of it before, or it is history out of a snapshot: tables may follow, nobody may be told."""

    @property
    def service(self) -> str:
        """The service that owns the event's stream."""
        return self.source.split("/")[3]

    def to_cloudevent(self) -> dict[str, Any]:
        """Return the CloudEvents 1.0 structured form (JSON-ready)."""
        event = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": TYPE_PREFIX + self.type,
            "subject": self.subject,
            "time": self.time.isoformat(),
            "datacontenttype": "application/json",
            "dataschema": f"urn:mpp:{self.service}:{self.type}:v1",
            "regency": self.regency,
            "sequence": str(self.sequence).zfill(SEQUENCE_DIGITS),
            "data": self.data,
        }
        if self.traceparent:
            event["traceparent"] = self.traceparent
        return event

    @classmethod
    def from_cloudevent(cls, event: dict[str, Any]) -> Self:
        """Rebuild from :meth:`to_cloudevent`; raises ``ValueError`` for anything that is not one of our events."""
        try:
            if event["specversion"] != "1.0" or not event["type"].startswith(TYPE_PREFIX):
                raise ValueError("not an mpp event")
            source = _SOURCE.fullmatch(event["source"])
            if source is None or source["regency"] != event["regency"]:
                raise ValueError("source and regency differ")
            return cls(
                id=str(UUID(event["id"])),
                source=event["source"],
                type=_text(event["type"]).removeprefix(TYPE_PREFIX),
                subject=_text(event["subject"]),
                time=_instant(event["time"]),
                regency=event["regency"],
                sequence=_sequence(event["sequence"]),
                data=_object(event["data"]),
                traceparent=None if event.get("traceparent") is None else _text(event["traceparent"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"malformed event: {error!r}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():  # PostgreSQL stores neither NUL nor lone surrogates
        raise ValueError("malformed event: no printable text")
    return value


def _instant(value: str) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("malformed event: time without offset")
    return instant


def _sequence(value: str) -> int:
    sequence = int(value)
    if not 1 <= sequence <= HIGHEST_SEQUENCE:
        raise ValueError("malformed event: no sequence")
    return sequence


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("malformed event: data is no object")
    return value


_RECORD = sa.text("""
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(CAST(:events AS jsonb))
            AS given(position int, type text, subject text, data jsonb, traceparent text)
    ), head AS (
        INSERT INTO stream AS s (source, sequence) VALUES (:source, :count)
        ON CONFLICT (source) DO UPDATE SET sequence = s.sequence + excluded.sequence
        RETURNING s.sequence - :count AS base
    ), logged AS (
        INSERT INTO event_log (source, sequence, id, type, subject, time, data, traceparent)
        SELECT :source, head.base + given.position, uuidv7(), given.type, given.subject, :time, given.data, given.traceparent
        FROM given CROSS JOIN head
        RETURNING source, sequence, id, type, subject, time, data, traceparent
    )
    INSERT INTO platform.outbox (regency, source, sequence, event_id, type, subject, time, data, traceparent)
    SELECT :regency, source, sequence, id, type, subject, time, data, traceparent FROM logged ORDER BY sequence
""")

_READ_LOG = sa.text("""
    SELECT source, sequence, id, type, subject, time, data, traceparent FROM event_log
    WHERE source = :source AND sequence > :after ORDER BY sequence LIMIT :limit
""")

_STREAMS = sa.text("SELECT source, sequence FROM stream ORDER BY source")


def record(work: UnitOfWork) -> None:
    """Append the unit's events to log and outbox; the last statement before its commit."""
    by_stream: dict[str, list[Event]] = defaultdict(list)
    for event in work.emitted:
        by_stream[stream_of(work.service, work.regency, event.site)].append(event)
    for source in sorted(by_stream):
        rows = [
            {
                "position": position,
                "type": event.type,
                "subject": event.subject,
                "data": event.data,
                "traceparent": event.traceparent or work.context.traceparent,
            }
            for position, event in enumerate(by_stream[source], start=1)
        ]
        work.later(
            _RECORD,
            {
                "events": json.dumps(rows),
                "source": source,
                "count": len(rows),
                "time": work.now,
                "regency": work.regency,
            },
        )


def read_log(work: UnitOfWork, source: str, after: int, limit: int) -> list[Envelope]:
    """Return up to ``limit`` events of one stream with a sequence above ``after``, in order."""
    rows = work.execute(_READ_LOG, {"source": source, "after": after, "limit": limit})
    return [
        Envelope(
            id=str(row.id),
            source=row.source,
            type=row.type,
            subject=row.subject,
            time=row.time,
            regency=work.regency,
            sequence=row.sequence,
            data=row.data,
            traceparent=row.traceparent,
        )
        for row in rows
    ]


def stream_heads(work: UnitOfWork) -> dict[str, int]:
    """Return the last sequence of each stream of this regency that this service owns."""
    return {row.source: row.sequence for row in work.execute(_STREAMS)}
