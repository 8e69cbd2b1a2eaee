"""Every route with every role, at home and abroad: who gets through, and what the others hear."""

import re

import pytest

from gateway.routes import ROUTES
from services.chassis.context import ANONYMOUS, SYSTEM
from services.contracts.authorisation import ROLES
from services.contracts.examples import EXAMPLES

pytestmark = pytest.mark.unit

HOME, ABROAD = "lampung-timur", "lampung-tengah"
READERS = {"sites", "agencies", "services", "counters", "hours"}
SERVED = [route for route in ROUTES if route.rpc]
OF_REGENCY = [route for route in SERVED if route.of_regency]
NEEDING_A_ROLE = [route for route in OF_REGENCY if not route.rule.any_regency]

ALLOWED = {
    "listAccounts": "administrator auditor",
    "getAccount": "administrator auditor",
    "signOutAccount": "administrator",
    "createCode": "administrator",
    "pairDevice": "administrator",
    "signOutDevice": "administrator",
    "listDevices": "administrator auditor",
    "getDevice": "administrator auditor",
    "createHours": "supervisor administrator",
    "updateHours": "supervisor administrator",
    "issueTicket": "kiosk officer front_desk supervisor administrator",
    "listTickets": "officer front_desk supervisor administrator auditor",
    "getTicket": "officer front_desk supervisor administrator auditor",
    "streamTicket": "officer front_desk supervisor administrator auditor",
    "callTicket": "officer front_desk supervisor administrator",
    "recallTicket": "officer front_desk supervisor administrator",
    "checkIn": "officer front_desk supervisor administrator",
    "undoCall": "officer front_desk supervisor administrator",
    "holdTicket": "officer front_desk supervisor administrator",
    "resumeTicket": "officer front_desk supervisor administrator",
    "returnTicket": "officer front_desk supervisor administrator",
    "transferTicket": "officer front_desk supervisor administrator",
    "rejoinTicket": "officer front_desk supervisor administrator",
    "setPriority": "officer front_desk supervisor administrator",
    "confirmPrinting": "kiosk officer front_desk supervisor administrator",
    "startTicket": "officer front_desk supervisor administrator",
    "completeTicket": "officer front_desk supervisor administrator",
    "markNoShow": "officer front_desk supervisor administrator",
    "cancelTicket": "officer front_desk supervisor administrator",
    "callNext": "officer supervisor administrator",
    "openCounter": "officer supervisor administrator",
    "pauseCounter": "officer supervisor administrator",
    "closeCounter": "officer supervisor administrator",
    "getDesk": "officer front_desk supervisor administrator auditor",
    "getMyCounter": "officer front_desk supervisor administrator auditor",
    "listAudit": "administrator auditor",
    "exportAuditCsv": "administrator auditor",
    "exportAuditNdjson": "administrator auditor",
    "listEvents": "consumer supervisor administrator auditor",
    "listEventStreams": "consumer supervisor administrator auditor",
    "listWebhooks": "administrator auditor",
    "getWebhook": "administrator auditor",
    "listWebhookDeliveries": "administrator auditor",
    "listDeliveries": "administrator auditor",
    "deleteWebhook": "administrator",
    "rotateWebhookSecret": "administrator",
    "testWebhook": "administrator",
    "pauseWebhook": "administrator",
    "resumeWebhook": "administrator",
    "redeliverWebhook": "administrator",
    "redeliver": "supervisor administrator",
    "createSubscription": "officer front_desk supervisor administrator",
    "getSubscription": "officer front_desk supervisor administrator auditor",
    "deleteSubscription": "officer front_desk supervisor administrator",
    "getDailyReport": "officer front_desk supervisor administrator auditor",
    "getSkmReport": "officer front_desk supervisor administrator auditor",
    "submitSurvey": "kiosk",
    "listSurveys": "supervisor administrator auditor",
    "getPerson": "officer front_desk supervisor administrator",
    "revealPerson": "front_desk administrator",
    "findPersons": "front_desk administrator",
    "withdrawConsent": "administrator",
    "erasePerson": "administrator",
    "exportPerson": "administrator",
    "erasePersons": "administrator",
    "exportPersons": "administrator",
    "recordBreach": "administrator",
    "listBreaches": "administrator auditor",
    "getBreach": "administrator auditor",
}
CITIZENS = {"issueTicket", "submitSurvey"}
"""What citizens do without an account."""


WITH_A_SLIP = ("getTicket", "streamTicket", "cancelTicket", "rejoinTicket", "confirmPrinting")
OF_ONESELF = ("getPerson", "exportPerson", "withdrawConsent", "erasePerson")
SUBSCRIBING = ("createSubscription", "getSubscription", "deleteSubscription")


def roles_of(route):
    """The role matrix of the platform, written independently of the route table."""
    if route.operation_id in ALLOWED:
        return {*ALLOWED[route.operation_id].split(), "operator"}
    if re.match(r"(create|update)", route.operation_id):
        return {"administrator", "operator"}
    return set(ROLES)


def sent(edge, route, regency=HOME, **options):
    """Send a request that is right in every respect but, perhaps, who sends it."""
    example = EXAMPLES[route.rpc.service][route.rpc.method]
    values = {"regency": regency, **example}
    path = re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), route.path)
    required = [name for name, member in route.query.items() if route.payload_fields[member].required]
    if required:
        path += "?" + "&".join(f"{name}={example[route.query[name]]}" for name in required)
    body = {name: value for name, value in example.items() if name in route.body_fields}
    return edge.send(route.method, path, json_body=body if route.method != "GET" else None, **options)


def ids(route):
    return route.operation_id


