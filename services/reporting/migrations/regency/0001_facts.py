"""Facts of tickets and names of sites of one regency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0001"
down_revision = None

_STATES = (
    "'reserved', 'printing', 'waiting', 'called', 'serving', 'on_hold',"
    " 'completed', 'no_show', 'transferred', 'cancelled', 'expired', 'void'"
)


def upgrade() -> None:
    # One row per ticket, replaced by its newer version. Null seconds: the ticket never was in that state.
    op.create_table(
        "ticket_fact",
        sa.Column("id", UUID(as_uuid=False), primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("issued_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("wait_seconds", sa.Double),
        sa.Column("walk_seconds", sa.Double),
        sa.Column("serve_seconds", sa.Double),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint(f"status IN ({_STATES})", name="ticket_fact_status"),
        sa.CheckConstraint("wait_seconds >= 0 AND walk_seconds >= 0 AND serve_seconds >= 0", name="ticket_fact_seconds"),
    )
    op.create_index("ticket_fact_day", "ticket_fact", ["site", "business_date"])
    op.create_table(
        "site",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
