"""Hours of an agency at a site, and days on which other hours hold than in every week."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Id = sa.Text(collation="C")


def upgrade() -> None:
    # Empty: the agency is there as long as the site is open, also for a release that does not know the column.
    op.add_column("presence", sa.Column("hours", JSONB(none_as_null=True)))
    op.create_table(
        "hours",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        # Local dates as they are written, YYYY-MM-DD: bytewise order is the order of days.
        sa.Column("from", Id, nullable=False),
        sa.Column("to", Id, nullable=False),
        sa.Column("site", Id, sa.ForeignKey("site.id", name="hours_site_fkey")),
        sa.Column("agency", Id, sa.ForeignKey("agency.id", name="hours_agency_fkey")),
        sa.Column("hours", JSONB, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, sa.CheckConstraint("version > 0"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('national_holiday', 'joint_leave', 'regional_holiday', 'ramadan', 'closure', 'other')", name="hours_kind_check"
        ),
        sa.CheckConstraint('"from" <= "to"', name="hours_in_order"),
    )


def downgrade() -> None:
    op.drop_table("hours")
    op.drop_column("presence", "hours")
