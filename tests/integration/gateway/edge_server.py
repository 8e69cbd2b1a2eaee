"""The real HTTP server in a process of its own, in front of services that answer from the contracts' examples.

Prints its port when it listens; SIGTERM stops it gracefully. ``POST .../start`` takes a while, so that tests can
meet the server in the middle of a request. Its patience with slow clients is short, so that the tests need none.
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402 - after patching, as in every process of the platform
import sys  # noqa: E402
from typing import Any  # noqa: E402

from gateway import protocol  # noqa: E402
from gateway import server as listener  # noqa: E402
from gateway.application import Application  # noqa: E402
from gateway.authentication import AccessTokens  # noqa: E402
from gateway.board.boards import Boards  # noqa: E402
from gateway.board.streams import StreamLimits  # noqa: E402
from gateway.call import Surroundings  # noqa: E402
from gateway.cors import Cors  # noqa: E402
from gateway.page_sessions import PageSessions  # noqa: E402
from gateway.rate_limit import RateLimits  # noqa: E402
from gateway.routes import PAGE_ROUTES, ROUTES  # noqa: E402
from services.chassis import logs  # noqa: E402
from services.chassis.context import CallContext  # noqa: E402
from services.chassis.probes import Probes  # noqa: E402
from services.chassis.settings import Settings  # noqa: E402
from services.contracts.examples import EXAMPLES  # noqa: E402
from services.contracts.registry import contract  # noqa: E402
from tests.access_tokens import token_state  # noqa: E402

SLOW_SECONDS = 1.0
GRACE_SECONDS = 5.0
PATIENCE_SECONDS = 1
OPTIONS = "EDGE_OPTIONS"
"""A variable with settings that differ, as JSON, and with `most_connections`."""


class ExampleServices:
    """Answers every call with the example of its contract."""

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        if method == "start_ticket":
            eventlet.sleep(SLOW_SECONDS)
        answer = contract(service, method).answer
        return EXAMPLES[service][answer or ""]


def main(port: int) -> None:
    protocol.SECONDS_FOR_HEADERS = protocol.SECONDS_FOR_BODY = PATIENCE_SECONDS
    protocol.SECONDS_FOR_ANSWER = 2 * PATIENCE_SECONDS
    chosen = json.loads(os.environ.get(OPTIONS, "{}"))
    listener.MOST_CONNECTIONS = chosen.pop("most_connections", listener.MOST_CONNECTIONS)
    settings = Settings(**{"anonymous_rate": "1000000/second", "login_rate": "1000000/second", "log_level": "WARNING", **chosen})
    logs.configure(settings)
    services = ExampleServices()
    boards = Boards(services, StreamLimits(settings.most_streams, settings.most_streams_per_client))
    boards.on_connected()
    tokens = AccessTokens(token_state())
    surroundings = Surroundings(
        settings=settings,
        rpc=services,
        probes=Probes(),
        tokens=tokens,
        page_sessions=PageSessions(settings, services, tokens),
        cors=Cors(["https://antrean.example.id"]),
        limits=RateLimits(settings.anonymous_rate, settings.login_rate),
        openapi={"id": b"{}", "en": b"{}"},
        boards=boards,
    )
    server = listener.HttpServer(Application((*ROUTES, *PAGE_ROUTES), surroundings), "127.0.0.1", port)
    server.start()
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    while not stopping:
        eventlet.sleep(0.02)  # a signal does not wake eventlet's hub (PEP 475): somebody has to look
    boards.end_streams()
    server.stop(GRACE_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
