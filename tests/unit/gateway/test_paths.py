"""Paths and methods: exact, never redirected, and unknown ones are answered like everything else."""

import re

import pytest

from gateway.routes import ROUTES

pytestmark = pytest.mark.unit

TRICKS = [
    "",
    "//",
    "//v1/regencies",
    "/v1//regencies",
    "/v1/regencies/",
    "/V1/regencies",
    "/v1/./regencies",
    "/v1/../v1/regencies",
    "/v1/%2e%2e/regencies",
    "/v1/%2E/regencies",
    "/v1/regencies%2f",
    "/v1%2fregencies",
    "/v1/regencies/lampung%2Ftimur",
    "/v1/regencies/lampung%5Ctimur",
    "/v1/regencies/lampung\\timur",
    "/v1/regencies/%00",
    "/v1/regencies/a%0d%0aSet-Cookie:%20x",
    "/v1/regencies/%ff",
    "/v1/regencies/%c0%ae%c0%ae",
    "/v1/regencies/%ed%a0%80",
    "/v1/regencies/\xe4",
    "/v1/regencies/" + "x" * 201,
    "/v1/regencies;x=1",
    "/v1/regencies/%",
    "*",
    "http://elsewhere/v1/regencies",
    "/openapi.json/",
    "/.git/config",
    "/v1/lampung-timur/tickets/1/2/3/4/5/6/7/8",
    "/" * 500,
]


@pytest.mark.parametrize("raw_path", TRICKS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_not_exactly_a_path_of_ours_is_unknown(edge, problem_of, raw_path, method):
    response = edge.send(method, "/", raw_path=raw_path)
    assert response.status_code == 404 or raw_path == "/v1/regencies/%"
    assert problem_of(response)["code"] in ("path_unknown", "method_not_allowed", "parameter_invalid", "regency_unknown")
    assert "Location" not in response.headers
    assert edge.services.calls == []


def test_an_unknown_path_is_unknown_to_everybody(edge, problem_of):
    for role in (None, "officer", "operator"):
        assert problem_of(edge.send("POST", "/v2/anything", role=role, raw=b"{{{"))["code"] == "path_unknown"


@pytest.mark.parametrize("method", ["DELETE", "PUT", "TRACE", "CONNECT", "PROPFIND", "get"])
@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
def test_a_method_that_a_path_does_not_have_is_refused_with_those_it_has(edge, problem_of, path, method):
    url = re.sub(r"\{\w+\}", "x", path.replace("{regency}", "lampung-timur"))
    expected = {route.method for route in ROUTES if route.path == path}
    if method in expected:
        return
    response = edge.send(method, url)
    expected |= {"OPTIONS", "HEAD"} if "GET" in expected else {"OPTIONS"}
    assert problem_of(response)["code"] == "method_not_allowed"
    assert set(response.headers["Allow"].split(", ")) == expected


def test_what_can_be_done_at_an_address_may_be_asked(edge):
    response = edge.send("OPTIONS", "/v1/lampung-timur/sites")
    assert (response.status_code, response.data, response.headers["Allow"]) == (204, b"", "GET, HEAD, OPTIONS, POST")
    assert "Content-Length" not in response.headers
    assert edge.send("OPTIONS", "/nothing").status_code == 404


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_header_does_not_make_another_method_of_a_request(edge, header):
    assert edge.send("GET", "/v1/lampung-timur/sites", headers={header: "DELETE"}).status_code == 200
    assert [method for _, method, _, _ in edge.services.calls] == ["list_sites"]


@pytest.mark.parametrize("path", ["/v1/regencies", "/v1/lampung-timur/sites", "/healthz", "/openapi.json", "/metrics"])
def test_head_answers_as_get_does_but_without_a_body(edge, path):
    get, head = edge.send("GET", path), edge.send("HEAD", path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if path != "/metrics":
        assert head.headers["Content-Length"] == str(len(get.data))


def test_head_of_something_forbidden_is_refused(edge):
    assert edge.send("HEAD", "/v1/lampung-timur/accounts").status_code == 401


def test_an_encoded_path_parameter_reaches_the_service_decoded(edge):
    edge.send("GET", "/", raw_path="/v1/lampung-timur/accounts/officer%40lampung-timur", role="administrator")
    assert edge.services.payload == {"id": "officer@lampung-timur"}


def test_no_two_routes_share_an_operation_id_or_a_method_and_path():
    assert len({route.operation_id for route in ROUTES}) == len(ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.rpc], ids=lambda route: route.operation_id)
def test_every_member_of_a_payload_has_exactly_one_source(route):
    assert set(route.payload_fields) == route.body_fields | route.parameter_names.keys()
    assert not route.body_fields & route.parameter_names.keys()
    assert set(route.query.values()) <= set(route.payload_fields)
