"""Tables of the probe services."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "entry",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
    )
    op.create_table(
        "balance",
        sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
    )
    op.create_table(
        "copy",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
    )
    op.create_table(
        "trouble",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("failures_left", sa.Integer, nullable=False),
    )
