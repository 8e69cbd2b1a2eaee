"""Operators' sessions, and the revocations of all regencies, which every gateway asks for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "session",
        sa.Column("id", UUID(as_uuid=True), primary_key=True),
        sa.Column("account", sa.Text(collation="C"), nullable=False),
        sa.Column("generation", sa.Integer, sa.CheckConstraint("generation > 0"), nullable=False),
        sa.Column("rotated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True)),
    )
    op.create_index("session_account", "session", ["account"])
    op.create_table(
        "revocation",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("regency", sa.Text, nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("subject", sa.Text(collation="C"), nullable=False),
        # Either a session, whatever its tokens say, or all tokens that were made from an older version of the account.
        sa.Column("session", UUID(as_uuid=True)),
        sa.Column("version", sa.Integer),
        sa.CheckConstraint("(session IS NULL) <> (version IS NULL)", name="revocation_of_one_kind"),
    )
    op.create_index("revocation_at", "revocation", ["at"])
    # A regency's role revokes for its own regency and reads none; the service's own login reads and forgets them all.
    op.execute("GRANT INSERT ON revocation TO catalog_regencies")
    op.execute("ALTER TABLE revocation ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY own_regency ON revocation FOR INSERT TO catalog_regencies"
        " WITH CHECK (current_user = 'catalog_' || replace(regency, '-', '_'))"
    )
    op.execute("CREATE POLICY service ON revocation FOR ALL USING (NOT pg_has_role(current_user, 'catalog_regencies', 'USAGE'))")


def downgrade() -> None:
    op.drop_table("revocation")
    op.drop_table("session")
