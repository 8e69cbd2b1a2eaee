"""What citizens say of themselves: encrypted, found by keyed hash, beside the visit and gone before it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "0009"
down_revision = "0008"

INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("visit", UUID(as_uuid=False), sa.ForeignKey("visit.id"), primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("nik", sa.Text),
        sa.Column("nik_hash", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("phone_hash", sa.Text),
        # Ids of the keys that encrypted and hashed; they tell nothing about the keys.
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("hash_key", sa.Text, nullable=False),
        # The consent stays when what it was given for is gone: that it was given, and when it ended, must be shown.
        sa.Column("consent_version", sa.Date, nullable=False),
        sa.Column("purposes", ARRAY(sa.Text), nullable=False),
        sa.Column("consented_at", INSTANT, nullable=False),
        sa.Column("erased_at", INSTANT),
        sa.Column("erased_because", sa.Text),
        sa.CheckConstraint(
            "erased_at IS NULL OR (nik IS NULL AND nik_hash IS NULL AND phone IS NULL AND phone_hash IS NULL)", name="person_erased"
        ),
        sa.CheckConstraint("(erased_at IS NULL) = (erased_because IS NULL)", name="person_erased_because"),
        sa.CheckConstraint("(nik IS NULL) = (nik_hash IS NULL) AND (phone IS NULL) = (phone_hash IS NULL)", name="person_hashed"),
    )
    op.create_index("person_nik", "person", ["nik_hash"], postgresql_where=sa.text("nik_hash IS NOT NULL"))
    op.create_index("person_phone", "person", ["phone_hash"], postgresql_where=sa.text("phone_hash IS NOT NULL"))
    op.create_index("person_held", "person", ["business_date"], postgresql_where=sa.text("erased_at IS NULL"))