@pytest.mark.parametrize("route", SERVED, ids=ids)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_through_or_hears_that_it_may_not(edge, problem_of, route, role):
    response = sent(edge, route, role=role)
    if role in roles_of(route):
        assert response.status_code == route.success, response.text
        several = {"streamTicket": 2, "listAudit": 4, "exportAuditCsv": 4, "exportAuditNdjson": 4, "exportPerson": 3, "exportPersons": 3}
        assert len(edge.services.calls) == several.get(route.operation_id, 1)
    else:
        problem = problem_of(response)
        assert (response.status_code, problem["code"]) == (403, "role_forbidden")
        assert role not in problem["roles"]
        assert edge.services.calls == []


@pytest.mark.parametrize("route", NEEDING_A_ROLE, ids=ids)
@pytest.mark.parametrize("role", [role for role in ROLES if role != "operator"])
def test_an_account_of_another_regency_is_refused_on_every_path_that_needs_a_role(edge, problem_of, route, role):
    problem = problem_of(sent(edge, route, role=role, regency=ABROAD))
    assert problem["code"] == "regency_forbidden"
    assert edge.services.calls == []


@pytest.mark.parametrize("route", NEEDING_A_ROLE, ids=ids)
def test_the_regency_is_refused_before_anything_of_the_request_is_looked_at(edge, problem_of, route):
    path = re.sub(r"\{regency\}", "no-such-regency", route.path).replace("{id}", "x").replace("{counter}", "x").replace("{webhook}", "x")
    response = edge.send(route.method, path + "?unknown=1", role="officer", regency=ABROAD, raw=b"{{{")
    assert problem_of(response)["code"] == "regency_forbidden"


@pytest.mark.parametrize("route", NEEDING_A_ROLE, ids=ids)
def test_the_operator_may_act_for_any_regency(edge, route):
    assert sent(edge, route, regency=ABROAD, role="operator").status_code == route.success


@pytest.mark.parametrize("route", SERVED, ids=ids)
def test_without_a_token_only_public_routes_and_what_citizens_do_work(edge, problem_of, route):
    response = sent(edge, route)
    open_to_all = (
        route.operation_id in {*CITIZENS, "unsubscribe"}
        or (route.method == "GET" and route.operation_id not in ALLOWED)
        or route.tag == "authentication"
    )
    if open_to_all:
        assert response.status_code == route.success
    else:
        assert problem_of(response)["code"] == "token_missing"
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", ROUTES, ids=ids)
@pytest.mark.parametrize("header", ["Bearer x", "Bearer", "Basic dXNlcjpwYXNz", "", "Bearer a.b.c", "Bearer " + "x" * 9000])
def test_a_token_that_is_none_is_refused_on_public_routes_too(edge, problem_of, route, header):
    path = route.path.replace("{regency}", HOME).replace("{id}", "x").replace("{counter}", "x").replace("{webhook}", "x")
    response = edge.send(route.method, path, headers={"Authorization": header})
    assert problem_of(response)["code"] == "token_invalid"
    assert edge.services.calls == []


@pytest.mark.parametrize("route", [r for r in OF_REGENCY if r.rule.any_regency], ids=ids)
def test_public_reads_are_open_to_accounts_of_other_regencies(edge, route):
    assert sent(edge, route, role="officer", regency=ABROAD).status_code == route.success
    assert edge.services.context.actor in (ANONYMOUS, SYSTEM)  # a service would refuse an actor of another regency


@pytest.mark.parametrize("operation_id", ["getTicket", "streamTicket", "cancelTicket", *SUBSCRIBING, *OF_ONESELF])
class TestTicketToken:
    """Who holds the ticket's own token may follow it and give it back."""

    def route(self, operation_id):
        return next(route for route in ROUTES if route.operation_id == operation_id)

    def test_it_stands_in_for_an_account(self, edge, operation_id):
        response = sent(edge, self.route(operation_id), headers={"Ticket-Token": "mY3vJ0pQ8sTz2wLr5bKc1A"})
        assert response.status_code == self.route(operation_id).success
        _, _, payload, context = edge.services.calls[0]
        assert payload["token"] == "mY3vJ0pQ8sTz2wLr5bKc1A"
        assert context.actor.role == "anonymous"

    def test_it_does_not_stand_in_for_an_account_of_another_regency(self, edge, problem_of, operation_id):
        headers = {"Ticket-Token": "mY3vJ0pQ8sTz2wLr5bKc1A"}
        response = sent(edge, self.route(operation_id), headers=headers, role="officer", regency=ABROAD)
        assert problem_of(response)["code"] == "regency_forbidden"

    @pytest.mark.parametrize("token", ["", " ", "x" * 201, "a b", "\x00", "é"])
    def test_one_that_cannot_be_one_is_a_wrong_one(self, edge, problem_of, operation_id, token):
        response = sent(edge, self.route(operation_id), headers={"Ticket-Token": token})
        assert problem_of(response)["code"] == "ticket_token_invalid"
        assert edge.services.calls == []


def test_a_ticket_token_opens_no_other_route(edge, problem_of):
    headers = {"Ticket-Token": "mY3vJ0pQ8sTz2wLr5bKc1A"}
    for route in NEEDING_A_ROLE:
        if route.operation_id not in (*WITH_A_SLIP, *CITIZENS, *SUBSCRIBING, *OF_ONESELF):
            assert problem_of(sent(edge, route, headers=headers))["code"] == "token_missing"


def test_the_actor_reaches_the_service_as_the_token_says(edge):
    token = edge.token("officer", HOME, ["CPL"])
    edge.send("POST", f"/v1/{HOME}/counters/sukadana-05/call-next", headers={"Authorization": f"Bearer {token}"})
    actor = edge.services.context.actor
    assert (actor.id, actor.role, actor.regency, actor.agencies) == ("officer@lampung-timur", "officer", HOME, ("CPL",))
    assert edge.services.context.regency == HOME
