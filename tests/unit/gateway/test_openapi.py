"""The OpenAPI document says what the gateway does."""

import json
import re

import pytest
import structlog
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from gateway.openapi import openapi_document
from gateway.openapi.descriptions import DESCRIPTIONS, own_description
from gateway.openapi.other_answers import OTHER_ANSWERS
from gateway.openapi.problem_answers import problem_codes
from gateway.routes import ROUTES
from services.chassis.errors import DomainError
from services.contracts.problems import PROBLEMS
from tests.unit.gateway.conftest import problem_in

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def document():
    return openapi_document(ROUTES, "en")


def operations(document):
    return {operation["operationId"]: operation for methods in document["paths"].values() for operation in methods.values()}


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_it_is_served_in_both_languages(edge):
    english = edge.send("GET", "/openapi.json", headers={"Accept-Language": "en"})
    indonesian = edge.send("GET", "/openapi.json")
    assert english.json["openapi"].startswith("3.1")
    assert english.json["info"]["title"] != indonesian.json["info"]["title"]
    assert english.json["paths"].keys() == indonesian.json["paths"].keys()


def test_every_route_is_described(document):
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES}


def test_every_reference_leads_somewhere(document):
    for reference in set(references(document)):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_problem_code_is_published():
    for route in ROUTES:
        assert problem_codes(route) <= PROBLEMS.keys(), route.operation_id


def test_every_problem_of_a_route_is_documented_under_its_status(document):
    described = operations(document)
    for route in ROUTES:
        for code in problem_codes(route):
            response = described[route.operation_id]["responses"][str(PROBLEMS[code].status)]
            schema = response["content"]["application/problem+json"]["schema"]
            assert code in schema["allOf"][1]["properties"]["code"]["enum"]


def test_a_route_of_the_queue_documents_what_its_use_case_refuses_and_no_more():
    forbidden = {"agency_forbidden", "counter_forbidden"}
    of_ticket = {"ticket_unknown", "ticket_state_conflict"} | forbidden
    at_counter = {"counter_unknown", "counter_inactive", "counter_busy", "counter_not_open"} | forbidden
    of_counter = {"counter_unknown", "counter_inactive"} | forbidden
    documented = {route.operation_id: set(route.problems) for route in ROUTES if route.tag == "tickets"}
    assert documented == {
        "issueTicket": {
            *(
                "site_unknown",
                "service_unknown",
                "agency_unknown",
                "site_not_accepting",
                "site_closed",
                "agency_closed",
                "channel_not_allowed",
            ),
            *("service_not_offered", "service_inactive", "prerequisites_circular", "day_closed", "agency_forbidden"),
            *("consent_required", "personal_data_off", "already_queued"),
        },
        "listTickets": set(),
        "getTicket": {"ticket_unknown"},
        "streamTicket": {"ticket_unknown", "site_unknown", "too_many_streams"},
        "callNext": at_counter,
        "openCounter": of_counter | {"counter_taken", "officer_elsewhere"},
        "pauseCounter": of_counter | {"counter_taken", "counter_not_open"},
        "closeCounter": of_counter | {"counter_taken", "counter_not_open", "counter_busy"},
        "getDesk": of_counter,
        "getMyCounter": set(),
        "callTicket": of_ticket | at_counter | {"counter_does_not_serve", "day_closed"},
        "recallTicket": of_ticket | {"recall_limit_reached", "recall_too_soon"},
        "checkIn": of_ticket | {"visit_busy", "day_closed"},
        "undoCall": of_ticket | {"undo_too_late", "day_closed"},
        "holdTicket": of_ticket,
        "resumeTicket": of_ticket | at_counter | {"counter_does_not_serve", "day_closed"},
        "returnTicket": of_ticket | {"day_closed"},
        "transferTicket": of_ticket
        | {
            "service_unknown",
            "agency_unknown",
            "service_inactive",
            "service_not_offered",
            "transfer_to_itself",
            "day_closed",
            "site_closed",
            "agency_closed",
        },
        "rejoinTicket": of_ticket | {"rejoin_limit_reached", "visit_busy", "day_closed"},
        "setPriority": of_ticket,
        "confirmPrinting": of_ticket | {"day_closed"},
        "startTicket": of_ticket | {"counter_busy"},
        "completeTicket": of_ticket | {"collect_date_past"},
        "markNoShow": of_ticket,
        "cancelTicket": of_ticket,
    }


def test_every_path_parameter_is_described(document):
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))


def test_bodies_are_closed_and_answers_open(document):
    create = operations(document)["createSite"]
    body = create["requestBody"]["content"]["application/json"]["schema"]
    assert body["additionalProperties"] is False
    assert body["properties"]["policy"]["additionalProperties"] is False
    assert "additionalProperties" not in document["components"]["schemas"]["Site"]


def test_a_body_names_nothing_that_comes_from_elsewhere(document):
    update = operations(document)["updateSite"]["requestBody"]["content"]["application/json"]
    assert not {"id", "if_match"} & update["schema"]["properties"].keys()
    assert not {"id", "if_match"} & update["example"].keys()


def test_security_follows_the_access_rules(document):
    described = operations(document)
    assert described["listSites"]["security"] == []
    assert described["listTickets"]["security"] == [{"accessToken": []}]
    assert described["getTicket"]["security"] == [{"accessToken": []}, {"ticketToken": []}]
    assert described["issueTicket"]["security"] == [{"accessToken": []}, {}]
    assert described["callNext"]["x-roles"] == ["administrator", "officer", "supervisor", "operator"]


