"""Sessions of staff and devices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "session",
        sa.Column("id", UUID(as_uuid=True), primary_key=True),
        # of an account or a device: two tables with one space of names
        sa.Column("account", sa.Text(collation="C"), nullable=False),
        sa.Column("generation", sa.Integer, sa.CheckConstraint("generation > 0"), nullable=False),
        sa.Column("rotated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True)),
    )
    op.create_index("session_account", "session", ["account"])


def downgrade() -> None:
    op.drop_table("session")
