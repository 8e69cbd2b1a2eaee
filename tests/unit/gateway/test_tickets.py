"""Taking and calling a ticket as the HTTP caller sees it."""

import io
import json
import time

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from services.chassis.errors import DeadlineExceeded, DomainError, Unavailable
from services.chassis.settings import Settings

pytestmark = pytest.mark.unit


TICKETS = "/v1/lampung-timur/tickets"
ID = "0d9f4a52-6c1b-4e0e-9f38-5d7a1c2b3e4f"
WISH = {"site": "sukadana", "service": "CPL-KTP", "channel": "web"}


def test_a_citizen_takes_a_number_without_an_account(edge):
    response = edge.send("POST", TICKETS, json_body=WISH)
    assert response.status_code == 201
    assert response.headers["Location"] == f"{TICKETS}/{ID}"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content_type == "application/json"
    assert response.json["token"]
    assert edge.services.payload == WISH
    context = edge.services.context
    assert (context.regency, context.actor.role, context.actor.id) == ("lampung-timur", "anonymous", None)


def test_nobody_waits(edge):
    edge.services.answers["call_next"] = None
    response = edge.send("POST", "/v1/lampung-timur/counters/sukadana-05/call-next", role="officer")
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert "Content-Length" not in response.headers


def test_the_next_ticket_is_called(edge):
    response = edge.send("POST", "/v1/lampung-timur/counters/sukadana-05/call-next", role="officer", raw=b"{}")
    assert (response.status_code, response.json["number"]) == (200, "E-012")
    assert edge.services.payload == {"counter": "sukadana-05"}


def test_path_and_body_make_one_payload(edge):
    edge.send("POST", f"{TICKETS}/{ID}/call", role="officer", json_body={"counter": "sukadana-05"})
    assert edge.services.payload == {"id": ID, "counter": "sukadana-05"}


def test_the_body_cannot_contradict_the_path(edge, problem_of):
    body = {"counter": "sukadana-05", "id": "00000000-0000-4000-8000-000000000000"}
    response = edge.send("POST", f"{TICKETS}/{ID}/call", role="officer", json_body=body)
    assert problem_of(response)["errors"][0] == {"field": "id", "rule": "unknown", "message": problem_of(response)["errors"][0]["message"]}
    assert edge.services.calls == []


def test_a_ticket_is_no_longer_where_the_caller_thinks(edge, problem_of):
    edge.services.answers["start_ticket"] = DomainError("ticket_state_conflict", status="completed", allowed=["called"])
    document = problem_of(edge.send("POST", f"{TICKETS}/{ID}/start", role="officer", headers={"Accept-Language": "en"}))
    assert (document["status"], document["current_status"], document["allowed"]) == (409, "completed", ["called"])
    assert "completed" in document["detail"]


def test_query_parameters_arrive_as_the_contract_wants_them(edge):
    edge.send("GET", f"{TICKETS}?site=sukadana&limit=20&date=2025-06-11&status=waiting", role="auditor")
    assert edge.services.payload == {"site": "sukadana", "limit": 20, "date": "2025-06-11", "status": "waiting"}
    assert edge.services.context.command_id is None


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_language_of_the_caller_reaches_the_service(edge, language):
    edge.send("POST", TICKETS, json_body=WISH, headers={"Accept-Language": language})
    assert edge.services.context.locale == language


def test_a_command_is_over_when_its_deadline_is(edge):
    before = time.time()
    edge.send("POST", TICKETS, json_body=WISH)
    assert before + 5 <= edge.services.context.deadline <= time.time() + 5


@pytest.mark.parametrize("error", [Unavailable("broker away"), DeadlineExceeded()])
def test_a_service_that_is_away_is_said_to_be_away(edge, problem_of, error):
    edge.services.answers["issue_ticket"] = error
    response = edge.send("POST", TICKETS, json_body=WISH)
    assert problem_of(response)["status"] == 503
    assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    "error", [RuntimeError("password=demo at host db"), KeyError("x"), DomainError("never_published", secret="s3cret")]
)
def test_a_fault_is_unexpected_and_tells_nothing(edge, problem_of, error):
    edge.services.answers["issue_ticket"] = error
    response = edge.send("POST", TICKETS, json_body=WISH)
    document = problem_of(response)
    assert (document["status"], document["code"]) == (500, "unexpected")
    assert "demo" not in response.text
    assert "s3cret" not in response.text
    assert "Traceback" not in response.text


class TestIdempotencyKey:
    def command_id(self, edge, key=None, **options):
        headers = {} if key is None else {"Idempotency-Key": key}
        edge.send("POST", TICKETS, json_body=WISH, headers=headers, **options)
        return edge.services.context.command_id

    def test_the_key_belongs_to_the_caller(self, edge):
        key = "4f6c1c6e-6a0f-4c0e-8d53-0b7f3b8f5d11"
        assert self.command_id(edge, key, role="kiosk") == f"kiosk@lampung-timur:{key}"
        assert self.command_id(edge, key, role="officer") == f"officer@lampung-timur:{key}"
        assert self.command_id(edge, key) == f"anonymous:{key}"

    def test_a_short_key_of_an_anonymous_caller_belongs_to_the_address(self, edge):
        assert self.command_id(edge, "1", client="192.0.2.1") != self.command_id(edge, "1", client="192.0.2.2")
        assert self.command_id(edge, "1", client="192.0.2.1") == self.command_id(edge, "1", client="192.0.2.1")

    def test_without_a_key_each_request_is_a_command_of_its_own(self, edge):
        assert self.command_id(edge) != self.command_id(edge)


def test_the_request_id_and_trace_of_the_caller_are_kept(edge):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    response = edge.send("POST", TICKETS, json_body=WISH, headers={"Request-Id": "kiosk-7.000123", "traceparent": trace})
    assert response.headers["Request-Id"] == "kiosk-7.000123"
    assert response.headers["traceparent"] == trace
    assert edge.services.context.traceparent == trace


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "a b c d e f", "ä" * 10])
def test_a_request_id_of_no_use_is_replaced(edge, given):
    response = edge.send("GET", "/healthz", headers={"Request-Id": given, "traceparent": given})
    assert response.headers["Request-Id"] not in ("", given)
    assert response.headers["traceparent"].startswith("00-")


def test_answers_are_compact_utf_8(edge):
    edge.services.answers["get_site"] = {"note": "Jum’at"}
    response = edge.send("GET", "/v1/lampung-timur/sites/sukadana")
    assert response.data == json.dumps({"note": "Jum’at"}, ensure_ascii=False, separators=(",", ":")).encode()


class SlowBody(io.BytesIO):
    """What a client sends that takes its time."""

    sent_at = 0.0

    def read(self, size=-1):
        time.sleep(0.05)
        self.sent_at = time.time()
        return super().read(size)


def test_the_deadline_of_a_command_counts_from_the_end_of_its_body(edge):
    body = SlowBody(b'{"site": "sukadana", "service": "CPL-KTP", "channel": "web"}')
    environ = EnvironBuilder(method="POST", path=TICKETS).get_environ()
    sent = {"wsgi.input": body, "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body.getvalue())), "RAW_PATH_INFO": TICKETS}
    run_wsgi_app(edge.application, {**environ, **sent}, buffered=True)
    assert edge.services.context.deadline >= body.sent_at + Settings().command_deadline
