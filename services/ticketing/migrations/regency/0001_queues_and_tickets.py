"""Copy of the catalogue, queue days, visits and tickets of one regency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None

_STATES = (
    "'reserved', 'printing', 'waiting', 'called', 'serving', 'on_hold',"
    " 'completed', 'no_show', 'transferred', 'cancelled', 'expired', 'void'"
)


def upgrade() -> None:
    # What ticketing must know of the catalogue, so that it works while the catalogue is down.
    op.create_table(
        "catalog_copy",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("kind", "id"),
    )
    # The row that every command of a site's day locks first; it also counts the numbers given out, by prefix.
    op.create_table(
        "queue_day",
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("numbers", JSONB, nullable=False),
        sa.Column("opened_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closes_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("site", "business_date"),
    )
    op.create_index("queue_day_due", "queue_day", ["closes_at"], postgresql_where=sa.text("closed_at IS NULL"))
    op.create_table(
        "visit",
        sa.Column("id", UUID(as_uuid=False), primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("arrived_at", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    op.create_table(
        "ticket",
        sa.Column("id", UUID(as_uuid=False), primary_key=True),
        sa.Column("visit", UUID(as_uuid=False), sa.ForeignKey("visit.id"), nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("priority_class", sa.Text),
        sa.Column("arrived_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("issued_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("counter", sa.Text),
        sa.Column("recalls", sa.Integer, nullable=False),
        sa.Column("returns", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("periods", JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.UniqueConstraint("site", "prefix", "business_date", "number", name="ticket_number"),
        sa.CheckConstraint(f"status IN ({_STATES})", name="ticket_status"),
        sa.CheckConstraint("number >= 1", name="ticket_number_positive"),
    )
    # The queue itself, in the order of calling: the cost of the next call does not grow with past tickets.
    op.create_index(
        "ticket_queue",
        "ticket",
        ["site", "business_date", "service", sa.text("(priority_class IS NULL)"), "arrived_at", "number"],
        postgresql_where=sa.text("status = 'waiting'"),
    )
    # One call and one service at a counter at a time, whatever a program does wrong.
    for state in ("called", "serving"):
        op.create_index(f"ticket_{state}_at_counter", "ticket", ["counter"], unique=True, postgresql_where=sa.text(f"status = '{state}'"))
    op.create_index(
        "ticket_open",
        "ticket",
        ["site", "business_date"],
        postgresql_where=sa.text("status IN ('reserved', 'printing', 'waiting', 'called', 'serving', 'on_hold')"),
    )
    op.create_index("ticket_listing", "ticket", ["issued_at", "id"])
    # How long serving takes of late, per service: for estimates.
    op.create_table(
        "service_pace",
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("mean_seconds", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("site", "service"),
    )
