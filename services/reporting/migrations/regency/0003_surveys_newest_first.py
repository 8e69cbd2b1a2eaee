"""Answered surveys, newest first."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("survey_listing", "survey", ["submitted_at", "id"])
