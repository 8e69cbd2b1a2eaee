"""Reading one regency's audit log: pages for people, the newest first, and the chain for who checks it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import sqlalchemy as sa

from services.chassis.audit_chain import COLUMNS, beginning, link
from services.chassis.database import UnitOfWork
from services.chassis.paging import cursor_behind_all, positions_of
from services.contracts.audit import MOST_EXPORTED

_BEYOND = ("infinity", 2**63 - 1)
_FILTERS = ("actor", "action", "kind", "subject", "outcome")

_PAGE = sa.text("""
    SELECT a.id, a.at, a.actor, a.role, a.action, a.kind, a.subject, a.site, a.agency, a.counter,
        a.before, a.after, a.refused, a.command_id, a.client, a.traceparent, s.sequence, s.hash
    FROM audit_log a LEFT JOIN audit_seal s ON s.entry = a.id
    WHERE (a.at, a.id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS bigint))
        AND a.at >= CAST(:since AS timestamptz) AND a.at < CAST(:until AS timestamptz)
        AND (CAST(:actor AS text) IS NULL OR a.actor = :actor) AND (CAST(:action AS text) IS NULL OR a.action = :action)
        AND (CAST(:kind AS text) IS NULL OR a.kind = :kind) AND (CAST(:subject AS text) IS NULL OR a.subject = :subject)
        AND (CAST(:outcome AS text) IS NULL OR (a.refused IS NULL) = (:outcome = 'done'))
    ORDER BY a.at DESC, a.id DESC LIMIT :limit
""")

_LINKS = sa.text("""
    SELECT a.id, a.at, a.actor, a.role, a.action, a.kind, a.subject, a.site, a.agency, a.counter,
        a.before, a.after, a.refused, a.command_id, a.client, a.traceparent, s.sequence, s.hash, p.hash AS previous
    FROM audit_seal s JOIN audit_log a ON a.id = s.entry LEFT JOIN audit_seal p ON p.sequence = s.sequence - 1
    WHERE s.sequence > :after
        AND a.at >= CAST(:since AS timestamptz) AND a.at < CAST(:until AS timestamptz)
        AND (CAST(:actor AS text) IS NULL OR a.actor = :actor) AND (CAST(:action AS text) IS NULL OR a.action = :action)
        AND (CAST(:kind AS text) IS NULL OR a.kind = :kind) AND (CAST(:subject AS text) IS NULL OR a.subject = :subject)
        AND (CAST(:outcome AS text) IS NULL OR (a.refused IS NULL) = (:outcome = 'done'))
    ORDER BY s.sequence LIMIT :limit
""")


def page(work: UnitOfWork, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{items, next_cursor}``, the newest first; refuses with ``parameter_invalid`` what is no cursor."""
    positions, limit = positions_of(data.get("cursor")), data["limit"]
    before_at, before_id = positions.get(work.service, _BEYOND)
    asked = {**_filters(data), "before_at": before_at, "before_id": before_id, "limit": limit + 1}
    rows = work.execute(_PAGE, asked).mappings().all()
    items = [_entry(work.service, dict(row)) for row in rows[:limit]]
    more = len(rows) > limit
    last = {work.service: (items[-1]["at"], items[-1]["id"])} if more else {}
    return {"items": items, "next_cursor": cursor_behind_all({**positions, **last}) if more else None}


def links(work: UnitOfWork, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{items, next_after}``: sealed rows behind a number, each as the chain holds it, with its hash."""
    rows = work.execute(_LINKS, {**_filters(data), "after": data["after"], "limit": MOST_EXPORTED}).mappings().all()
    first = beginning(work)
    items = []
    for row in rows:
        previous = first.hash if row["previous"] is None else bytes(row["previous"])
        linked = link(work.regency, work.service, row["sequence"], previous, dict(row))
        items.append({**linked, "hash": bytes(row["hash"]).hex()})
    return {"items": items, "next_after": items[-1]["sequence"] if len(items) == MOST_EXPORTED else None}


def _filters(data: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {name: data.get(name) for name in _FILTERS}
    return {**chosen, "since": data.get("since", "-infinity"), "until": data.get("until", "infinity")}


def _entry(service: str, row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in COLUMNS}
    at = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    sealed = None if row["hash"] is None else bytes(row["hash"]).hex()
    return {**told, "at": at, "service": service, "sequence": row["sequence"], "hash": sealed}