def test_headers_are_described(document):
    described = operations(document)
    assert "Location" in described["issueTicket"]["responses"]["201"]["headers"]
    assert "ETag" in described["getSite"]["responses"]["200"]["headers"]
    assert {"If-Match", "Idempotency-Key"} <= {p["name"] for p in described["updateSite"]["parameters"]}
    assert "204" in described["callNext"]["responses"]
    assert "304" in described["getSite"]["responses"]


def test_the_document_is_the_same_at_every_start(document):
    assert json.dumps(document) == json.dumps(openapi_document(ROUTES, "en"))


@pytest.mark.parametrize(("code", "told"), [("site_unknown", []), ("counter_busy", ["counter_busy"])])
def test_an_answer_that_the_document_lacks_is_told_to_its_keepers(edge, code, told):
    edge.services.answers["get_site"] = DomainError(code)
    with structlog.testing.capture_logs() as logged:
        assert problem_in(edge.send("GET", "/v1/lampung-timur/sites/sukadana"))["code"] == code
    assert [line["code"] for line in logged if line["event"] == "problem_undocumented"] == told


def test_it_is_an_openapi_document():
    """By the specification's own schema, and examples by those of the document."""
    for language in ("id", "en"):
        OpenAPIV31SpecValidator(json.loads(json.dumps(openapi_document(ROUTES, language)))).validate()


def each(document):
    return (
        (operation, where) for path, methods in document["paths"].items() for where, operation in methods.items() if where != "parameters"
    )


def test_every_operation_says_what_it_does(document):
    indonesian = operations(openapi_document(ROUTES, "id"))
    for name, operation in operations(document).items():
        assert operation["summary"] != indonesian[name]["summary"] or name == "getOpenapi"
        assert operation["description"] != indonesian[name]["description"]
    lacking = {route.operation_id for route in ROUTES if own_description(route) is None}
    assert lacking == set(), "say more than the summary in the route's `description` or in gateway/openapi/descriptions.py"


def test_no_description_is_of_an_operation_that_is_gone():
    assert DESCRIPTIONS.keys() <= {route.operation_id for route in ROUTES}
    assert OTHER_ANSWERS.keys() <= {route.operation_id for route in ROUTES}


def test_every_body_answer_and_parameter_has_an_example_or_says_what_it_is(document):
    for name, operation in operations(document).items():
        for body in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in body, name
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                assert {"example", "examples"} & content.keys(), (name, status, media_type)
        for parameter in operation["parameters"]:
            assert parameter["description"], (name, parameter["name"])
            assert parameter["in"] != "path" or "example" in parameter


def test_examples_fit_their_schemas(document):
    """JSON ones, by JSON Schema; references are those of the document."""
    registry = Registry().with_resource("urn:document", DRAFT202012.create_resource(document))
    checked = 0
    for operation in operations(document).values():
        contents = [*operation.get("requestBody", {}).get("content", {}).items()]
        contents += [item for response in operation["responses"].values() for item in response.get("content", {}).items()]
        for media_type, content in contents:
            for example in [content["example"]] if "example" in content else [resolved(document, e) for e in content["examples"].values()]:
                if media_type.endswith("json") and media_type != "application/x-ndjson":
                    Draft202012Validator(rooted(content["schema"]), registry=registry).validate(example)
                    checked += 1
    assert checked > 1000


def resolved(document, example):
    return document["components"]["examples"][example["$ref"].rpartition("/")[2]]["value"]


def rooted(schema):
    """Return a schema whose references are resolved in the registered document."""
    return json.loads(json.dumps(schema).replace('"#/components', '"urn:document#/components'))


def test_links_lead_to_operations_and_name_their_parameters(document):
    described = operations(document)
    followed = set()
    for operation in described.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                following = described[link["operationId"]]
                known = {f"{parameter['in']}.{parameter['name']}" for parameter in following["parameters"]}
                needed = {f"{parameter['in']}.{parameter['name']}" for parameter in following["parameters"] if parameter["in"] == "path"}
                assert needed <= link.get("parameters", {}).keys() <= known
                if "requestBody" in link:
                    schema = following["requestBody"]["content"]["application/json"]["schema"]
                    assert link["requestBody"].keys() <= schema["properties"].keys()
                followed.add(link["operationId"])
    assert {"getTicket", "startTicket", "completeTicket", "updateSite", "listServices", "refreshAccessToken", "claimPairing"} <= followed


def test_headers_of_answers_are_described(document):
    described = operations(document)
    ticket = described["issueTicket"]["responses"]
    assert {"Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Request-Id", "Cache-Control"} <= ticket["201"]["headers"].keys()
    assert {"Retry-After", "RateLimit", "Content-Language"} <= ticket["429"]["headers"].keys()
    assert "Idempotency-Replayed" not in described["listSites"]["responses"]["200"]["headers"]
    assert "RateLimit" not in described["getHealth"]["responses"]["200"]["headers"]
    change = described["updateSite"]
    assert {"412", "428"} <= change["responses"].keys()
    assert [parameter["required"] for parameter in change["parameters"] if parameter["name"] == "If-Match"] == [True]
