"""Waits of legs and of visits, and what was told of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Empty in what the release before has written, until its events are read again: `mpp rebuild reporting`.
    for column in ("arrived_at", "first_called_at", "ended_at"):
        op.add_column("ticket_fact", sa.Column(column, sa.TIMESTAMP(timezone=True)))
    op.add_column("ticket_fact", sa.Column("first_call_seconds", sa.Double))
    op.add_column("ticket_fact", sa.Column("first_estimate_seconds", sa.Integer))
