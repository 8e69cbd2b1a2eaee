"""Regencies to which the consumers of a service should attend at once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "attention",
        sa.Column("regency", sa.Text, primary_key=True),
        sa.Column("asked_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
