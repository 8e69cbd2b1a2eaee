"""Snapshots: what an owner says of a stream whose log was cut.

The state of now takes the place of the events that are gone: each object as one item that a consumer applies like an
event, by version. Items have types of their own (``ticket.snapshot``), for they are no news: nobody is told of them.
The order of the keys does not change while pages are read, and what changes meanwhile is an event behind the sequence
that every page names.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.events import Envelope

_HEAD = sa.text("SELECT sequence FROM stream WHERE source = :source")


@dataclass(frozen=True)
class Item:
    """One object as it is now. ``key`` is unique in its section and orders it; ``data`` is like that of an event."""

    key: str
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Section:
    """All objects of one type that belong to a stream.

    ``page(work, site, after, limit)`` returns up to ``limit`` items in the order of their keys, behind the key
    ``after``; ``site`` is the stream's, ``None`` for that of the regency.
    """

    type: str
    page: Callable[[UnitOfWork, str | None, str | None, int], Sequence[Item]]


def read_page(work: UnitOfWork, sections: Sequence[Section], source: str, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return ``{sequence, items, next_cursor}``: a page of a stream's state, and the last event it surely holds."""
    head = work.execute(_HEAD, {"source": source}).scalar_one_or_none()
    index, after = _place(cursor, len(sections))
    found: list[Envelope] = []
    while head and index < len(sections) and len(found) < limit:
        section, wanted = sections[index], limit - len(found)
        page = section.page(work, source.partition("/sites/")[2] or None, after, wanted)
        found += [_envelope(work, source, head, section.type, item) for item in page]
        index, after = (index, page[-1].key) if len(page) == wanted else (index + 1, None)
    more = bool(head) and index < len(sections)
    return {
        "sequence": head or 0,
        "items": [item.to_cloudevent() for item in found],
        "next_cursor": _cursor(index, after) if more else None,
    }


def _envelope(work: UnitOfWork, source: str, head: int, kind: str, item: Item) -> Envelope:
    # The same object of a stream has the same id in every snapshot: one that cannot be applied is recognised.
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}#{kind}/{item.key}"))
    return Envelope(identity, source, kind, item.subject, work.now, work.regency, head, item.data)


def _cursor(index: int, after: str | None) -> str:
    return base64.urlsafe_b64encode(json.dumps([index, after]).encode()).decode().rstrip("=")


def _place(cursor: str | None, sections: int) -> tuple[int, str | None]:
    if cursor is None:
        return 0, None
    try:
        index, after = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _refused() from error
    if type(index) is not int or not 0 <= index < sections or not (after is None or (isinstance(after, str) and after.isprintable())):
        raise _refused()
    return index, after


def _refused() -> DomainError:
    return DomainError("parameter_invalid", errors=[{"field": "cursor", "rule": "opaque", "message": "Not a cursor of this list."}])
