"""The audit trail: what was changed, from where, and a chain of hashes over it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Without defaults: nothing is rewritten, and a release that does not know them goes on writing its rows.
    for name in ("kind", "site", "agency", "counter", "refused", "client", "traceparent"):
        op.add_column("audit_log", sa.Column(name, sa.Text))
    for name in ("before", "after"):
        op.add_column("audit_log", sa.Column(name, JSONB))
    op.drop_index("audit_log_at", "audit_log")
    op.create_index("audit_log_at", "audit_log", ["at", "id"])
    op.create_index("audit_log_subject", "audit_log", ["subject", "at"])
    # Beside the rows, not in them: a row is written once and needs no right to be changed.
    op.create_table(
        "audit_seal",
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, nullable=False, unique=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    # Where a chain begins whose oldest part was taken away when its time was over.
    op.create_table(
        "audit_cut",
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("cut_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
