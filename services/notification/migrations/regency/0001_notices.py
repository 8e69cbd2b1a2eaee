"""Notices about tickets, and names of sites and counters, of one regency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "place_name",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("kind", "id"),
        sa.CheckConstraint("kind IN ('site', 'counter')", name="place_name_kind"),
    )
    # The newest version heard of: what is older is not news any more.
    op.create_table(
        "followed_ticket",
        sa.Column("id", UUID(as_uuid=False), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "notice",
        sa.Column("ticket", UUID(as_uuid=False), sa.ForeignKey("followed_ticket.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("happened_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("parameters", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("ticket", "version"),
        sa.CheckConstraint("kind IN ('issued', 'called', 'recalled', 'no_show', 'cancelled', 'expired', 'completed')", name="notice_kind"),
    )
