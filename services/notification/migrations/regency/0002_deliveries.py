"""Webhooks, subscriptions, and what is on its way to them, of one regency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "0002"
down_revision = "0001"

INSTANT = sa.TIMESTAMP(timezone=True)
KEY = UUID(as_uuid=False)


def upgrade() -> None:
    # When the ticket ended, for the erasure of addresses; no longer null for a no-show until it rejoins.
    op.add_column("followed_ticket", sa.Column("ended_at", INSTANT))
    op.create_table(
        "webhook",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", ARRAY(sa.Text), nullable=False),
        sa.Column("site", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("status", sa.Text, nullable=False, server_default="active"),
        sa.Column("paused_reason", sa.Text),
        sa.Column("paused_at", INSTANT),
        # Encrypted; the old one signs too until it ends.
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("old_secret", sa.Text),
        sa.Column("old_secret_until", INSTANT),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failing_since", INSTANT),
        sa.Column("resting_until", INSTANT),
        sa.Column("last_success_at", INSTANT),
        sa.Column("last_failure_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.CheckConstraint("status IN ('active', 'paused')", name="webhook_status"),
        sa.CheckConstraint("(status = 'paused') = (paused_reason IS NOT NULL)", name="webhook_paused_reason"),
    )
    op.create_table(
        "subscription",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("ticket", KEY, nullable=False),
        # Encrypted; found again by its keyed hash.
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("address_hash", sa.Text, nullable=False),
        sa.Column("masked", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("kinds", ARRAY(sa.Text), nullable=False),
        # The ticket's version when it was made: what happened before is not told.
        sa.Column("from_version", sa.Integer, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.UniqueConstraint("ticket", "address_hash", name="subscription_once"),
        sa.CheckConstraint("locale IN ('id', 'en')", name="subscription_locale"),
    )
    # The event as it was published, as long as a delivery may need it.
    op.create_table(
        "published_event",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("id", KEY, primary_key=True, server_default=sa.text("uuidv7()")),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("webhook", KEY, sa.ForeignKey("webhook.id", ondelete="CASCADE")),
        sa.Column("subscription", KEY, sa.ForeignKey("subscription.id", ondelete="CASCADE")),
        sa.Column("event_id", KEY, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("ticket", KEY),
        sa.Column("version", sa.Integer),
        sa.Column("state", sa.Text, nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", INSTANT),
        # Who is at it (a random id per attempt), and until when nobody else may be.
        sa.Column("claim", KEY),
        sa.Column("lease_until", INSTANT),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT),
        sa.UniqueConstraint("webhook", "event_id", name="delivery_once_to_webhook"),
        sa.UniqueConstraint("subscription", "version", name="delivery_once_to_address"),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'handing_over', 'delivered', 'failed', 'superseded', 'uncertain', 'discarded')",
            name="delivery_state",
        ),
        sa.CheckConstraint(
            "(channel = 'webhook' AND webhook IS NOT NULL) OR (channel = 'email' AND subscription IS NOT NULL)",
            name="delivery_channel",
        ),
        sa.CheckConstraint("(state = 'pending') = (next_attempt_at IS NOT NULL)", name="delivery_due"),
    )
    pending = sa.text("state = 'pending'")
    op.create_index("delivery_due_webhook", "delivery", ["webhook", "next_attempt_at"], postgresql_where=pending)
    op.create_index("delivery_due_channel", "delivery", ["channel", "next_attempt_at"], postgresql_where=pending)
    under_way, waiting_mail = sa.text("state IN ('sending', 'handing_over')"), sa.text("state = 'pending' AND channel = 'email'")
    op.create_index("delivery_under_way", "delivery", ["webhook", "lease_until"], postgresql_where=under_way)
    op.create_index("delivery_waiting_mail", "delivery", ["ticket"], postgresql_where=waiting_mail)
    op.create_index("delivery_event", "delivery", ["event_id"])
