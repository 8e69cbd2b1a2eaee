"""Passwords' hashes and whom they prove. Nothing else reads or writes `password_hash`."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Label, Select, Table, cast, func, literal, null, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.catalog.store import tables as t
from services.chassis.database import PlatformWork, UnitOfWork, Work


@dataclass(frozen=True)
class Credentials:
    """Whom a username names. `agencies` None: all of the regency; `counters` None: all of these; `site` None: bound to none.

    `valid_from` and `valid_until` are local dates in the regency's `timezone`; None: open.
    """

    kind: str
    subject: str
    role: str
    agencies: list[str] | None
    active: bool
    version: int
    password_hash: str
    site: str | None = None
    counters: list[str] | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    timezone: str = "UTC"


def find(work: UnitOfWork, username: str) -> Credentials | None:
    """Credentials of a staff account or a device of the regency."""
    row = work.execute(union_all(_staff(username), _devices(username))).first()
    return None if row is None else Credentials(**row._mapping)


def _staff(username: str) -> Select[Any]:
    account = t.account.c
    kind, subject = literal("account").label("kind"), account.id.label("subject")
    nowhere = cast(null(), t.device.c.site.type).label("site")
    facts = (account.role, account.agencies, account.active, account.version, account.password_hash)
    days = (account.counters, account.valid_from, account.valid_until, _timezone())
    return select(kind, subject, *facts, nowhere, *days).where(account.id == username)


def _timezone() -> Label[Any]:
    known = select(t.regency.c.timezone).scalar_subquery()
    return func.coalesce(known, "Asia/Jakarta").label("timezone")  # without its facts yet: where most Indonesians live


def _devices(username: str) -> Select[Any]:
    """The role of a device is its kind; it acts for every agency."""
    device, account = t.device.c, t.account.c
    kind, subject, role = literal("device").label("kind"), device.id.label("subject"), device.kind.label("role")
    agencies, counters, begin, end = (
        cast(null(), column.type).label(column.name)
        for column in (account.agencies, account.counters, account.valid_from, account.valid_until)
    )
    facts = (role, agencies, device.active, device.version, device.password_hash, device.site)
    return select(kind, subject, *facts, counters, begin, end, _timezone()).where(device.id == username)


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


def change_operator_password(work: PlatformWork, credentials: Credentials, password_hash: str) -> None:
    """Give an operator another password: a new version of the account."""
    operator = t.operator
    facts = {"password_hash": password_hash, "version": credentials.version + 1}
    work.execute(update(operator).where(operator.c.id == credentials.subject).values(**facts))


def add_operator(work: PlatformWork, username: str, display_name: str, password_hash: str) -> bool:
    """Add an operator's account; False when it exists, and stays as it is."""
    row = upsert(t.operator).values(
        id=username, role="operator", display_name=display_name, active=True, password_hash=password_hash, version=1
    )
    return work.execute(row.on_conflict_do_nothing().returning(t.operator.c.id)).first() is not None
