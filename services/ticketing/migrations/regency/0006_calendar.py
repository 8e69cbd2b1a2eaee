"""Special hours are found by their days; which closures of today were told."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index(
        "catalog_copy_hours",
        "catalog_copy",
        [sa.text("(data->>'to')"), sa.text("(data->>'from')")],
        postgresql_where=sa.text("kind = 'hours'"),
    )
    # A closure of a site's day, or of an agency there (the whole site: an empty agency), that was told and holds.
    op.create_table(
        "closure",
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("opens_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("closed_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("site", "business_date", "agency"),
    )
