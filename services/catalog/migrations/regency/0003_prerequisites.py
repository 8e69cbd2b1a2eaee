"""Which public services come before another one in a visit of several."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # The default is for the release before, which does not name the column.
    op.add_column("service", sa.Column("prerequisites", JSONB, nullable=False, server_default="[]"))
