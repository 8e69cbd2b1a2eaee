"""What is stored encrypted, for changing its key."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

_WEBHOOKS = sa.text("SELECT CAST(id AS text) AS id, secret, old_secret FROM webhook ORDER BY id FOR UPDATE")
_KEEP_SECRETS = sa.text("UPDATE webhook SET secret = :secret, old_secret = :old_secret WHERE id = CAST(:id AS uuid)")
_ADDRESSES = sa.text(
    "SELECT CAST(id AS text) AS id, address FROM subscription WHERE id > CAST(:after AS uuid) ORDER BY id LIMIT :limit FOR UPDATE"
)
_KEEP_ADDRESS = sa.text("UPDATE subscription SET address = :address, address_hash = :address_hash WHERE id = CAST(:id AS uuid)")

BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


def webhook_secrets(work: UnitOfWork) -> list[dict[str, Any]]:
    """Return id and encrypted secrets of all webhooks, locked."""
    return [dict(row) for row in work.execute(_WEBHOOKS).mappings()]


def keep_secrets(work: UnitOfWork, id: str, secret: str, old_secret: str | None) -> None:
    """Store the secrets of a webhook, encrypted anew."""
    work.execute(_KEEP_SECRETS, {"id": id, "secret": secret, "old_secret": old_secret})


def addresses(work: UnitOfWork, after: str, limit: int) -> list[dict[str, Any]]:
    """Return id and encrypted address of subscriptions in order of id, locked."""
    return [dict(row) for row in work.execute(_ADDRESSES, {"after": after, "limit": limit}).mappings()]


def keep_address(work: UnitOfWork, id: str, address: str, address_hash: str) -> None:
    """Store an address, encrypted anew."""
    work.execute(_KEEP_ADDRESS, {"id": id, "address": address, "address_hash": address_hash})
