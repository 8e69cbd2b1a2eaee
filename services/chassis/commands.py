"""The command inbox: a command is done once, however often it arrives.

The ``command_id`` is claimed by the command's own transaction and stored with the result; a repeat waits for the
first to end and is answered from there. A command that was refused leaves no trace and may be tried again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from services.chassis import metrics
from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.offload import offload

RETENTION_HOURS = 48
"""How long a repeat is recognised; clients repeat within seconds or minutes."""

_CLAIM = sa.text(
    "INSERT INTO command_inbox (command_id, fingerprint, received_at) VALUES (:command_id, :fingerprint, :now)"
    " ON CONFLICT (command_id) DO NOTHING"
)
_STORED = sa.text("SELECT fingerprint, result FROM command_inbox WHERE command_id = :command_id")
_KEEP = sa.text("UPDATE command_inbox SET result = CAST(:result AS jsonb) WHERE command_id = :command_id")
_FORGET = sa.text("DELETE FROM command_inbox WHERE received_at < :before")


def fingerprint(method: str, payload: dict[str, Any]) -> str:
    """Return what tells two different requests apart: SHA-256 over method and canonical payload.

    Passwords go in as scrypt digests: a plain hash of one, kept for two days, would be a way around argon2.
    """
    canonical = json.dumps([method, _passwords_stretched(payload)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def once(work: UnitOfWork, method: str, payload: dict[str, Any], handler: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """Run ``handler`` unless this command id was done before; return its (stored) result.

    :raises DomainError: ``idempotency_key_reused`` when the same id arrives with another request.
    """
    command_id = work.context.command_id
    if command_id is None:
        return handler()
    mark = fingerprint(method, payload)
    claim = _Claim(work, command_id, mark)
    try:
        result = claim.run(handler)
    except _Repeated:
        work.restart()  # the handler's first statement was under way with the claim
        stored = work.execute(_STORED, {"command_id": command_id}).one()
        if stored.fingerprint != mark:
            raise DomainError("idempotency_key_reused") from None
        metrics.RPC_REPEATED.labels(work.service).inc()
        work.context.told["repeated"] = True
        known: dict[str, Any] | None = stored.result
        return known
    work.later(_KEEP, {"command_id": command_id, "result": json.dumps(result)})
    return result


class _Repeated(Exception):
    """The command was done before."""


class _Claim:
    """A command id, claimed in the round trip of the handler's first statement."""

    def __init__(self, work: UnitOfWork, command_id: str, mark: str) -> None:
        self._work = work
        self._settled = False
        work.later(_CLAIM, {"command_id": command_id, "fingerprint": mark, "now": work.now}, check=self._check)

    def run(self, handler: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        """Run a handler; raises :class:`_Repeated` once that shows, also instead of a refusal before the first statement."""
        try:
            result = handler()
        except SQLAlchemyError:
            raise
        except Exception:
            self._settle()
            raise
        self._settle()
        return result

    def _settle(self) -> None:
        if not self._settled:
            self._work.flush()

    def _check(self, claimed: int) -> None:
        self._settled = True
        if not claimed:
            raise _Repeated


def _passwords_stretched(value: Any) -> Any:
    if isinstance(value, dict):
        salt = str(value.get("id", ""))
        return {
            key: _stretched(inner, salt) if key == "password" and isinstance(inner, str) else _passwords_stretched(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_passwords_stretched(inner) for inner in value]
    return value


def _stretched(password: str, salt: str) -> str:
    # 16 MiB and some 50 ms, as slow as the password's own hash; off the event loop like that one.
    return offload(lambda: hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex())


def forget(work: UnitOfWork, before: Any) -> int:
    """Delete command ids received before an instant; return how many."""
    return work.execute(_FORGET, {"before": before}).rowcount
