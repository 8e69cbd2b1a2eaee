"""Where deliveries are due: written with the delivery, so that nobody has to look into every regency to find it."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "delivery_hint",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("regency", sa.Text, nullable=False),
        sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    op.create_index("delivery_hint_due_at", "delivery_hint", ["due_at"])
    # A regency's role leaves hints for its own regency and reads none; the service's own login takes them all.
    op.execute("GRANT INSERT ON delivery_hint TO notification_regencies")
    op.execute("ALTER TABLE delivery_hint ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY own_regency ON delivery_hint FOR INSERT TO notification_regencies"
        " WITH CHECK (current_user = 'notification_' || replace(regency, '-', '_'))"
    )
    op.execute("CREATE POLICY service ON delivery_hint FOR ALL USING (NOT pg_has_role(current_user, 'notification_regencies', 'USAGE'))")
