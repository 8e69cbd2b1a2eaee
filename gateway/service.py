"""The gateway as a nameko service: one entrypoint, which serves the route table over HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from nameko.extensions import Entrypoint

from gateway.answers import encoded
from gateway.application import Application
from gateway.authentication import AccessTokens
from gateway.board.boards import Boards
from gateway.board.feed import Feed
from gateway.board.streams import StreamLimits
from gateway.call import Surroundings
from gateway.cors import Cors
from gateway.openapi import openapi_document
from gateway.page_sessions import PageSessions
from gateway.rate_limit import RateLimits
from gateway.readiness import RecentReadiness
from gateway.route import Route
from gateway.routes import PAGE_ROUTES, ROUTES
from gateway.server import HttpServer
from gateway.token_state import TokenState
from services.chassis.extensions import RpcAccess, settings
from services.chassis.probes import PROBES
from services.contracts.problems import LOCALES

STOP_GRACE_SECONDS = 10.0
"""Longer than any command's deadline."""

BOARD_FEED = "gateway.boards"


class HttpEntrypoint(Entrypoint):
    """Serves the routes that the decorated method returns.

    Requests run in the green thread of their connection, not as nameko workers: a stream of live changes holds its
    thread for hours, and must not use up the pool from which everything else is served.
    """

    replies = RpcAccess()
    server: HttpServer | None = None
    boards: Boards
    feed: Feed
    token_state: TokenState

    def start(self) -> None:
        """Listen; raises ``OSError`` when the port is taken."""
        configured = settings()
        routes = tuple(getattr(self.container.service_cls(), self.method_name)())
        self.boards = Boards(self.replies.client, StreamLimits(configured.most_streams, configured.most_streams_per_client))
        self.feed = Feed(configured.required_broker_url(), self.boards.on_event, self.boards.on_connected, self.boards.on_lost)
        self.token_state = TokenState(self.replies.client)
        tokens = AccessTokens(self.token_state)
        surroundings = Surroundings(
            settings=configured,
            rpc=self.replies.client,
            probes=RecentReadiness(PROBES),
            tokens=tokens,
            page_sessions=PageSessions(configured, self.replies.client, tokens),
            cors=Cors(configured.cors_origins),
            limits=RateLimits(configured.anonymous_rate, configured.login_rate),
            openapi={locale: encoded(openapi_document(routes, locale)) for locale in LOCALES},
            boards=self.boards,
        )
        self.server = HttpServer(Application(routes, surroundings), configured.http_host, configured.http_port)
        self.server.start()
        self.token_state.start()
        self.feed.start()
        self.boards.start(self.feed)
        PROBES.register(BOARD_FEED, self.feed.check)

    def stop(self) -> None:
        """Finish what runs, then close."""
        self._stop(STOP_GRACE_SECONDS)

    def kill(self) -> None:
        """Close at once."""
        self._stop(0.0)

    def _stop(self, grace: float) -> None:
        if self.server is not None:
            PROBES.unregister(BOARD_FEED)
            self.boards.end_streams()  # browsers come back, to another gateway
            self.server.stop(grace)
            self.token_state.stop()
            self.boards.stop()
            self.feed.stop()


http = HttpEntrypoint.decorator


class GatewayService:
    """The HTTP edge of the platform."""

    name = "gateway"

    @http
    def routes(self) -> Iterable[Route]:
        """Return the route table: the API and the pages."""
        return (*ROUTES, *PAGE_ROUTES)
