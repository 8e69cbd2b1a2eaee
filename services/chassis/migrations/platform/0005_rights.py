"""Which rights a regency's tables were given: what has them already is left alone by the next `mpp migrate`."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("regency", sa.Column("rights", sa.Text, nullable=False, server_default=""))
