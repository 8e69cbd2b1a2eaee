"""One request as the checks have established it, and the surroundings in which it is done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from werkzeug.wrappers import Request

from gateway.authentication import AccessTokens
from gateway.board.boards import Boards
from gateway.cors import Cors
from gateway.origin import network_of
from gateway.page_sessions import PageSessions, Visit
from gateway.preconditions import IDEMPOTENCY_KEY, command_id
from gateway.rate_limit import RateLimits
from gateway.route import Route
from services.chassis.context import ANONYMOUS, Actor, CallContext
from services.chassis.settings import Settings


class Caller(Protocol):
    """Calls services; ``services.chassis.rpc.RpcClient`` in a running gateway."""

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        """Return the service's answer; raises a domain error, or ``Unavailable`` no later than the deadline."""
        ...


class Readiness(Protocol):
    """The probes of the process."""

    def ready(self) -> Mapping[str, str]:
        """Return the failing checks by name; empty when all is well."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """What operations work with."""

    settings: Settings
    rpc: Caller
    probes: Readiness
    tokens: AccessTokens
    page_sessions: PageSessions
    cors: Cors
    limits: RateLimits
    openapi: Mapping[str, bytes]
    """The OpenAPI document by language, encoded."""
    boards: Boards


@dataclass(frozen=True)
class Call:
    """A request that may be done: known path, known caller, allowed."""

    route: Route
    request: Request
    actor: Actor
    client: str
    """Address of the client, as rate limits count it."""
    language: str
    path_values: Mapping[str, str]
    traceparent: str | None = None
    visit: Visit | None = None
    """The session that a browser shows, where the caller is known by it."""
    form: Mapping[str, str] = field(default_factory=dict)
    """What a page's form has sent."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of the answer, whether it is what was asked for or a refusal."""

    @property
    def regency(self) -> str | None:
        """The regency whose path it is; ``None`` on paths of the platform."""
        return self.path_values["regency"] if self.route.of_regency else None

    @property
    def _is_audited(self) -> bool:
        """Whether services write down who does this: staff and devices, also those that are about to sign in."""
        return self.route.method != "GET" and (self.actor != ANONYMOUS or self.route.rule.any_regency)

    def context(self, deadline_seconds: float) -> CallContext:
        """Return what goes with the call to a service. A command gets the id under which it is done once."""
        key = self.request.headers.get(IDEMPOTENCY_KEY)
        actor = ANONYMOUS if self.route.rule.any_regency else self.actor
        return CallContext(
            regency=self.regency,
            # What anybody may read is read as anybody: services refuse an actor of another regency.
            actor=actor,
            command_id=command_id(key, self.actor, self.client) if self.route.command else None,
            deadline=time.time() + deadline_seconds,
            locale=self.language,
            traceparent=self.traceparent,
            client=network_of(self.client) if self._is_audited else None,
        )
