"""Streams, event log, command inbox and event inbox of one regency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "stream",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "event_log",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("time", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("traceparent", sa.Text),
        sa.PrimaryKeyConstraint("source", "sequence", "time"),
        postgresql_partition_by="RANGE (time)",
    )
    # Nothing is refused when the month's partition was not made in time; the upkeep makes it and moves what landed here.
    op.execute("CREATE TABLE event_log_rest PARTITION OF event_log DEFAULT")
    op.create_table(
        "command_inbox",
        sa.Column("command_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("received_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("result", JSONB),
    )
    op.create_index("command_inbox_received_at", "command_inbox", ["received_at"])
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("event_id", UUID, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("received_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("reason", sa.Text),
        sa.Column("payload", JSONB),
        sa.PrimaryKeyConstraint("consumer", "source", "sequence"),
        sa.CheckConstraint("status IN ('handled', 'failed', 'dead', 'dropped')", name="inbox_status"),
    )
    # Looked up once a second: only what failed, usually nothing.
    op.create_index("inbox_due", "inbox", ["consumer", "next_attempt_at"], postgresql_where=sa.text("status = 'failed'"))
    op.create_table(
        "stream_mark",
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("consumer", "source"),
    )
