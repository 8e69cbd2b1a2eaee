"""The tables of reporting."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.contracts.subscriptions import REPORTING_CATALOG, REPORTING_TICKETING
from services.reporting.domain import ELEMENTS

metadata = sa.MetaData()

ticket_fact = sa.Table(
    "ticket_fact",
    metadata,
    sa.Column("id", UUID(as_uuid=False)),
    sa.Column("visit", UUID(as_uuid=False)),
    sa.Column("site", sa.Text),
    sa.Column("agency", sa.Text),
    sa.Column("service", sa.Text),
    sa.Column("business_date", sa.Date),
    sa.Column("channel", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("lane", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("issued_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("arrived_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("first_called_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("ended_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("first_call_seconds", sa.Double),
    sa.Column("first_estimate_seconds", sa.Integer),
    sa.Column("wait_seconds", sa.Double),
    sa.Column("walk_seconds", sa.Double),
    sa.Column("serve_seconds", sa.Double),
    sa.Column("version", sa.Integer),
)
site = sa.Table(
    "site",
    metadata,
    sa.Column("id", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("timezone", sa.Text),
    sa.Column("version", sa.Integer),
)
survey = sa.Table(
    "survey",
    metadata,
    sa.Column("id", UUID(as_uuid=False)),
    sa.Column("visit", UUID(as_uuid=False)),
    sa.Column("ticket", UUID(as_uuid=False)),
    sa.Column("site", sa.Text),
    sa.Column("agency", sa.Text),
    sa.Column("service", sa.Text),
    sa.Column("business_date", sa.Date),
    sa.Column("submitted_at", sa.TIMESTAMP(timezone=True)),
    *(sa.Column(f"score_{element}", sa.SmallInteger) for element in ELEMENTS),
    sa.Column("comment", sa.Text),
)

PROJECTIONS: Mapping[str, tuple[sa.Table, ...]] = {
    REPORTING_TICKETING.queue: (ticket_fact,),
    REPORTING_CATALOG.queue: (site,),
}
"""Tables that hold nothing but what a consumer was told, by consumer: they can be made again (``mpp rebuild``)."""

OWN_FACTS = (survey,)
"""What citizens have said exists nowhere else; no rebuild may touch it."""
