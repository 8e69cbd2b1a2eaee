"""Real receivers for what the platform sends: an HTTP server and a mail server, each as unpleasant as a test wants it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from deploy.servers.ports import free_port


@dataclass(frozen=True)
class Posted:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent in the body."""
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass(frozen=True)
class Reply:
    """How a request is answered: after ``delay`` seconds, with ``status``; ``manner`` says what goes wrong besides."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    manner: str = "whole"
    """``whole``; ``cut``: dies in the middle of the first line; ``reset``: without a word; ``drip``: a byte now and then; ``huge``."""


class HttpReceiver:
    """Listens on an address of this machine and remembers what was posted."""

    def __init__(self, reply: Reply | None = None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.posted: list[Posted] = []
        self.reply: Callable[[Posted], Reply] = lambda posted: reply or Reply()
        self.connections = 0
        self._tls = tls
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                if len(body) < length:  # its sender was killed on the way: nothing has arrived
                    self.close_connection = True
                    return
                posted = Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body, time.time())
                receiver.posted.append(posted)
                receiver._answer(self, receiver.reply(posted))

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # clients that hang up are what the tests are about

            def get_request(self) -> Any:
                connection, address = super().get_request()
                if receiver._tls is not None:
                    connection = receiver._tls.wrap_socket(connection, server_side=True)
                return connection, address

        self._server = Server((host, 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}/events"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def script(self, *replies: Reply) -> None:
        """Answer the next requests so; the last of them for all that follow."""
        left = list(replies)
        self.reply = lambda posted: left.pop(0) if len(left) > 1 else left[0]

    @property
    def ids(self) -> list[str]:
        """The ids of the events that arrived, in order."""
        return [posted.headers["webhook-id"] for posted in self.posted]

    @property
    def types(self) -> list[str]:
        """Their types."""
        return [posted.event["type"] for posted in self.posted]

    def _answer(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        time.sleep(reply.delay)
        wire = handler.wfile
        if reply.manner == "reset":
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif reply.manner == "cut":
            wire.write(b"HTTP/1.1 2")
            wire.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif reply.manner == "drip":
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 100:
                wire.write(bytes([byte]))
                wire.flush()
                time.sleep(0.25)
        else:
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            size = 10_000_000 if reply.manner == "huge" else 0
            handler.send_header("Content-Length", str(size))
            handler.end_headers()
            for _ in range(size // 10_000):
                wire.write(b"x" * 10_000)
        handler.close_connection = True


@dataclass(frozen=True)
class Letter:
    """One message that the mail server took."""

    sender: str
    recipient: str
    message: EmailMessage


class Mailbox:
    """A mail server that keeps what it takes. ``at_rcpt`` and ``at_data`` decide what it answers instead of 250."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.letters: list[Letter] = []
        self.at_rcpt: Callable[[str], str] = lambda address: "250 OK"
        self.at_data: Callable[[], str] = lambda: "250 OK"
        self.data_delay = 0.0
        self.arriving = threading.Event()
        """Set when a whole text has been received; the answer comes ``data_delay`` seconds later."""
        options: dict[str, Any] = {}
        if login is not None:

            def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
                return AuthResult(success=(data.login.decode(), data.password.decode()) == login, handled=False)

            options = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": tls is None}
        if starttls is not None:
            options |= {"tls_context": starttls, "require_starttls": True}
        self.port = port or free_port()
        self._options: dict[str, Any] = {"hostname": "127.0.0.1", "port": self.port, "ssl_context": tls, **options}
        self._controller: Controller | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, always on the same port."""
        self._controller = Controller(self, **self._options)
        self._controller.start()

    def stop(self) -> None:
        """Listen no more."""
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """What aiosmtpd calls for each recipient."""
        answer = self.at_rcpt(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """What aiosmtpd calls with each text."""
        self.arriving.set()
        answer = self.at_data()
        if answer.startswith("250"):
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.letters += [Letter(envelope.mail_from, recipient, message) for recipient in envelope.rcpt_tos]
        await asyncio.sleep(self.data_delay)
        return answer

    @property
    def subjects(self) -> list[str]:
        """Subjects of the letters, in order."""
        return [str(letter.message["Subject"]) for letter in self.letters]
