"""Registry of regencies, outbox, and heads of streams: what a service's own login may touch."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "regency",
        sa.Column("slug", sa.Text, primary_key=True),
        sa.Column("facts", JSONB, nullable=False, server_default="{}"),
        # Set when every step of provisioning has succeeded; until then the regency does not exist for callers.
        sa.Column("provisioned_at", sa.TIMESTAMP(timezone=True)),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("regency", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("event_id", UUID, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("time", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("traceparent", sa.Text),
    )
    # The highest sequence of each stream that was published: consumers compare themselves with it in one query
    # for all regencies.
    op.create_table(
        "stream_head",
        sa.Column("regency", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
