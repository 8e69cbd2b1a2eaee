"""Answered surveys; visits of facts, and time zones of sites."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0002"
down_revision = "0001"

_ELEMENTS = (
    *("requirements", "procedure", "time", "cost", "product"),
    *("competence", "behaviour", "complaint_handling", "facilities"),
)


def upgrade() -> None:
    # Own facts: nobody else has them, so no rebuild may touch them. One answer per visit, whatever a program does wrong.
    op.create_table(
        "survey",
        sa.Column("id", UUID(as_uuid=False), primary_key=True),
        sa.Column("visit", UUID(as_uuid=False), nullable=False),
        sa.Column("ticket", UUID(as_uuid=False), nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("submitted_at", sa.TIMESTAMP(timezone=True), nullable=False),
        *(sa.Column(f"score_{element}", sa.SmallInteger) for element in _ELEMENTS),
        sa.Column("comment", sa.Text),
        sa.UniqueConstraint("visit", name="survey_visit"),
        *(sa.CheckConstraint(f"score_{element} BETWEEN 1 AND 4", name=f"survey_score_{element}") for element in _ELEMENTS),
    )
    op.create_index("survey_day", "survey", ["business_date", "site"])
    # Empty in what the release before has written: such a fact counts as a visit of its own, such a site has no today.
    op.add_column("ticket_fact", sa.Column("visit", UUID(as_uuid=False)))
    op.add_column("site", sa.Column("timezone", sa.Text))
    op.create_index("ticket_fact_served", "ticket_fact", ["business_date", "site"], postgresql_where=sa.text("status = 'completed'"))
