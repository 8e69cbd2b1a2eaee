"""Webhooks: made, changed, paused, tried out. Their secrets are stored encrypted and shown once."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from services.chassis import audit
from services.chassis.database import UnitOfWork
from services.chassis.encryption import Keyring
from services.chassis.errors import DomainError
from services.chassis.events import TYPE_PREFIX
from services.chassis.paging import cursor_behind, place_of
from services.chassis.settings import Settings
from services.contracts.field_rules import Message
from services.contracts.subscriptions import EVENT_TYPES
from services.notification import domain, store
from services.notification.channels.urls import UrlRefused, target_of
from services.notification.channels.webhook import SECRET_PURPOSE
from services.notification.usecases.deliveries import found

MOST_WEBHOOKS = 50
OLD_SECRET_VALID = timedelta(hours=24)
PING = "webhook.ping"

_SEALED = "sealed_secret"
"""Member of a stored answer: what is kept for repeats of a command must not hold the secret in clear."""

_WITHHELD = frozenset({"url", "secret"})
"""Of these the audit log says only that they changed."""

_SHOWN = ("id", "url", "events", "site", "description", "status", "paused_reason", "failures", "version")
_TIMES = ("paused_at", "last_success_at", "last_failure_at", "old_secret_until", "created_at")


def list_webhooks(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a page of webhooks, the oldest first."""
    rows = store.webhooks.page(work, place_of(data.get("cursor")), data["limit"] + 1)
    page, more = rows[: data["limit"]], len(rows) > data["limit"]
    return {
        "items": [webhook_of(row, work.now) for row in page],
        "next_cursor": cursor_behind(page[-1]["created_at"], page[-1]["id"]) if more else None,
    }


