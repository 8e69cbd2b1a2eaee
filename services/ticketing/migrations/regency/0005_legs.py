"""Visits of several legs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Empty for all visits to one public service, which are nearly all; the index holds the others only.
    op.add_column("ticket", sa.Column("leg", sa.SmallInteger))
    op.create_index("ticket_legs", "ticket", ["visit", "leg"], postgresql_where=sa.text("leg IS NOT NULL"))
