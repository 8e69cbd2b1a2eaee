"""Catalogue of one regency: its facts, sites, agencies, services, counters, staff accounts and devices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Identifiers compare bytewise: their order, and with it every cursor, does not depend on the server's locale.
Id = sa.Text(collation="C")


def upgrade() -> None:
    op.create_table(
        "regency",
        sa.Column("id", Id, primary_key=True),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("province", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("capital", sa.Text, nullable=False),
        version(),
    )
    op.create_table(
        "site",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("accepting", sa.Boolean, nullable=False),
        sa.Column("enforce_hours", sa.Boolean, nullable=False),
        sa.Column("channels", ARRAY(sa.Text), nullable=False),
        sa.Column("hours", JSONB, nullable=False),
        sa.Column("policy", JSONB, nullable=False),
        sa.Column("milestones", JSONB, nullable=False),
        sa.Column("agreements", JSONB, nullable=False),
        version(),
        one_of("stage", "planned", "soft_opening", "trial", "verified", "inaugurated"),
        sa.CheckConstraint("channels <@ ARRAY['kiosk', 'web', 'front_desk']", name="site_channels_check"),
    )
    op.create_table(
        "agency",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        version(),
        one_of("kind", "regency", "vertical", "enterprise", "small_business"),
    )
    op.create_table(
        "presence",
        sa.Column("site", Id, sa.ForeignKey("site.id", name="presence_site_fkey"), nullable=False),
        sa.Column("agency", Id, sa.ForeignKey("agency.id", name="presence_agency_fkey"), nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("site", "agency", name="presence_pkey"),
        sa.UniqueConstraint("site", "prefix", name="presence_site_prefix_key"),
    )
    op.create_index("presence_agency", "presence", ["agency"])
    op.create_table(
        "service",
        sa.Column("id", Id, primary_key=True),
        sa.Column("agency", Id, sa.ForeignKey("agency.id", name="service_agency_fkey"), nullable=False),
        sa.Column("code", Id, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("requirements", JSONB, nullable=False),
        sa.Column("default", sa.Boolean, nullable=False),
        sa.Column("promised_minutes", sa.Integer),
        sa.Column("active", sa.Boolean, nullable=False),
        version(),
        sa.UniqueConstraint("agency", "code", name="service_agency_code_key"),
        sa.CheckConstraint("promised_minutes > 0", name="service_promised_minutes_check"),
    )
    op.create_table(
        "counter",
        sa.Column("id", Id, primary_key=True),
        sa.Column("site", Id, sa.ForeignKey("site.id", name="counter_site_fkey"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("agency", Id),
        sa.Column("active", sa.Boolean, nullable=False),
        version(),
        sa.UniqueConstraint("site", "number", name="counter_site_number_key"),
        sa.CheckConstraint("number > 0", name="counter_number_check"),
        # An agency cannot leave a site where it still has counters; without an agency (shared counter) nothing is
        # checked.
        sa.ForeignKeyConstraint(["site", "agency"], ["presence.site", "presence.agency"], name="counter_presence_fkey"),
    )
    op.create_index("counter_presence", "counter", ["agency", "site"])
    op.create_table(
        "counter_service",
        sa.Column("counter", Id, sa.ForeignKey("counter.id", name="counter_service_counter_fkey"), nullable=False),
        sa.Column("service", Id, sa.ForeignKey("service.id", name="counter_service_service_fkey"), nullable=False),
        sa.PrimaryKeyConstraint("counter", "service", name="counter_service_pkey"),
    )
    op.create_index("counter_service_service", "counter_service", ["service"])
    op.create_table(
        "account",
        sa.Column("id", Id, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("agencies", ARRAY(sa.Text)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        version(),
        one_of("role", "officer", "front_desk", "supervisor", "administrator", "auditor"),
    )
    op.create_table(
        "device",
        sa.Column("id", Id, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("site", Id, sa.ForeignKey("site.id", name="device_site_fkey")),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        version(),
        one_of("kind", "kiosk", "display"),
    )
    op.create_index("device_site", "device", ["site"])


def downgrade() -> None:
    for table in ("device", "account", "counter_service", "counter", "service", "presence", "agency", "site", "regency"):
        op.drop_table(table)


def version() -> sa.Column[int]:
    """Raised by one at each change; callers compare it (`If-Match`), consumers of events keep the highest."""
    return sa.Column("version", sa.Integer, sa.CheckConstraint("version > 0"), nullable=False)


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """Text with a check instead of an ENUM, whose type would differ in every regency's schema."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})")
