"""The HTTP listener: accepts connections, gives each its own green thread, and stops without cutting anybody off."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
from collections.abc import Callable
from typing import Any

import eventlet
from eventlet import wsgi
from eventlet.green import socket as green_socket

from gateway.protocol import HttpConnection
from services.chassis.logs import get_logger
from services.chassis.metrics import HTTP_CONNECTIONS

BACKLOG = 2_048
"""Connections that wait for ``accept``. With 50, 2,000 clients at once needed 13 to 31 s to connect."""

MOST_CONNECTIONS = 10_000
"""Open connections of one gateway. When a further one comes, the one that has been idle for longest makes room; where none is, it waits
in the backlog for one of the limits in time that each has: for its headers, its body, its answer."""

KEEP_ALIVE_SECONDS = 60
SOCKET_SECONDS = 15
"""A client that neither sends nor takes a byte for so long is gone."""

_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_WHEN_FULL = 0.1
_FILES_BESIDES = 500
"""Files that the process needs besides its HTTP connections: broker, databases, logs, libraries."""

log = get_logger(__name__)


class _Settings(wsgi.Server):
    """What eventlet's connections ask their server for."""

    is_stopping = False


class HttpServer:
    """One listening socket. ``start`` returns when connections are accepted; ``stop`` when all are closed."""

    def __init__(self, app: Callable[..., Any], host: str, port: int) -> None:
        self._app = app
        self._address = (host, port)
        self._listener: Any = None
        self._accepting: Any = None
        self._connections: dict[int, list[Any]] = {}
        self._pool = eventlet.GreenPool(MOST_CONNECTIONS)
        self._server: Any = None

    @property
    def port(self) -> int:
        """The port listened on; differs from the one asked for when that was 0."""
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Bind and accept; raises ``OSError`` when the address is taken.

        Without SO_REUSEPORT: with it a second process on the same port would silently take half of the requests.
        """
        _allow_files(MOST_CONNECTIONS)
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self._listener = green_socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind(self._address)
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise
        self._server = _Settings(
            self._listener,
            self._listener.getsockname(),
            self._app,
            protocol=HttpConnection,
            keepalive=KEEP_ALIVE_SECONDS,
            socket_timeout=SOCKET_SECONDS,
            log_output=False,
            debug=False,
        )
        self._accepting = eventlet.spawn(self._accept)
        log.info("http_listening", host=self._address[0], port=self.port)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError as error:
                if error.errno == errno.EBADF:
                    return  # stopped
                if error.errno in _OUT_OF_FILES:
                    log.warning("http_out_of_files", connections=len(self._connections))
                eventlet.sleep(_PAUSE_WHEN_FULL if error.errno in _OUT_OF_FILES else 0)
                continue
            if self._pool.free() <= 0:
                self._make_room()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            state = [address, connection, wsgi.STATE_IDLE]
            self._connections[id(state)] = state
            HTTP_CONNECTIONS.inc()
            self._pool.spawn_n(self._serve, state)

    def _make_room(self) -> None:
        """Close the connection that came first among those on which nothing happens."""
        longest = next((state for state in self._connections.values() if state[2] == wsgi.STATE_IDLE), None)
        if longest is not None:
            longest[2] = wsgi.STATE_CLOSE
            _shut(longest[1])

    def _serve(self, state: list[Any]) -> None:
        try:
            self._server.process_request(state)
        except (OSError, eventlet.Timeout):
            pass  # the client left, or was too slow
        except Exception:
            log.exception("http_connection_failed")
        finally:
            self._connections.pop(id(state), None)
            HTTP_CONNECTIONS.dec()
            state[1].close()

    def stop(self, grace: float) -> None:
        """Stop accepting, close idle connections, let running requests finish for ``grace`` seconds, then close all."""
        if self._accepting is None:
            return
        self._server.is_stopping = True
        self._accepting.kill()
        self._listener.close()
        for state in list(self._connections.values()):
            idle = state[2] == wsgi.STATE_IDLE
            state[2] = wsgi.STATE_CLOSE
            if idle:
                _shut(state[1])
        with eventlet.Timeout(grace, False):
            self._pool.waitall()
        if self._connections:
            log.warning("http_connections_cut", connections=len(self._connections))
        for state in list(self._connections.values()):
            _shut(state[1])
        with eventlet.Timeout(1, False):
            self._pool.waitall()


def _allow_files(wanted: int) -> None:
    """Raise the process's own limit on open files, usually 1,024, as far as the system admits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted += _FILES_BESIDES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _shut(connection: Any) -> None:
    with contextlib.suppress(OSError):  # closed by the other side
        connection.shutdown(socket.SHUT_RDWR)
