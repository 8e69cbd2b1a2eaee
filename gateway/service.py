"""The gateway as a nameko service: one entrypoint, which serves the route table over HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from nameko.extensions import Entrypoint

from gateway.answers import encoded
from gateway.application import Application
from gateway.authentication import AccessTokens
from gateway.call import Surroundings
from gateway.openapi import openapi_document
from gateway.rate_limit import RateLimits
from gateway.readiness import RecentReadiness
from gateway.route import Route
from gateway.routes import ROUTES
from gateway.server import HttpServer
from services.chassis.extensions import RpcAccess, settings
from services.chassis.probes import PROBES
from services.contracts.problems import LOCALES

STOP_GRACE_SECONDS = 10.0
"""Longer than any command's deadline."""


class HttpEntrypoint(Entrypoint):
    """Serves the routes that the decorated method returns.

    Requests run in the green thread of their connection, not as nameko workers: a stream of live changes holds its
    thread for hours, and must not use up the pool from which everything else is served.
    """

    replies = RpcAccess()
    server: HttpServer | None = None

    def start(self) -> None:
        """Listen; raises ``OSError`` when the port is taken."""
        configured = settings()
        routes = tuple(getattr(self.container.service_cls(), self.method_name)())
        surroundings = Surroundings(
            settings=configured,
            rpc=self.replies.client,
            probes=RecentReadiness(PROBES),
            tokens=AccessTokens(configured.required_token_secret()),
            limits=RateLimits(configured.anonymous_rate, configured.login_rate),
            openapi={locale: encoded(openapi_document(routes, locale)) for locale in LOCALES},
        )
        self.server = HttpServer(Application(routes, surroundings), configured.http_host, configured.http_port)
        self.server.start()

    def stop(self) -> None:
        """Finish what runs, then close."""
        if self.server is not None:
            self.server.stop(STOP_GRACE_SECONDS)

    def kill(self) -> None:
        """Close at once."""
        if self.server is not None:
            self.server.stop(0.0)


http = HttpEntrypoint.decorator


class GatewayService:
    """The HTTP edge of the platform."""

    name = "gateway"

    @http
    def routes(self) -> Iterable[Route]:
        """Return the route table."""
        return ROUTES
