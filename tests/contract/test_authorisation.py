"""The table of rules: complete, without what nobody asks for, and as the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.openapi.role_table import open_routes, role_table
from gateway.route import Route, Text
from gateway.routes import ROUTES
from services.contracts.authorisation import PUBLIC, ROLES, RULES, Rule, Scope, rule_of
from services.contracts.registry import CONTRACTS

pytestmark = pytest.mark.contract

README = Path(__file__).parents[2] / "gateway" / "README.md"


def test_every_command_and_query_has_one_rule_and_every_rule_a_method():
    asked = {(contract.owner, contract.name) for contract in CONTRACTS if contract.kind in ("command", "query")}
    assert {(owner, method) for owner, rules in RULES.items() for method in rules} == asked


def test_what_has_no_rule_has_no_route():
    with pytest.raises(LookupError, match=r"ticketing\.give_away has no rule"):
        rule_of("ticketing", "give_away")
    with pytest.raises(LookupError, match="needs either"):
        Route(method="GET", path="/v1/x", operation_id="x", summary=Text("x", "x"), tag="x", operation=lambda *_: None)  # type: ignore[arg-type]


def test_nothing_that_changes_something_is_public_but_what_has_no_account_by_its_nature():
    public = {contract.name for contract in CONTRACTS if contract.kind == "command" and rule_of(contract.owner, contract.name) == PUBLIC}
    assert public == {"unsubscribe"}


@pytest.mark.parametrize("role", [*ROLES, "whoever", "anonymous"])
def test_what_is_for_the_platform_itself_is_for_no_token(role: str):
    assert not Rule().admits(role, shows_ticket_token=True)
    assert Rule().admits("system", shows_ticket_token=False)


def test_a_slip_opens_only_what_says_so():
    followed = rule_of("ticketing", "get_ticket")
    assert followed.admits("anonymous", shows_ticket_token=True)
    assert not followed.admits("anonymous", shows_ticket_token=False)
    assert not rule_of("ticketing", "call_ticket").admits("anonymous", shows_ticket_token=True)
    assert {Scope.TICKET in route.rule.scopes for route in ROUTES if route.rule.ticket_token} == {True}


@pytest.mark.parametrize(("name", "made"), [("roles", role_table), ("open", open_routes)])
def test_the_documentation_shows_the_table(name: str, made):
    shown = README.read_text().partition(f"<!-- {name} -->")[2].partition(f"<!-- end of {name} -->")[0]
    assert shown.strip() == made().strip(), "python -m gateway.openapi.role_table prints it anew"
