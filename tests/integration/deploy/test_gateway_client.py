"""The simulation's client against an HTTP server that is in trouble: every command is sent again with the same key, and done once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.simulation.failure import SimulationError
from deploy.simulation.gateway_client import Gateway, Session

pytestmark = pytest.mark.integration

HANG_UP = 0


class TroubledServer(ThreadingHTTPServer):
    """Answers with the statuses that are prepared, one after the other; signing in always succeeds."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.seen: list[tuple[str, str | None, str | None]] = []
        """Path, Idempotency-Key and Authorization of each request."""
        self.signed_in = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: TroubledServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/v1/auth/token":
            self.server.signed_in += 1
            self._answer(200, {"access_token": f"token-{self.server.signed_in}"})
            return
        self.server.seen.append((self.path, self.headers["Idempotency-Key"], self.headers["Authorization"]))
        status = self.server.statuses.pop(0)
        if status == HANG_UP:
            self.close_connection = True
            return
        self._answer(status, {"code": "some_code", "title": "Some title"})

    do_GET = do_POST  # noqa: N815 - so named by the standard library

    def _answer(self, status: int, body: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(content)))
        if status == 429:
            self.send_header("Retry-After", "0")
        if status == 308:
            self.send_header("Location", "https://mpp.example.id/")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[TroubledServer]:
    with TroubledServer() as troubled:
        thread = threading.Thread(target=troubled.serve_forever, daemon=True)
        thread.start()
        yield troubled
        troubled.shutdown()
        thread.join()


@pytest.fixture
def gateway(server: TroubledServer) -> Iterator[Gateway]:
    client = Gateway(server.url, 2)
    yield client
    client.close()


def test_a_command_is_repeated_with_its_key_until_it_is_answered(server: TroubledServer, gateway: Gateway):
    officer = Session(gateway, "officer@oku-timur", "demo")
    server.statuses = [503, HANG_UP, 429, 200, 409]
    assert officer.command("/first")[0] == 200
    assert officer.command("/second")[0] == 409
    keys = [key for _, key, _ in server.seen]
    assert (len(set(keys[:4])), keys[4] not in keys[:4], None in keys) == (1, True, False)
    assert gateway.repeats == 3


def test_an_expired_token_is_replaced(server: TroubledServer, gateway: Gateway):
    officer = Session(gateway, "officer@oku-timur", "demo")
    server.statuses = [401, 200]
    assert officer.command("/first")[0] == 200
    assert [token for _, _, token in server.seen] == ["Bearer token-1", "Bearer token-2"]


def test_what_never_answers_is_given_up_with_a_sentence(server: TroubledServer, gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("deploy.simulation.gateway_client.GIVE_UP_SECONDS", 0.2)
    server.statuses = [503] * 50
    with pytest.raises(SimulationError, match=r"POST /first was not answered within 0\.2 s; last: status 503, some_code"):
        gateway.send("POST", "/first")


@pytest.mark.parametrize(("status", "told"), [(308, "https://mpp.example.id/"), (404, "no gateway of this platform"), (200, "no gateway")])
def test_what_is_no_gateway_is_told(server: TroubledServer, gateway: Gateway, status: int, told: str):
    server.statuses = [status]
    with pytest.raises(SimulationError, match=told):
        gateway.check()
