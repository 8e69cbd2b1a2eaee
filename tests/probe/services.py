"""Two small services that prove the chassis: a ledger that owns entries, and a mirror that follows it by events."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from marshmallow import fields, validate
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.chassis.entrypoints import command, query
from services.chassis.errors import DomainError, PermanentFailure
from services.chassis.events import Envelope, Event
from services.chassis.logs import get_logger
from services.chassis.service import Service
from services.chassis.snapshots import Item, Section
from services.chassis.subscribing import subscribe
from services.contracts.authorisation import ROLES, Rule
from services.contracts.schema import ContractSchema

log = get_logger(__name__)

metadata = sa.MetaData()
entry = sa.Table("entry", metadata, sa.Column("id", sa.BigInteger), sa.Column("account", sa.Text), sa.Column("amount", sa.Integer))
balance = sa.Table("balance", metadata, sa.Column("entry", sa.BigInteger), sa.Column("account", sa.Text), sa.Column("amount", sa.Integer))
copy = sa.Table("copy", metadata, sa.Column("event_id", sa.Text), sa.Column("account", sa.Text), sa.Column("amount", sa.Integer))
trouble = sa.Table("trouble", metadata, sa.Column("account", sa.Text), sa.Column("failures_left", sa.Integer))


@dataclass(frozen=True)
class Subscription:
    """What the mirror listens to."""

    queue: str
    owner: str
    aggregates: tuple[str, ...]


SLOW_SECONDS = 0.5
"""How long the mirror takes for an account whose name begins with ``slow``."""

MIRROR_LEDGER = Subscription("mirror.ledger", "ledger", ("entry",))
SUBSCRIPTIONS = (MIRROR_LEDGER,)


class AddEntry(ContractSchema):
    account = fields.String(required=True, validate=validate.Length(min=1, max=40))
    amount = fields.Integer(required=True, strict=True)
    seconds = fields.Float(load_default=0.0)
    """How long the command takes: so that a test can kill something in its middle."""


class Total(ContractSchema):
    account = fields.String(required=True)


class Trouble(ContractSchema):
    account = fields.String(required=True)
    failures = fields.Integer(required=True)


def entries(work: UnitOfWork, site: str | None, after: str | None, limit: int) -> list[Item]:
    """The ledger's state: its entries, all of which belong to one site."""
    key = sa.func.lpad(sa.cast(entry.c.id, sa.Text), 10, "0")
    wanted = sa.select(entry, key.label("key")).where(sa.literal(site) == "main", key > (after or "")).order_by(key).limit(limit)
    return [Item(row.key, str(row.id), {"account": row.account, "amount": row.amount}) for row in work.execute(wanted)]


ANYBODY = Rule(frozenset(ROLES), anonymous=True)
"""Its calls are about the chassis, not about who may make them."""


class LedgerService(Service):
    name = "ledger"
    snapshot = (Section("entry.snapshot", entries),)

    @command(AddEntry, rule=ANYBODY)
    def add_entry(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        if data["amount"] == 0:
            raise DomainError("amount_zero", account=data["account"])
        number = work.execute(sa.insert(entry).values(account=data["account"], amount=data["amount"]).returning(entry.c.id))
        identity = number.scalar_one()
        if data["seconds"]:
            work.execute(sa.text("SELECT pg_sleep(:seconds)"), {"seconds": data["seconds"]})
        log.info("entry_added", entry=identity)
        work.emit(Event("entry.added", str(identity), {"account": data["account"], "amount": data["amount"]}, site="main"))
        return {"id": identity}

    @query(Total, rule=ANYBODY)
    def total(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        rows = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(entry.c.amount), 0)).where(entry.c.account == data["account"])
        total = tuple(work.execute(rows).one())
        return {"count": total[0], "amount": int(total[1])}

    @query(Total, rule=ANYBODY)
    def odd_answer(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Answer with what cannot travel: a mistake of a service's author."""
        return {"at": work.now}


PROJECTIONS = {MIRROR_LEDGER.queue: (balance,)}


class MirrorService(Service):
    """Keeps a journal of what it was told (``copy``, its own) and the entries as they are (``balance``, a projection)."""

    name = "mirror"

    @subscribe(MIRROR_LEDGER)
    def on_entry(self, work: UnitOfWork, event: Envelope) -> None:
        account = event.data["account"]
        log.info("entry_seen", sequence=event.sequence)
        if account == "deadly":
            os._exit(86)
        if account == "never":
            raise RuntimeError("this account always fails")
        if account == "permanent":
            raise PermanentFailure("this account cannot be mirrored")
        if account.startswith("slow"):
            work.execute(sa.text("SELECT pg_sleep(:seconds)"), {"seconds": SLOW_SECONDS})
        if account.startswith("thrice"):
            _fail_while_trouble_is_left(work, account)
        keep_balance(work, event)
        if not event.replayed:
            work.execute(sa.insert(copy).values(event_id=event.id, account=account, amount=event.data["amount"]))

    @command(Trouble, rule=ANYBODY)
    def expect_trouble(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        work.execute(sa.insert(trouble).values(account=data["account"], failures_left=data["failures"]))
        return {}

    @query(Total, rule=ANYBODY)
    def total(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        rows = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(copy.c.amount), 0)).where(copy.c.account == data["account"])
        total = tuple(work.execute(rows).one())
        return {"count": total[0], "amount": int(total[1])}


def keep_balance(work: UnitOfWork, event: Envelope) -> None:
    """The mirror's projection: one row per entry, whoever tells of it and how often."""
    row = upsert(balance).values(entry=int(event.subject), account=event.data["account"], amount=event.data["amount"])
    work.execute(row.on_conflict_do_nothing())


_FAILURES: dict[tuple[str, str], int] = {}


def _fail_while_trouble_is_left(work: UnitOfWork, account: str) -> None:
    """Fail as often as ``expect_trouble`` said; counted in the process, because the transaction is undone."""
    allowed = work.execute(sa.select(trouble.c.failures_left).where(trouble.c.account == account)).scalar_one()
    key = work.regency, account
    _FAILURES[key] = _FAILURES.get(key, 0) + 1
    if _FAILURES[key] <= allowed:
        raise RuntimeError("not yet")
