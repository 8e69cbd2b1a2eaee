"""The audit log: who did what to what, written in the action's own transaction, and never changed afterwards.

It names staff by account and things by id; it holds no payload, because payloads may hold personal data.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork

UNAUDITED_ROLES = frozenset({"anonymous", "citizen", "system"})
"""Roles that are nobody's account. Devices and staff of every rank are audited."""

_RECORD = sa.text("""
    INSERT INTO audit_log (at, actor, role, action, subject, command_id)
    VALUES (:at, :actor, :role, :action, :subject, :command_id)
""")


def record(work: UnitOfWork, action: str, payload: dict[str, Any], answer: dict[str, Any] | None) -> None:
    """Record a staff action; its subject is the id in the answer, else in the request."""
    actor = work.context.actor
    if actor.role in UNAUDITED_ROLES:
        return
    subject = (answer or {}).get("id") or payload.get("id") or payload.get("counter")
    work.later(
        _RECORD,
        {
            "at": work.now,
            "actor": actor.id,
            "role": actor.role,
            "action": action,
            "subject": subject,
            "command_id": work.context.command_id,
        },
    )
