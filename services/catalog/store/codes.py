"""One-time codes of accounts, and devices that were paired and have not asked yet."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from services.catalog.store import tables as t
from services.chassis.database import PlatformWork, UnitOfWork


def keep_code(work: UnitOfWork, account: str, serial: uuid.UUID, expires_at: datetime) -> None:
    """Make this the only code of an account."""
    facts = {"serial": serial, "expires_at": expires_at}
    row = upsert(t.one_time_code).values(account=account, **facts)
    work.execute(row.on_conflict_do_update(index_elements=["account"], set_=facts))


def serial_of(work: UnitOfWork, account: str) -> uuid.UUID | None:
    """What the good code of an account is calculated from; None when there is none."""
    code = t.one_time_code.c
    return work.execute(select(code.serial).where(code.account == account, code.expires_at > work.now)).scalar_one_or_none()


def spend_code(work: UnitOfWork, account: str, serial: uuid.UUID) -> bool:
    """Whether the code was still there; it is not any more."""
    code = t.one_time_code.c
    found = work.execute(delete(t.one_time_code).where(code.account == account, code.serial == serial).returning(code.account))
    return found.one_or_none() is not None


def add_pairing(work: UnitOfWork, user_code: str, device: str, expires_at: datetime) -> bool:
    """Let whoever shows this code be the device; False when it was typed for another device a moment ago."""
    facts = {"user_code": user_code, "regency": work.regency, "device": device, "expires_at": expires_at}
    row = upsert(t.pairing).values(**facts).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return work.execute(row).rowcount == 1


def paired(work: PlatformWork, user_code: str) -> tuple[str, str] | None:
    """Regency and device of a code; what has expired is forgotten."""
    table = t.pairing
    work.execute(delete(table).where(table.c.expires_at < work.now))
    row = work.execute(select(table.c.regency, table.c.device).where(table.c.user_code == user_code)).one_or_none()
    return None if row is None else (row.regency, row.device)
