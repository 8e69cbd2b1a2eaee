"""The log of personal data breaches: written down, told in time, and kept as the proof of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from services.chassis import audit
from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.paging import cursor_behind, place_of
from services.contracts.breaches import HOURS_TO_TELL
from services.contracts.redaction import without_numbers
from services.ticketing import store

Row = dict[str, Any]

TIME_TO_TELL = timedelta(hours=HOURS_TO_TELL)
_INSTANTS = ("discovered_at", "authority_told_at", "persons_told_at")
_TEXTS = ("description", "measures")
_CHANGED = ("data", "people", *_TEXTS, "authority_told_at", "persons_told_at")
CLOCKS_APART = timedelta(minutes=5)


def record_breach(work: UnitOfWork, data: Mapping[str, Any]) -> Row:
    """Write a breach down; refuses with ``instant_ahead`` what is said to be discovered in the future."""
    given = _read(work, data)
    row = {**given, "id": str(uuid.uuid4()), "recorded_at": work.now, "recorded_by": work.context.actor.id, "version": 1}
    store.add_breach(work, row)
    whole = {**row, "authority_told_at": None, "persons_told_at": None}
    audit.note(work, "breach", row["id"], (None, audit.without(_TEXTS, _facts(whole))))
    return _answer(work, whole)


def update_breach(work: UnitOfWork, data: Mapping[str, Any]) -> Row:
    """Change the fields that are given; refuses with ``breach_unknown``, ``version_conflict``, ``instant_ahead``."""
    row = store.breach(work, data["id"], lock=True)
    if row is None:
        raise DomainError("breach_unknown")
    if data.get("if_match") not in (None, row["version"]):
        raise DomainError("version_conflict", version=row["version"])
    changes = {name: value for name, value in _read(work, data).items() if name in _CHANGED and value != row[name]}
    if not changes:
        return _answer(work, row)
    changed = {**row, **changes, "version": row["version"] + 1}
    store.change_breach(work, changed)
    audit.note(work, "breach", row["id"], audit.differing(_facts(row), _facts(changed), _TEXTS))
    return _answer(work, changed)


def get_breach(work: UnitOfWork, data: Mapping[str, Any]) -> Row:
    """Return a breach; refuses with ``breach_unknown``."""
    row = store.breach(work, data["id"])
    if row is None:
        raise DomainError("breach_unknown")
    return _answer(work, row)


def list_breaches(work: UnitOfWork, data: Mapping[str, Any]) -> Row:
    """Return a page of breaches, the newest first."""
    found = store.breach_page(work, data.get("state"), place_of(data.get("cursor")), data["limit"] + 1)
    page = found[: data["limit"]]
    more = len(found) > data["limit"]
    return {
        "items": [_answer(work, row) for row in page],
        "next_cursor": cursor_behind(page[-1]["recorded_at"], page[-1]["id"]) if more else None,
    }


def _read(work: UnitOfWork, data: Mapping[str, Any]) -> Row:
    """Return what was given as it is stored: instants as such, texts without numbers that name somebody."""
    read: Row = {name: value for name, value in data.items() if name not in ("id", "if_match")}
    for name in _INSTANTS:
        if read.get(name) is not None:
            read[name] = datetime.fromisoformat(read[name]).astimezone(UTC)
            if read[name] > work.now + CLOCKS_APART:
                raise DomainError("instant_ahead", field=name)
    for name in _TEXTS:
        if read.get(name) is not None:
            read[name] = without_numbers(read[name])
    return read


def _facts(row: Mapping[str, Any]) -> Row:
    """Return the members of a breach of which the audit log tells; of what was written it says only that it is there."""
    facts = {name: row[name] for name in ("kind", "data", "people", *_TEXTS, *_INSTANTS, "version")}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}


def _answer(work: UnitOfWork, row: Mapping[str, Any]) -> Row:
    tell_by = row["discovered_at"] + TIME_TO_TELL
    is_open = row["authority_told_at"] is None or row["persons_told_at"] is None
    shown = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return {**shown, "data": list(row["data"]), "tell_by": tell_by.isoformat(), "overdue": is_open and work.now > tell_by}
