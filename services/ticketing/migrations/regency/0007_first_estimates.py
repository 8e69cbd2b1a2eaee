"""What a ticket's wait was estimated at when its number was taken."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # Empty: nothing was told, or the release before has taken the number.
    op.add_column("ticket", sa.Column("first_estimate_seconds", sa.Integer))
