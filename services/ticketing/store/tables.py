"""The tables that are read and written by more than one statement, and how a row becomes a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from services.contracts.subscriptions import TICKETING_CATALOG
from services.ticketing.domain import Period, Ticket

Row = sa.RowMapping

metadata = sa.MetaData()

catalog_copy = sa.Table(
    "catalog_copy",
    metadata,
    sa.Column("kind", sa.Text),
    sa.Column("id", sa.Text),
    sa.Column("version", sa.Integer),
    sa.Column("data", JSONB),
)
ticket = sa.Table(
    "ticket",
    metadata,
    sa.Column("id", UUID(as_uuid=False)),
    sa.Column("visit", UUID(as_uuid=False)),
    sa.Column("site", sa.Text),
    sa.Column("business_date", sa.Date),
    sa.Column("agency", sa.Text),
    sa.Column("service", sa.Text),
    sa.Column("prefix", sa.Text),
    sa.Column("number", sa.Integer),
    sa.Column("channel", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("priority_class", sa.Text),
    sa.Column("arrived_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("issued_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("turn_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("counter", sa.Text),
    sa.Column("recalls", sa.Integer),
    sa.Column("last_called_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("returns", sa.Integer),
    sa.Column("outcome", sa.Text),
    sa.Column("collect_on", sa.Date),
    sa.Column("transferred_from", UUID(as_uuid=False)),
    sa.Column("transferred_to", UUID(as_uuid=False)),
    sa.Column("leg", sa.SmallInteger),
    sa.Column("first_estimate_seconds", sa.Integer),
    sa.Column("periods", JSONB),
    sa.Column("version", sa.Integer),
)

PROJECTIONS: Mapping[str, tuple[sa.Table, ...]] = {TICKETING_CATALOG.queue: (catalog_copy,)}
"""Tables that hold nothing but what a consumer was told, by consumer: they can be made again (``mpp rebuild``)."""

_FIELDS = [field.name for field in fields(Ticket)]


def tickets_of(statement: sa.TextClause) -> sa.TextualSelect:
    """Return a statement whose rows have all columns of the table, as :func:`from_row` takes them."""
    return statement.columns(**{name: UUID(as_uuid=False) for name in ("id", "visit", "transferred_from", "transferred_to")})


def from_row(row: Row) -> Ticket:
    """Return the ticket in a row that has all columns of the table."""
    values = {name: row[name] for name in _FIELDS}
    values["periods"] = tuple(
        Period(
            state=period["state"],
            actor=period["actor"],
            counter=period["counter"],
            started_at=datetime.fromisoformat(period["started_at"]),
            ended_at=None if period["ended_at"] is None else datetime.fromisoformat(period["ended_at"]),
            undone=period.get("undone", False),
        )
        for period in values["periods"]
    )
    return Ticket(**values)


def columns_of(new: Ticket) -> dict[str, Any]:
    """Return a ticket's values by column."""
    return {**{name: getattr(new, name) for name in _FIELDS}, "periods": periods_of(new)}


def periods_of(new: Ticket) -> list[dict[str, Any]]:
    """Return a ticket's periods as they are stored."""
    return [
        {
            "state": period.state,
            "actor": period.actor,
            "counter": period.counter,
            "started_at": period.started_at.isoformat(),
            "ended_at": None if period.ended_at is None else period.ended_at.isoformat(),
            **({"undone": True} if period.undone else {}),
        }
        for period in new.periods
    ]
