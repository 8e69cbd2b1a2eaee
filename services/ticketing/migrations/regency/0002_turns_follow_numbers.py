"""The last arrival of a day, so that turns follow numbers; tickets of a day in order of issue."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Empty where the release before has opened the day: then the next number's own instant counts.
    op.add_column("queue_day", sa.Column("last_arrival_at", sa.TIMESTAMP(timezone=True)))
    # A page of today's tickets does not read those of all the days before.
    op.create_index("ticket_of_day", "ticket", ["business_date", "issued_at", "id"])
