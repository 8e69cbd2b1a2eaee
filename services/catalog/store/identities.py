"""Whom identity providers know by what: the account of each identity, found by a slow hash of it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from services.catalog.store import tables as t
from services.chassis.database import UnitOfWork


def account_of(work: UnitOfWork, provider: str, identity: bytes) -> str | None:
    """The account of somebody at a provider, if they were here before."""
    table = t.identity
    found = select(table.c.account).where(table.c.provider == provider, table.c.hash == identity)
    account: str | None = work.execute(found).scalar_one_or_none()
    return account


def link(work: UnitOfWork, provider: str, identity: bytes, account: str) -> bool:
    """Let somebody at a provider be this account from now on; False when somebody else there is it already."""
    row = upsert(t.identity).values(provider=provider, hash=identity, account=account, linked_at=work.now)
    return work.execute(row.on_conflict_do_nothing().returning(t.identity.c.account)).first() is not None
