"""Frontends on other hosts, by configuration; and the headers that tell browsers what our answers may be used for."""

import pytest

from tests.unit.gateway.conftest import make_edge, problem_in

pytestmark = pytest.mark.unit

FRONTEND, STRANGER = "https://antrean.example.id", "https://evil.example"
TICKETS = "/v1/lampung-timur/tickets"
ASKED = {"Origin": FRONTEND, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def open_edge():
    return make_edge(cors_origins=(FRONTEND, "http://localhost:5173"))


def cors_of(answer):
    return {name for name in answer.headers.keys() if name.startswith("Access-Control")}  # noqa: SIM118 - not a mapping


def test_by_default_no_other_site_may(edge):
    answer = edge.send("OPTIONS", TICKETS, headers=ASKED)
    assert (answer.status_code, cors_of(answer), "Vary" in answer.headers) == (405, set(), True)
    answer = edge.send("GET", "/v1/regencies", headers={"Origin": FRONTEND})
    assert (answer.status_code, cors_of(answer), answer.headers.get("Vary")) == (200, set(), None)


def test_an_admitted_frontend_may_send_what_the_api_understands(open_edge):
    answer = open_edge.send("OPTIONS", TICKETS, headers=ASKED)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    sent = answer.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in sent for name in ("authorization", "content-type", "idempotency-key", "if-match", "ticket-token"))
    assert "csrf-token" not in sent, "that is for our own pages"
    assert answer.headers["Access-Control-Max-Age"] == "7200"
    assert "Origin" in answer.headers["Vary"]


def test_it_reads_answers_refusals_and_their_headers(open_edge):
    for path, status in (("/v1/regencies", 200), (TICKETS, 401), ("/v1/nowhere", 404), ("/openapi.json", 200)):
        answer = open_edge.send("GET", path, headers={"Origin": FRONTEND})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, FRONTEND)
        shown = answer.headers["Access-Control-Expose-Headers"]
        assert all(name in shown for name in ("ETag", "Location", "Retry-After", "Request-Id", "WWW-Authenticate"))
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", [STRANGER, "https://antrean.example.id.evil.example", "http://antrean.example.id", "null", FRONTEND.upper()]
)
def test_a_stranger_may_not(open_edge, origin):
    answer = open_edge.send("OPTIONS", TICKETS, headers={**ASKED, "Origin": origin})
    assert (answer.status_code, cors_of(answer)) == (405, set())
    answer = open_edge.send("GET", "/v1/regencies", headers={"Origin": origin})
    assert (cors_of(answer), "Origin" in answer.headers["Vary"]) == (set(), True)


def test_cookies_are_never_for_other_sites(open_edge):
    answer = open_edge.send("OPTIONS", TICKETS, headers=ASKED)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    answer = open_edge.send("GET", "/v1/regencies", headers={"Origin": FRONTEND})
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/sign-in", "/account", "/boards", "/static/board.css"])
def test_pages_are_for_no_other_site(open_edge, path):
    asked = {**ASKED, "Access-Control-Request-Method": "GET"}
    assert cors_of(open_edge.send("GET", path, headers={"Origin": FRONTEND})) == set()
    assert open_edge.send("OPTIONS", path, headers=asked).status_code == 405


def test_what_does_not_exist_is_not_allowed_either(open_edge):
    assert problem_in(open_edge.send("OPTIONS", "/v1/nowhere", headers=ASKED))["code"] == "path_unknown"
    asked = {**ASKED, "Access-Control-Request-Method": "DELETE"}
    assert problem_in(open_edge.send("OPTIONS", TICKETS, headers=asked))["code"] == "method_not_allowed"
    asked = {"Origin": FRONTEND}
    assert open_edge.send("OPTIONS", TICKETS, headers=asked).headers["Allow"] == "GET, HEAD, OPTIONS, POST", "that asks what there is"


def test_asking_is_limited(open_edge):
    assert {open_edge.send("OPTIONS", TICKETS, headers=ASKED).status_code for _ in range(80)} == {204, 429}


@pytest.mark.parametrize(
    "path", ["/v1/regencies", TICKETS, "/openapi.json", "/healthz", "/account", "/sign-in", "/boards", "/static/board.js"]
)
def test_no_answer_can_be_framed_sniffed_or_used_by_other_sites(edge, path):
    headers = edge.send("GET", path, headers={"Host": "localhost"}).headers
    policy = headers["Content-Security-Policy"]
    assert all(each in policy for each in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action"))
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(("path", "forms"), [("/sign-in", "'self'"), ("/boards", "'none'")])
def test_pages_run_no_script_but_ours_and_use_nothing_of_the_machine(edge, path, forms):
    headers = edge.send("GET", path, headers={"Host": "localhost"}).headers
    assert f"form-action {forms};" in headers["Content-Security-Policy"]
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert all(f"{feature}=()" in headers["Permissions-Policy"] for feature in ("camera", "geolocation", "microphone"))
