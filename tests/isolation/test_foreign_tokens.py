"""Whoever belongs to one regency is refused on every path of another that is not a public read, by gateway and by services."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from marshmallow import ValidationError

from gateway.route import Route
from gateway.routes import ROUTES
from services.chassis.context import ANONYMOUS, UNBOUND_ROLES, Actor
from services.chassis.errors import DomainError
from services.chassis.settings import SERVICES
from services.contracts.authorisation import ROLES, rule_of
from services.contracts.registry import CONTRACTS, PLATFORM, Contract
from tests.platform.deployment import OPERATOR, DeployedPlatform
from tests.platform.journeys import LAMPUNG_TIMUR, take_number

pytestmark = [pytest.mark.isolation, pytest.mark.slow]

Figures = Callable[[str], None]

HOME, ABROAD = "lampung-tengah", "lampung-timur"
STRANGERS = ("officer", "frontdesk", "supervisor", "admin", "auditor", "kiosk", "display")
GUARDED = [route for route in ROUTES if route.of_regency and not route.rule.any_regency]
OPEN = [route for route in ROUTES if route.of_regency and route.rule.any_regency]
PUBLIC = [route for route in OPEN if route.method == "GET"]
WITHOUT_ACCOUNT = {"unsubscribe"}
"""What a mail program does for its reader, who has no account: the id that nobody can guess is the right to it."""
BODIES: dict[str, dict[str, Any]] = {
    "issueTicket": {"site": "sukadana", "service": "CPL-KTP", "channel": "front_desk"},
    "callTicket": {"counter": "sukadana-05"},
    "updateSite": {"accepting": False},
    "updateAccount": {"active": False},
}
IDS = {
    "sites": "sukadana",
    "agencies": "CPL",
    "services": "CPL-KTP",
    "counters": "sukadana-05",
    "hours": "idulfitri-2026",
    "accounts": "officer@lampung-timur",
    "devices": "kiosk@lampung-timur",
}


def ids(route: Route) -> str:
    return route.operation_id


@pytest.fixture(scope="module")
def ticket(deployed_platform: DeployedPlatform) -> dict[str, Any]:
    """A ticket that waits at Lampung Timur."""
    taken: dict[str, Any] = take_number(deployed_platform.client(), LAMPUNG_TIMUR, "CPL-KTP").body
    return taken


def path_of(route: Route, regency: str, ticket: dict[str, Any]) -> str:
    """A path of the route to something that exists."""
    kind = route.path.split("/")[3]
    values = {"regency": regency, "site": "sukadana", "id": IDS.get(kind, ticket["id"]), "counter": "sukadana-05", "webhook": ticket["id"]}
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], route.path)


def books(platform: DeployedPlatform) -> tuple[Any, ...]:
    """All that a stranger could have changed."""
    auditor = platform.client(f"auditor@{ABROAD}")
    return tuple(auditor.pages(f"/v1/{ABROAD}/{kind}") for kind in ("tickets", *IDS))


def test_the_walk_covers_every_guarded_route():
    assert {route.method for route in GUARDED} == {"GET", "POST", "PATCH", "DELETE"}
    assert len(GUARDED) >= 26
    writes = {route.operation_id for route in OPEN if route.method != "GET"}
    assert writes == WITHOUT_ACCOUNT, "something that is not a read is open to everybody"


@pytest.mark.parametrize("route", GUARDED, ids=ids)
def test_a_stranger_is_refused_on_every_guarded_path(route: Route, deployed_platform: DeployedPlatform, ticket: dict[str, Any]):
    body = None if route.method == "GET" else BODIES.get(route.operation_id, {})
    for name in STRANGERS:
        client = deployed_platform.client(f"{name}@{HOME}")
        answer = client.request(route.method, path_of(route, ABROAD, ticket), body, headers={"Ticket-Token": ticket["token"]})
        assert (answer.status, answer.code) == (403, "regency_forbidden"), (name, answer)
        assert answer.headers["content-type"] == "application/problem+json"


def test_strangers_have_changed_nothing(deployed_platform: DeployedPlatform, ticket: dict[str, Any], figures: Figures):
    before = books(deployed_platform)
    clients = [deployed_platform.client(f"{name}@{HOME}") for name in STRANGERS]
    statuses = [
        client.request(route.method, path_of(route, ABROAD, ticket), BODIES.get(route.operation_id, {})).status
        for route in GUARDED
        if route.method != "GET"
        for client in clients
    ]
    assert set(statuses) == {403}
    assert books(deployed_platform) == before
    figures(f"{len(GUARDED)} guarded routes x {len(STRANGERS)} roles: all 403 regency_forbidden; {len(statuses)} writes changed nothing")


@pytest.mark.parametrize("regency", ["no-such-regency", ABROAD], ids=["unknown regency", "known regency"])
def test_the_refusal_tells_nothing_about_what_exists(regency: str, deployed_platform: DeployedPlatform):
    officer = deployed_platform.client(f"officer@{HOME}")
    for path in ("tickets/00000000-0000-0000-0000-000000000000", "accounts/nobody@lampung-timur", "tickets"):
        answer = officer.get(f"/v1/{regency}/{path}")
        assert (answer.status, answer.code) == (403, "regency_forbidden")


def test_what_hangs_on_the_wall_everybody_may_read(deployed_platform: DeployedPlatform, ticket: dict[str, Any]):
    officer = deployed_platform.client(f"officer@{HOME}")
    for route in PUBLIC:
        method = "HEAD" if route.streams else "GET"  # a stream has no end to wait for
        assert officer.request(method, path_of(route, ABROAD, ticket)).status == 200, route.operation_id


def test_at_home_the_same_token_opens_the_same_routes(deployed_platform: DeployedPlatform):
    """Without this, a gateway that refuses everybody would pass."""
    admin, officer = (deployed_platform.client(f"{name}@{HOME}") for name in ("admin", "officer"))
    for kind in IDS:
        assert admin.get(f"/v1/{HOME}/{kind}").status == 200
    issued = officer.post(f"/v1/{HOME}/tickets", {"site": "gunung-sugih", "service": "PTS-IZP", "channel": "front_desk"})
    assert issued.status == 201
    assert officer.post(f"/v1/{HOME}/tickets/{issued.body['id']}/cancel").status == 200


def test_without_a_token_guarded_paths_ask_for_one(deployed_platform: DeployedPlatform, ticket: dict[str, Any]):
    client = deployed_platform.client()
    for route in GUARDED:
        if not route.rule.anonymous:
            answer = client.request(route.method, path_of(route, ABROAD, ticket), None if route.method == "GET" else {})
            assert (answer.status, answer.code) == (401, "token_missing"), route.operation_id
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_operator_acts_for_every_regency(deployed_platform: DeployedPlatform):
    operator = deployed_platform.client(OPERATOR)
    for regency in (HOME, ABROAD):
        assert operator.get(f"/v1/{regency}/accounts").status == 200


# --- past the gateway

OF_NO_REGENCY = {
    *("list_regencies", "get_regency", "sign_in", "refresh_session", "sign_out", "set_password", "begin_pairing", "claim_pairing"),
    *("get_token_state", "stream_heads", "begin_page_session", "renew_page_session", "end_page_session"),
    *("list_identity_providers", "begin_provider_sign_in", "finish_provider_sign_in"),
}


def calls() -> list[tuple[str, Contract]]:
    """Every command and query of every service that concerns one regency."""
    owned = [contract for contract in CONTRACTS if contract.kind in ("command", "query") and contract.name not in OF_NO_REGENCY]
    return [(service, contract) for contract in owned for service in (SERVICES if contract.owner == PLATFORM else (contract.owner,))]


@pytest.mark.parametrize(("service", "contract"), calls(), ids=lambda value: value if isinstance(value, str) else value.name)
def test_a_service_refuses_a_stranger_by_itself(service: str, contract: Contract, deployed_platform: DeployedPlatform):
    """Should the gateway ever let a forged path through, or somebody else speak to the services."""
    for role in ("officer", "front_desk", "supervisor", "administrator", "auditor", "kiosk", "display", "citizen", "whoever"):
        assert role not in UNBOUND_ROLES
        stranger = Actor(f"{role}@{HOME}", role, HOME)
        with pytest.raises(DomainError) as refused:
            deployed_platform.call(service, contract.name, contract.example, regency=ABROAD, actor=stranger)
        assert refused.value.code == "regency_forbidden", role


@pytest.mark.parametrize(("service", "contract"), calls(), ids=lambda value: value if isinstance(value, str) else value.name)
def test_a_service_refuses_a_role_of_the_own_regency_by_itself(service: str, contract: Contract, deployed_platform: DeployedPlatform):
    """What the example is about need not exist: who may not ask hears that first, and the others hear something else."""
    payload = {name: value for name, value in contract.example.items() if name != "token"}
    rule = rule_of(service, contract.name)
    for role in (*ROLES, "anonymous", "whoever"):
        actor = ANONYMOUS if role == "anonymous" else Actor(f"{role}@{HOME}", role, None if role == "operator" else HOME)
        heard = code_of(partial(deployed_platform.call, service, contract.name, payload, regency=HOME, actor=actor))
        assert (heard == "role_forbidden") is not rule.admits(role, shows_ticket_token=False), (role, heard)


def code_of(call: Callable[[], Any]) -> str | None:
    """The code of the refusal, if it is one."""
    try:
        call()
    except (DomainError, ValidationError) as refused:
        return getattr(refused, "code", "payload_invalid")
    return None


def test_a_call_without_a_regency_reaches_none(deployed_platform: DeployedPlatform):
    for service, contract in calls():
        with pytest.raises(DomainError) as refused:
            deployed_platform.call(service, contract.name, contract.example, regency=None)
        assert refused.value.code == "regency_unknown", (service, contract.name)
