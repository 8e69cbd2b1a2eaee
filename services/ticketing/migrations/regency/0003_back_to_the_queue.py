"""Turns that differ from the arrival, transfers, and what else a ticket meets on its way."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # All empty for what the release before has written and still writes: its tickets have their turn by arrival.
    op.add_column("ticket", sa.Column("turn_at", sa.TIMESTAMP(timezone=True)))
    op.add_column("ticket", sa.Column("last_called_at", sa.TIMESTAMP(timezone=True)))
    op.add_column("ticket", sa.Column("collect_on", sa.Date))
    op.add_column("ticket", sa.Column("transferred_from", UUID(as_uuid=False)))
    op.add_column("ticket", sa.Column("transferred_to", UUID(as_uuid=False)))
    # How many regular tickets each counter has called since its last priority call; kept where the site's policy counts them.
    op.add_column("queue_day", sa.Column("regular_calls", JSONB, nullable=False, server_default="{}"))
    op.drop_index("ticket_queue", "ticket")
    op.create_index(
        "ticket_queue",
        "ticket",
        ["site", "business_date", "service", sa.text("(priority_class IS NULL)"), sa.text("coalesce(turn_at, arrived_at)"), "number"],
        postgresql_where=sa.text("status = 'waiting'"),
    )
    # Whose slip has to come out of the printer yet.
    op.create_index("ticket_printing", "ticket", ["issued_at"], postgresql_where=sa.text("status = 'printing'"))
