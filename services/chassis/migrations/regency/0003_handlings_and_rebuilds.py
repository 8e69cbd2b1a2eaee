"""Handlings that have not ended, and rebuilds of projections."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Announced (0) or so often begun without coming to an end. Empty but for what is being caught up.
    op.create_table(
        "handling",
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("begun", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("consumer", "source", "sequence"),
    )
    # How often a consumer's projections were emptied: whoever reads on from before must not move the marks of after.
    op.create_table(
        "rebuild",
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("begun_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    # What a consumer had handled before its projections were emptied: up to `replay_until` but for those that had failed,
    # and those that had arrived early above. Beside the mark, which every claim reads anyway.
    op.add_column("stream_mark", sa.Column("replay_until", sa.BigInteger))
    op.add_column("stream_mark", sa.Column("replay_failed", ARRAY(sa.BigInteger)))
    op.add_column("stream_mark", sa.Column("replay_early", ARRAY(sa.BigInteger)))
    op.add_column("inbox", sa.Column("replayed", sa.Boolean))
