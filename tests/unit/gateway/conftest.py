"""The edge without a network: the application as it serves, and services that answer from the contracts' examples."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import Client, TestResponse

from gateway.answers import encoded
from gateway.application import Application
from gateway.authentication import AccessTokens
from gateway.board.boards import Boards
from gateway.board.streams import StreamLimits
from gateway.call import Surroundings
from gateway.cors import Cors
from gateway.openapi import openapi_document
from gateway.page_sessions import PageSessions
from gateway.rate_limit import RateLimits
from gateway.routes import PAGE_ROUTES, ROUTES
from services.chassis.context import CallContext
from services.chassis.settings import Settings
from services.contracts.examples import EXAMPLES
from services.contracts.registry import PLATFORM, contract
from tests.access_tokens import token_of, token_state

HOME, ABROAD = "lampung-timur", "lampung-tengah"
UNSAID = ""
"""An If-Match that is not sent; a change that says nothing of it is sent for whichever version there is."""
OPENAPI = {locale: encoded(openapi_document(ROUTES, locale)) for locale in ("id", "en")}


@dataclass
class FakeServices:
    """Answers each call with the example of its contract, unless told otherwise, and remembers the calls."""

    calls: list[tuple[str, str, dict[str, Any], CallContext]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        self.calls.append((service, method, payload, context))
        if method in self.answers:
            answer = self.answers[method]
            if isinstance(answer, BaseException):
                raise answer
            return answer
        owner = PLATFORM if method in EXAMPLES[PLATFORM] else service  # what every service answers about its streams
        name = contract(owner, method).answer
        assert name is not None
        return EXAMPLES[owner][name]

    @property
    def payload(self) -> dict[str, Any]:
        """Payload of the only call."""
        [(_, _, payload, _)] = self.calls
        return payload

    @property
    def context(self) -> CallContext:
        """Context of the last call."""
        return self.calls[-1][3]


@dataclass
class FakeProbes:
    failing: dict[str, str] = field(default_factory=dict)

    def ready(self) -> dict[str, str]:
        return self.failing


@dataclass
class Edge:
    """Sends requests to the application."""

    services: FakeServices
    probes: FakeProbes
    tokens: AccessTokens
    limits: RateLimits
    boards: Boards
    application: Application

    def token(self, role: str, regency: str | None = HOME, agencies: list[str] | None = None) -> str:
        regency = None if role == "operator" else regency
        subject = f"{role}@{regency or 'platform'}"
        return token_of(role, regency, sub=subject, agencies=agencies)

    def send(
        self,
        method: str,
        path: str,
        *,
        role: str | None = None,
        regency: str | None = HOME,
        json_body: Any = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        raw_path: str | None = None,
        client: str = "192.0.2.1",
    ) -> TestResponse:
        sent = dict(headers or {})
        if method == "PATCH" and sent.setdefault("If-Match", "*") == UNSAID:
            del sent["If-Match"]
        if role is not None:
            sent["Authorization"] = f"Bearer {self.token(role, regency)}"
        if json_body is not None:
            raw = json.dumps(json_body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        environ = {"REMOTE_ADDR": client, "RAW_PATH_INFO": quote(path.split("?")[0], safe="/%@") if raw_path is None else raw_path}
        return Client(self.application, use_cookies=False).open(
            path, method=method, data=raw, headers=sent, environ_overrides=environ, buffered=True
        )


def problem_in(response: TestResponse) -> dict[str, Any]:
    """Return the problem document of a response, after checking that it is a whole one."""
    assert response.content_type == "application/problem+json", (response.status, response.text[:300])
    document: dict[str, Any] = json.loads(response.data)
    assert document["status"] == response.status_code
    assert document["type"] == f"/problems/{document['code']}"
    assert document["title"]
    assert response.headers["Content-Language"] in ("id", "en")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    return document


def make_edge(**settings: Any) -> Edge:
    configured = Settings(**{"anonymous_rate": "100000/second", "login_rate": "1000/second", **settings})
    services, probes, tokens = FakeServices(), FakeProbes(), AccessTokens(token_state())
    boards = Boards(services, StreamLimits(configured.most_streams, configured.most_streams_per_client))
    boards.on_connected()
    boards.end_streams()  # a stream ends after its first message: these tests read answers as a whole
    surroundings = Surroundings(
        settings=configured,
        rpc=services,
        probes=probes,
        tokens=tokens,
        page_sessions=PageSessions(configured, services, tokens),
        cors=Cors(configured.cors_origins),
        limits=RateLimits(configured.anonymous_rate, configured.login_rate),
        openapi=OPENAPI,
        boards=boards,
    )
    return Edge(services, probes, tokens, surroundings.limits, boards, Application((*ROUTES, *PAGE_ROUTES), surroundings))


@pytest.fixture(scope="session")
def edge_with() -> Callable[..., Edge]:
    """Makes an edge with settings of its own."""
    return make_edge


@pytest.fixture
def edge() -> Edge:
    """An edge with fake services behind it."""
    return make_edge()


@pytest.fixture(scope="session")
def problem_of() -> Callable[[TestResponse], dict[str, Any]]:
    """Checks and returns the problem document of a response."""
    return problem_in
