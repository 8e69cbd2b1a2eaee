"""Passwords' hashes and whom they prove. Nothing else reads or writes `password_hash`."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, cast, literal, null, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.catalog.store import tables as t
from services.chassis.database import PlatformWork, UnitOfWork, Work


@dataclass(frozen=True)
class Credentials:
    """Whom a username names. `agencies` None: all of the regency; `site` None: bound to none."""

    kind: str
    subject: str
    role: str
    agencies: list[str] | None
    active: bool
    version: int
    password_hash: str
    site: str | None = None


def find(work: UnitOfWork, username: str) -> Credentials | None:
    """Credentials of a staff account or a device of the regency."""
    row = work.execute(union_all(_staff(username), _devices(username))).first()
    return None if row is None else Credentials(**row._mapping)


def _staff(username: str) -> Select[Any]:
    account = t.account.c
    kind, subject = literal("account").label("kind"), account.id.label("subject")
    nowhere = cast(null(), t.device.c.site.type).label("site")
    columns = (kind, subject, account.role, account.agencies, account.active, account.version, account.password_hash, nowhere)
    return select(*columns).where(account.id == username)


def _devices(username: str) -> Select[Any]:
    """The role of a device is its kind; it acts for every agency."""
    device, every = t.device.c, cast(null(), t.account.c.agencies.type)
    kind, subject, role = literal("device").label("kind"), device.id.label("subject"), device.kind.label("role")
    columns = (kind, subject, role, every.label("agencies"), device.active, device.version, device.password_hash, device.site)
    return select(*columns).where(device.id == username)


def find_operator(work: PlatformWork, username: str) -> Credentials | None:
    """Credentials of an operator of the platform."""
    operator = t.operator.c
    statement = select(operator.role, operator.active, operator.version, operator.password_hash).where(operator.id == username)
    row = work.execute(statement).one_or_none()
    return None if row is None else Credentials("operator", username, row.role, None, row.active, row.version, row.password_hash)


def replace_hash(work: UnitOfWork, credentials: Credentials, password_hash: str) -> None:
    """Store another hash of the same password, unless the password was changed meanwhile. The entity's version stays."""
    table = {"account": t.account, "device": t.device}[credentials.kind]
    _replace_hash(work, table, credentials, password_hash)


def replace_operator_hash(work: PlatformWork, credentials: Credentials, password_hash: str) -> None:
    """The same for an operator."""
    _replace_hash(work, t.operator, credentials, password_hash)


def _replace_hash(work: Work, table: Table, credentials: Credentials, password_hash: str) -> None:
    unchanged = (table.c.id == credentials.subject) & (table.c.password_hash == credentials.password_hash)
    work.execute(update(table).where(unchanged).values(password_hash=password_hash))


def add_operator(work: PlatformWork, username: str, display_name: str, password_hash: str) -> bool:
    """Add an operator's account; False when it exists, and stays as it is."""
    row = upsert(t.operator).values(
        id=username, role="operator", display_name=display_name, active=True, password_hash=password_hash, version=1
    )
    return work.execute(row.on_conflict_do_nothing().returning(t.operator.c.id)).first() is not None
