"""Failed sign-ins in a row, by what was typed as a user name: who exists must not show.

Those of a regency lie in its schema, operators' in the platform's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from services.catalog.store import tables as t
from services.chassis.database import PlatformWork, UnitOfWork

_KEPT = timedelta(days=1)


def failures(work: UnitOfWork | PlatformWork, username: str) -> tuple[int, datetime] | None:
    """How many there were and when the last was, locked until the transaction ends: attempts at once count one by one."""
    table = _table(work)
    row = work.execute(select(table.c.failures, table.c.last_at).where(table.c.account == username).with_for_update()).one_or_none()
    return None if row is None else (row.failures, row.last_at)


def count(work: UnitOfWork | PlatformWork, username: str, *, anew: bool) -> None:
    """Count an attempt before it is known how it ends; ``anew``: those before are forgotten. What is a day old goes."""
    table = _table(work)
    work.execute(delete(table).where(table.c.last_at < work.now - _KEPT, table.c.account != username))
    row = upsert(table).values(account=username, failures=1, last_at=work.now)
    wanted = {"failures": 1 if anew else table.c.failures + 1, "last_at": work.now}
    work.execute(row.on_conflict_do_update(index_elements=["account"], set_=wanted))


def forget(work: UnitOfWork | PlatformWork, username: str) -> None:
    """It was the right person after all."""
    table = _table(work)
    work.execute(delete(table).where(table.c.account == username))


def _table(work: UnitOfWork | PlatformWork) -> Table:
    return t.sign_in_failure if isinstance(work, UnitOfWork) else t.operator_sign_in_failure
