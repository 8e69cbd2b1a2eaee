"""All SQL is parameterised.

A role per regency stops a forgotten filter and a wrong join, but not SQL that sets another role. So no text from outside may
become SQL: every statement is a constant, and values travel as parameters.
"""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

HOUSE = Path(__file__).resolve().parents[3]
EXEMPT = {"services/chassis/provisioning.py"}
"""Runs as administrator and quotes identifiers itself; its names come from `tenancy`."""

RAW = {"text", "exec_driver_sql", "literal_column", "DDL"}


def statements(module: Path) -> list[ast.Call]:
    """Calls that turn a text into SQL."""
    calls = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
    return [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", None)) in RAW and call.args]


def constants(module: Path) -> set[str]:
    """Names that the module binds to a plain text at its top."""
    assigned = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.Assign) and is_plain(node.value)]
    return {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}


def is_plain(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


MODULES = sorted(
    module
    for module in [*HOUSE.glob("services/**/*.py"), *HOUSE.glob("gateway/**/*.py")]
    if "migrations" not in module.parts and str(module.relative_to(HOUSE)) not in EXEMPT
)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(HOUSE)))
def test_every_statement_is_a_constant(module):
    known = constants(module)
    composed = [
        f"line {call.lineno}"
        for call in statements(module)
        if not is_plain(call.args[0]) and not (isinstance(call.args[0], ast.Name) and call.args[0].id in known)
    ]
    assert composed == []


def test_the_rule_finds_composed_sql(tmp_path):
    module = tmp_path / "store.py"
    module.write_text('import sqlalchemy as sa\nsa.text(f"SELECT * FROM {table}")\nsa.text("SELECT " + column)\n')
    assert len(statements(module)) == 2
    assert not any(is_plain(call.args[0]) for call in statements(module))