def get_webhook(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a webhook; refuses with ``webhook_unknown``."""
    return webhook_of(_known(work, data["id"], lock=False), work.now)


def create_webhook(work: UnitOfWork, data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Make a webhook; the answer holds its secret sealed, see :func:`with_secret`."""
    row = {**data, "url": _usable_url(data["url"], settings), "id": str(uuid.uuid4()), "created_at": work.now}
    _check_filters(data["events"])
    if store.webhooks.count(work) >= MOST_WEBHOOKS:
        raise DomainError("webhook_limit_reached", limit=MOST_WEBHOOKS)
    sealed = Keyring(settings.required_encryption_keys()).encrypt(domain.new_secret(), SECRET_PURPOSE)
    store.webhooks.add(work, {**row, "secret": sealed})
    made = _known(work, row["id"])
    audit.note(work, "webhook", row["id"], (None, audit.without(_WITHHELD, _facts(made))), {"site": made["site"]})
    return {**webhook_of(made, work.now), _SEALED: sealed}


def update_webhook(work: UnitOfWork, data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Change the fields that are given; refuses with ``webhook_unknown``, ``version_conflict``."""
    row = _known(work, data["id"])
    if data.get("if_match") not in (None, row["version"]):
        raise DomainError("version_conflict", version=row["version"])
    changes: dict[str, Any] = {name: data[name] for name in ("url", "events", "site", "description") if name in data}
    if "url" in changes:
        changes["url"] = _usable_url(changes["url"], settings)
        if changes["url"] != row["url"]:
            changes |= {"failures": 0, "failing_since": None, "resting_until": None}
            store.hints.leave(work, work.now)
    if "events" in changes:
        _check_filters(changes["events"])
    if all(row[name] == value for name, value in changes.items()):
        return webhook_of(row, work.now)
    return webhook_of(_changed(work, row, **changes), work.now)


def delete_webhook(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Delete a webhook with all that is on its way to it; answer what it was."""
    row = _known(work, data["id"])
    store.webhooks.delete(work, row["id"])
    audit.note(work, "webhook", row["id"], (audit.without(_WITHHELD, _facts(row)), None), {"site": row["site"]})
    return webhook_of(row, work.now)


def rotate_webhook_secret(work: UnitOfWork, data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Give a webhook a new secret; the old one signs as well for a day."""
    row = _known(work, data["id"])
    sealed = Keyring(settings.required_encryption_keys()).encrypt(domain.new_secret(), SECRET_PURPOSE)
    changes = {"secret": sealed, "old_secret": row["secret"], "old_secret_until": work.now + OLD_SECRET_VALID}
    changed = _changed(work, row, **changes)
    return {**webhook_of(changed, work.now), _SEALED: sealed}


def pause_webhook(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Send nothing until resumed. One that is paused already stays so, for the reason it has."""
    row = _known(work, data["id"])
    if row["status"] == "paused":
        return webhook_of(row, work.now)
    return webhook_of(_changed(work, row, status="paused", paused_reason="administrator", paused_at=work.now), work.now)


def resume_webhook(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Send again, and what has waited too unless it is to be discarded; refuses with ``webhook_state_conflict``."""
    row = _known(work, data["id"])
    if row["status"] != "paused":
        raise DomainError("webhook_state_conflict", status=row["status"])
    if data["waiting"] == "discard":
        store.deliveries.discard(work, row["id"])
    fresh = {"failures": 0, "failing_since": None, "resting_until": None}
    store.hints.leave(work, work.now)
    return webhook_of(_changed(work, row, status="active", paused_reason=None, paused_at=None, **fresh), work.now)


def test_webhook(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Send a ping; answer its delivery. A paused webhook gets it when it is resumed."""
    row = _known(work, data["id"])
    event_id = str(uuid.uuid4())
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/regencies/{work.regency}/notification",
        "type": TYPE_PREFIX + PING,
        "subject": row["id"],
        "time": work.now.isoformat(),
        "datacontenttype": "application/json",
        "regency": work.regency,
        "data": {"webhook": row["id"]},
    }
    planned = store.deliveries.plan_ping(work, row["id"], event_id=event_id, type=PING, body=json.dumps(event, separators=(",", ":")))
    store.hints.leave(work, work.now)
    return found(work, planned)


def with_secret(settings: Settings, answer: dict[str, Any]) -> dict[str, Any]:
    """Show the secret that :func:`create_webhook` or :func:`rotate_webhook_secret` has sealed."""
    shown = {name: value for name, value in answer.items() if name != _SEALED}
    return {**shown, "secret": Keyring(settings.required_encryption_keys()).decrypt(answer[_SEALED], SECRET_PURPOSE)}


def webhook_of(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the answer for a row: everything but its secrets."""
    times = {name: row[name] and row[name].isoformat() for name in _TIMES}
    if row["old_secret_until"] is not None and row["old_secret_until"] <= now:
        times["old_secret_until"] = None
    return {**{name: row[name] for name in _SHOWN}, **times}


def _changed(work: UnitOfWork, row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Store a change of a webhook with its next version, and note it."""
    after = store.webhooks.change(work, row["id"], **changes, version=row["version"] + 1)
    audit.note(work, "webhook", row["id"], audit.differing(_facts(row), _facts(after), _WITHHELD), {"site": after["site"]})
    return after


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the audit log holds of a webhook: of its address the host, for the rest may be a secret of the receiver's."""
    facts = {name: row[name] for name in ("events", "site", "status", "paused_reason", "version")}
    return {**facts, "host": urlsplit(row["url"]).hostname, "url": row["url"], "secret": row["secret"]}


def _known(work: UnitOfWork, id: str, *, lock: bool = True) -> dict[str, Any]:
    row = store.webhooks.find(work, id, lock=lock)
    if row is None:
        raise DomainError("webhook_unknown")
    return row


def _usable_url(url: str, settings: Settings) -> str:
    delivery = settings.delivery
    try:
        return target_of(url, allow_http=delivery.webhook_allow_http, allowed=delivery.webhook_allowed_networks).url
    except UrlRefused as refused:
        raise _invalid("url", Message(refused.rule)) from None


def _check_filters(filters: list[str]) -> None:
    types = sorted({event_type for some in EVENT_TYPES.values() for event_type in some})
    known = {"*", *types, *(f"{event_type.partition('.')[0]}.*" for event_type in types)}
    for position, wanted in enumerate(filters):
        if wanted not in known:
            raise _invalid(f"events.{position}", Message("event_type_unpublished", known=", ".join(sorted(known))))


def _invalid(field: str, message: Message) -> DomainError:
    error = {"field": field, "rule": message.rule, "parameters": message.parameters, "message": str(message)}
    return DomainError("payload_invalid", errors=[error])
