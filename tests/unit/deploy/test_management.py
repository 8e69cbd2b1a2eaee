"""What an operator is told when the management API is away, is something else, or refuses; and whom we say we are."""

import json
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.outside.management import Management, ManagementError
from services.chassis.settings import Settings, SettingsError

pytestmark = pytest.mark.unit

PASSWORD = "rahasia-broker"


class Api(HTTPServer):
    """Answers what it is told to, and remembers what it was asked: method, path and credentials."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.body = 200, b"{}"
        self.asked: list[tuple[str, str, str]] = []


class Answer(BaseHTTPRequestHandler):
    server: Api

    def answer(self):
        self.server.asked.append((self.command, self.path, b64decode(self.headers["Authorization"].split()[1]).decode()))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_PUT = do_DELETE = answer  # noqa: N815 - names of the base class

    def log_message(self, format, *arguments):
        """Be quiet."""


@pytest.fixture
def api():
    server = Api()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def management(port, broker=f"amqp://mpp:{PASSWORD}@rabbitmq:5672/", path="/", user=""):
    url = f"http://{user}127.0.0.1:{port}{path}"
    return Management.of(Settings.from_environment({"MPP_BROKER_URL": broker, "MPP_BROKER_MANAGEMENT_URL": url}))


def told(act):
    with pytest.raises(ManagementError) as refused:
        act()
    sentence = str(refused.value)
    assert PASSWORD not in sentence
    assert "\n" not in sentence
    return sentence


def test_it_speaks_as_the_broker_s_user_unless_another_is_named(api):
    management(api.server_port).get("users")
    management(api.server_port, user="admin:p%40ss@").get("users")
    assert [credentials for _, _, credentials in api.asked] == [f"mpp:{PASSWORD}", "admin:p@ss"]


@pytest.mark.parametrize(
    ("broker", "vhost"),
    [("amqp://u@h", "/"), ("amqp://u@h/", "/"), ("amqp://u@h/%2F", "/"), ("amqp://u@h/mpp", "mpp"), ("amqp://u@h/a;amqp://u@k/a", "a")],
)
def test_the_virtual_host_is_that_of_the_platform(api, broker, vhost):
    assert management(api.server_port, broker).vhost == vhost


def test_names_in_addresses_are_quoted_and_a_path_in_front_stays(api):
    management(api.server_port, path="/rabbit/").get("queues", "/", "a/b?c")
    assert api.asked[0][1] == "/rabbit/api/queues/%2F/a%2Fb%3Fc"


def test_what_does_not_exist_is_none_and_what_was_done_is_not(api):
    api.status = 404
    broker = management(api.server_port)
    assert (broker.get("users", "x"), broker.delete("users", "x")) == (None, False)
    api.status, api.body = 204, b""
    assert broker.delete("users", "x")


@pytest.mark.parametrize("status", [401, 403])
def test_a_user_without_rights_is_told_which_one_is_needed(api, status):
    api.status = status
    assert "refuses the user mpp: it needs a user with the tag administrator" in told(lambda: management(api.server_port).get("users"))


def test_a_refusal_is_told_with_its_reason(api):
    api.status, api.body = 400, json.dumps({"error": "bad_request", "reason": "Validation failed"}).encode()
    sentence = told(lambda: management(api.server_port).put("policies", "/", "p", body={}))
    assert "PUT /api/policies/%2F/p (400): Validation failed" in sentence


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (502, b"<html>"), (500, b""), (500, b"[]"), (404, b"{}")])
def test_what_is_no_management_api_is_told(api, status, body):
    api.status, api.body = status, body
    assert f"127.0.0.1:{api.server_port}" in told(lambda: management(api.server_port).put("users", "x", body={}))


def test_an_address_where_nobody_listens_is_told():
    assert "127.0.0.1:1 cannot be reached" in told(lambda: management(1).get("users"))


def test_the_broker_within_a_process_has_none():
    with pytest.raises(SettingsError, match="BROKER=rabbitmq"):
        Management.of(Settings.from_environment({"MPP_BROKER_URL": "embedded://"}))
