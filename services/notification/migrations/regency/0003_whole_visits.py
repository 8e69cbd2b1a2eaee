"""A subscription is a wish about the whole visit: it follows to the ticket of a transfer and of each further service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0003"
down_revision = "0002"

KEY = UUID(as_uuid=False)


def upgrade() -> None:
    # Empty for what the release before has written and still writes: those are told of their ticket alone.
    op.add_column("subscription", sa.Column("visit", KEY))
    # The subscription that somebody made, and that this one goes and changes with.
    op.add_column("subscription", sa.Column("follows", KEY, sa.ForeignKey("subscription.id", ondelete="CASCADE")))
    op.create_index("subscription_visit", "subscription", ["visit"])
    op.create_index("subscription_follows", "subscription", ["follows"], postgresql_where=sa.text("follows IS NOT NULL"))
