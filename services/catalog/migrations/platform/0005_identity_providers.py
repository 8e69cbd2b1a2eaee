"""With which identity provider an operator's session began: none; the table is that of regencies."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("provider", sa.Text))


def downgrade() -> None:
    op.drop_column("session", "provider")
