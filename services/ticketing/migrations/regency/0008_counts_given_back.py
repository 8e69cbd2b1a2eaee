"""What a counter had counted before its newest call, so that a call that was a mistake can be taken out of the count."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # By counter: the ticket that was called, its version by that call, and the count before (null: the first call of the day).
    op.add_column("queue_day", sa.Column("counted_before", JSONB, nullable=False, server_default="{}"))
