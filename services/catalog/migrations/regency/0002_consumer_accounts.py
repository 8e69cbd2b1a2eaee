"""Accounts of programs outside that read events."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = "account_role_check"
BEFORE = ("officer", "front_desk", "supervisor", "administrator", "auditor")


def upgrade() -> None:
    replace_check((*BEFORE, "consumer"))


def downgrade() -> None:
    replace_check(BEFORE)


def replace_check(roles: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{role}'" for role in roles)
    op.drop_constraint(NAME, "account", type_="check")
    op.create_check_constraint(NAME, "account", f"role IN ({listed})")
