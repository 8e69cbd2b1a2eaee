"""Sessions and revocations. Those of a regency lie in its schema, operators' in the platform's."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Table, delete, insert, select, update

from services.catalog.domain import Session
from services.catalog.store import tables as t
from services.chassis.database import PlatformWork, UnitOfWork

_KEPT = timedelta(days=7)
"""How long the sessions of an account are kept after their end, for who looks into a misuse."""


def add(work: UnitOfWork | PlatformWork, session: Session) -> None:
    """Store a new session, and forget what ended long ago of the same account."""
    table = _table(work)
    work.execute(delete(table).where(table.c.account == session.account, table.c.expires_at < session.rotated_at - _KEPT))
    work.execute(insert(table).values(**vars(session)).inline())


def locked(work: UnitOfWork | PlatformWork, identifier: uuid.UUID) -> Session | None:
    """The session, locked until the transaction ends."""
    row = work.execute(select(_table(work)).where(_table(work).c.id == identifier).with_for_update()).one_or_none()
    return None if row is None else Session(**row._mapping)


def keep(work: UnitOfWork | PlatformWork, session: Session) -> None:
    """Store a session that has changed."""
    table = _table(work)
    work.execute(update(table).where(table.c.id == session.id).values(**vars(session)))


def end(work: UnitOfWork | PlatformWork, account: str, identifier: uuid.UUID | None = None) -> Sequence[uuid.UUID]:
    """End one session of an account, or all; return those that had not ended."""
    table = _table(work)
    chosen = [table.c.account == account, table.c.ended_at.is_(None), table.c.expires_at > work.now]
    if identifier is not None:
        chosen.append(table.c.id == identifier)
    return list(work.execute(update(table).where(*chosen).values(ended_at=work.now).returning(table.c.id)).scalars())


def revoke(
    work: UnitOfWork | PlatformWork, regency: str, subject: str, *, session: uuid.UUID | None = None, version: int | None = None
) -> None:
    """Make access tokens void: of a session, or of all versions of the account before this one."""
    facts = {"regency": regency, "at": work.now, "subject": subject, "session": session, "version": version}
    work.execute(insert(t.revocation).values(**facts).inline())


def revocations(work: PlatformWork, since: datetime) -> list[tuple[str, uuid.UUID | None, int | None]]:
    """Subject, session and version of what was revoked since an instant; what is older is forgotten."""
    table = t.revocation
    work.execute(delete(table).where(table.c.at < since - timedelta(hours=1)))
    rows = work.execute(select(table.c.subject, table.c.session, table.c.version).where(table.c.at >= since))
    return [(row.subject, row.session, row.version) for row in rows]


def _table(work: UnitOfWork | PlatformWork) -> Table:
    return t.session if isinstance(work, UnitOfWork) else t.operator_session
