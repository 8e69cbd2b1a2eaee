"""What is asked of an identity provider, on the wire: bounded in time and size, and never led elsewhere."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from services.catalog.domain.providers import Provider
from services.catalog.identity_providers import exchange as module
from services.catalog.identity_providers.exchange import CodeRefused, Exchange, ProviderUnavailable

pytestmark = pytest.mark.integration


class OddProvider:
    """Answers as it is told to, and remembers what it was asked."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.answers: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]] = {}
        self.description: dict[str, Any] = {
            "issuer": self.url,
            **{name: f"{self.url}/{name}" for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")},
        }
        self.exchange = Exchange(Provider("sso", {"id": "x", "en": "x"}, self.url, "mpp:1", (), (), client_secret="s&cret"))

    def answer(self, path: str, content: Any, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()

        def send(request: http.server.BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body)

        self.answers[path] = send

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.asked]


@pytest.fixture
def odd() -> Iterator[OddProvider]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            provider.asked.append((self.path, dict(self.headers), body))
            provider.answers[self.path](self)

        do_POST = do_GET  # noqa: N815 - how the standard library calls it

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # closing waits for them
    provider = OddProvider(server.server_port)
    provider.answer("/.well-known/openid-configuration", provider.description)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield provider
    server.shutdown()
    server.server_close()


def assert_true(fact: bool) -> None:
    assert fact


def unavailable(call: Callable[[], Any]) -> str:
    with pytest.raises(ProviderUnavailable) as caught:
        call()
    return str(caught.value)


def test_the_description_is_asked_for_once(odd):
    assert odd.exchange.endpoint("token_endpoint") == f"{odd.url}/token_endpoint"
    assert odd.exchange.endpoint("jwks_uri")
    assert odd.paths == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize("issuer", ["https://evil.example", None, ""])
def test_a_description_of_somebody_else_is_none(odd, issuer):
    odd.answer("/.well-known/openid-configuration", {**odd.description, "issuer": issuer})
    assert unavailable(odd.exchange.description) == "issuer_differs"


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/keys", "file:///etc/passwd", "ftp://127.0.0.1/", "", None, 7, "http://evil.example/"]
)
def test_an_address_elsewhere_without_tls_is_not_asked(odd, url):
    odd.answer("/.well-known/openid-configuration", {**odd.description, "jwks_uri": url})
    assert unavailable(lambda: odd.exchange.keys(None)) == "no_jwks_uri"
    assert len(odd.asked) == 1


def test_no_redirect_is_followed(odd):
    odd.answer("/jwks_uri", {}, 302, Location=f"{odd.url}/inside")
    odd.answer("/inside", {"keys": []})
    assert unavailable(lambda: odd.exchange.keys(None)) == "status"
    assert "/inside" not in odd.paths


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"\xff\xfe", b'{"keys": []}' + b" " * module.LARGEST_ANSWER])
def test_what_is_no_json_object_of_a_fair_size_is_no_answer(odd, content):
    odd.answer("/jwks_uri", content)
    assert unavailable(lambda: odd.exchange.keys(None)) == "no_json"


@pytest.mark.parametrize("keys", [None, {}, "x", [1]])
def test_keys_are_a_list_of_objects(odd, keys):
    odd.answer("/jwks_uri", {"keys": keys})
    assert unavailable(lambda: odd.exchange.keys(None)) == "no_keys"


def test_who_does_not_answer_is_not_waited_for(odd, monkeypatch):
    monkeypatch.setattr(module, "READ_SECONDS", 0.2)
    patient, waiting = Exchange(odd.exchange.provider), threading.Event()
    odd.answers["/jwks_uri"] = lambda _request: assert_true(waiting.wait(30))
    assert patient.description()
    assert unavailable(lambda: patient.keys(None)) == "unreachable"
    waiting.set()


def test_an_unknown_key_is_asked_for_but_not_all_the_time(odd):
    clock = [1000.0]
    asked = replace(odd.exchange.provider)
    exchange = Exchange(asked, monotonic=lambda: clock[0])
    odd.answer("/jwks_uri", {"keys": [{"kid": "a"}]})
    for _ in range(3):
        assert exchange.keys("a") == [{"kid": "a"}]
    exchange.keys("b")
    assert odd.paths.count("/jwks_uri") == 1
    clock[0] += module.KEYS_PAUSE_SECONDS + 1
    odd.answer("/jwks_uri", {"keys": [{"kid": "b"}]})
    for _ in range(3):
        assert exchange.keys("b") == [{"kid": "b"}]
    assert odd.paths.count("/jwks_uri") == 2
    clock[0] += module.KEYS_SECONDS + 1
    exchange.keys("b")
    assert odd.paths.count("/jwks_uri") == 3, "what was taken back there is noticed"


def test_the_client_proves_itself_and_the_code_its_origin(odd):
    odd.answer("/token_endpoint", {"id_token": "x"})
    assert odd.exchange.tokens("c+d", "https://mpp.example.id/cb", "v") == {"id_token": "x"}
    path, headers, body = odd.asked[-1]
    assert (path, headers["authorization"]) == ("/token_endpoint", "Basic bXBwJTNBMTpzJTI2Y3JldA==")
    assert body == "grant_type=authorization_code&code=c%2Bd&redirect_uri=https%3A%2F%2Fmpp.example.id%2Fcb&code_verifier=v"
    posting = Exchange(replace(odd.exchange.provider, authentication="post"))
    posting.tokens("c", "https://mpp.example.id/cb", "v")
    assert odd.asked[-1][2].endswith("&client_id=mpp%3A1&client_secret=s%26cret")
    assert "authorization" not in odd.asked[-1][1]


def test_a_code_that_is_refused_is_told_from_a_provider_that_is_broken(odd):
    odd.answer("/token_endpoint", {"error": "invalid_grant"}, 400)
    with pytest.raises(CodeRefused):
        odd.exchange.tokens("c", "https://mpp.example.id/cb", "v")
    for content, status in (({"error": "invalid_client"}, 401), ({"error": "server_error"}, 500), ({"error": ["x"]}, 400)):
        odd.answer("/token_endpoint", content, status)
        assert unavailable(lambda: odd.exchange.tokens("c", "https://mpp.example.id/cb", "v")) == "token_endpoint"
