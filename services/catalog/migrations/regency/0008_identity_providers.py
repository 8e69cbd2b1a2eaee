"""Who signs in with an identity provider, and which sessions began there."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("provider", sa.Text))
    op.create_table(
        "identity",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("account", sa.Text(collation="C"), nullable=False),
        sa.Column("linked_at", sa.TIMESTAMP(timezone=True), nullable=False),
        # somebody else at the same provider is not the same account
        sa.UniqueConstraint("provider", "account", name="identity_account"),
    )


def downgrade() -> None:
    op.drop_table("identity")
    op.drop_column("session", "provider")
