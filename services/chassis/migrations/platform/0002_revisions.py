"""How far each regency's schema is, so that a program sees at once which regencies are behind it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("regency", sa.Column("chassis_revision", sa.Text, nullable=False, server_default="0000"))
    op.add_column("regency", sa.Column("service_revision", sa.Text, nullable=False, server_default="0000"))
