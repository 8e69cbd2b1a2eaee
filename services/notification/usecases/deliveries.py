"""Looking at deliveries, and sending one again."""

from __future__ import annotations

from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.events import TYPE_PREFIX
from services.chassis.paging import cursor_behind, place_of
from services.notification import domain, store


def list_deliveries(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a page of deliveries, the newest first; refuses with ``webhook_unknown``."""
    if "webhook" in data and store.webhooks.find(work, data["webhook"]) is None:
        raise DomainError("webhook_unknown")
    place = place_of(data.get("cursor"))
    rows = store.deliveries.page(work, data, None if place is None else place[1], data["limit"] + 1)
    page, more = rows[: data["limit"]], len(rows) > data["limit"]
    return {
        "items": [delivery_of(row) for row in page],
        "next_cursor": cursor_behind(page[-1]["created_at"], page[-1]["id"]) if more else None,
    }


def redeliver_webhook(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Send an event to a webhook again; refuses with ``delivery_unknown``, ``delivery_state_conflict``."""
    return _again(work, data["id"], data["webhook"])


def redeliver(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Send anything again, although it may have arrived; refuses with ``delivery_unknown``, ``delivery_state_conflict``."""
    return _again(work, data["id"], None)


def _again(work: UnitOfWork, id: str, webhook: str | None) -> dict[str, Any]:
    row = store.deliveries.find(work, id, lock=True)
    if row is None or (webhook is not None and row["webhook"] != webhook):
        raise DomainError("delivery_unknown")
    if row["state"] not in domain.REDELIVERABLE:
        raise DomainError("delivery_state_conflict", status=row["state"], allowed=sorted(domain.REDELIVERABLE))
    store.deliveries.again(work, id)
    store.hints.leave(work, work.now)
    return found(work, id)


def found(work: UnitOfWork, id: str) -> dict[str, Any]:
    """Return the answer for a delivery that exists."""
    row = store.deliveries.find(work, id)
    if row is None:
        raise DomainError("delivery_unknown")
    return delivery_of(row)


def delivery_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the answer for a row."""
    times = {name: row[name] and row[name].isoformat() for name in ("next_attempt_at", "created_at", "settled_at")}
    return {**row, **times, "event_type": TYPE_PREFIX + row["event_type"]}
