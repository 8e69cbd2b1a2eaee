"""The log of personal data breaches of a regency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "0010"
down_revision = "0009"

INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "breach",
        sa.Column("id", UUID(as_uuid=False), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("discovered_at", INSTANT, nullable=False),
        sa.Column("data", ARRAY(sa.Text), nullable=False),
        sa.Column("people", sa.Integer),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("measures", sa.Text),
        sa.Column("authority_told_at", INSTANT),
        sa.Column("persons_told_at", INSTANT),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.Text),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    )
