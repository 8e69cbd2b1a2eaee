"""Assignments of accounts to counters and days, failed sign-ins, and codes that set a password."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("counters", ARRAY(sa.Text)))  # null: all counters of the agencies
    op.add_column("account", sa.Column("valid_from", sa.Text(collation="C")))
    op.add_column("account", sa.Column("valid_until", sa.Text(collation="C")))
    op.create_table(
        "sign_in_failure",
        # whatever was typed as a name: who exists must not show
        sa.Column("account", sa.Text(collation="C"), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    op.create_index("sign_in_failure_last_at", "sign_in_failure", ["last_at"])
    op.create_table(
        "one_time_code",
        sa.Column("account", sa.Text(collation="C"), primary_key=True),
        sa.Column("serial", UUID(as_uuid=True), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("one_time_code")
    op.drop_table("sign_in_failure")
    for column in ("valid_until", "valid_from", "counters"):
        op.drop_column("account", column)
