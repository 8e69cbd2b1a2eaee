"""The audit trail of what belongs to no regency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text) for name in ("actor", "role", "action", "kind", "subject", "site", "agency", "counter")),
        *(sa.Column(name, JSONB) for name in ("before", "after")),
        *(sa.Column(name, sa.Text) for name in ("refused", "command_id", "client", "traceparent")),
    )
    op.create_index("audit_log_at", "audit_log", ["at", "id"])
    op.create_table(
        "audit_seal",
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("entry", sa.BigInteger, nullable=False, unique=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_cut",
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("cut_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
