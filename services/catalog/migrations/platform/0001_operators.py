"""Accounts of the platform's operators, who belong to no regency."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Text(collation="C"), primary_key=True),
        sa.Column("role", sa.Text, sa.CheckConstraint("role IN ('operator')"), nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, sa.CheckConstraint("version > 0"), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("account")
