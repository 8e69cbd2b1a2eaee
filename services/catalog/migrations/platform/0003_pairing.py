"""Failed sign-ins of operators, and devices of all regencies that were paired and have not asked yet."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_failure",
        sa.Column("account", sa.Text(collation="C"), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    op.create_index("sign_in_failure_last_at", "sign_in_failure", ["last_at"])
    op.create_table(
        "pairing",
        sa.Column("user_code", sa.Text, primary_key=True),
        sa.Column("regency", sa.Text, nullable=False),
        sa.Column("device", sa.Text(collation="C"), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    # A regency's role pairs for its own regency and reads none; the service's own login reads and forgets them all.
    op.execute("GRANT INSERT ON pairing TO catalog_regencies")
    op.execute("ALTER TABLE pairing ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY own_regency ON pairing FOR INSERT TO catalog_regencies"
        " WITH CHECK (current_user = 'catalog_' || replace(regency, '-', '_'))"
    )
    op.execute("CREATE POLICY service ON pairing FOR ALL USING (NOT pg_has_role(current_user, 'catalog_regencies', 'USAGE'))")


def downgrade() -> None:
    op.drop_table("pairing")
    op.drop_table("sign_in_failure")
