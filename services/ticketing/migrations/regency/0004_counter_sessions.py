"""Which counters are open, paused or closed today, and who works there."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "counter_session",
        sa.Column("counter", sa.Text, primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("since", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('open', 'paused', 'closed')", name="counter_session_status"),
    )
    # An officer works at one counter at a time, whatever two replicas are told at the same moment.
    op.create_index(
        "counter_session_of_officer",
        "counter_session",
        ["officer", "business_date"],
        unique=True,
        postgresql_where=sa.text("status <> 'closed'"),
    )
