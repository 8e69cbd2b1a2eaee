"""HTTP/1.1 on one connection: strict about framing, and every refusal is a problem document.

Two programs that disagree about where a request ends can be played against each other (request smuggling), so
whatever is ambiguous is refused and the connection closed. Python's and eventlet's parsers are lenient and answer
with HTML or nothing; this class checks what they let through.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterable
from http.client import HTTPMessage
from typing import IO, Any

import eventlet
from eventlet import wsgi

from gateway.body_stream import BodyStream
from gateway.language import preferred_language
from gateway.problems import MEDIA_TYPE, problem
from gateway.route import EVENT_STREAM
from services.chassis.metrics import HTTP_REQUESTS
from services.contracts.problems import INDONESIAN

LONGEST_REQUEST_LINE = 8_192
LONGEST_HEADER_LINE = 8_192
MOST_HEADER_BYTES = 32_768
SECONDS_FOR_HEADERS = 15
SECONDS_FOR_BODY = 20
SECONDS_FOR_ANSWER = 60
"""A client that takes an answer of known length byte by byte holds a connection for no longer. (Streams have their own rules.)"""
SECONDS_TO_LINGER = 5
MOST_LINGERING_BYTES = 16 * 1024 * 1024

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} (?P<target>[\x21-\x7e]+) HTTP/1\.[01]\r\n")
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])?(:[0-9]{1,5})?")
_CONTENT_LENGTH = re.compile(r"[0-9]{1,15}")
_SINGLE = ("Content-Length", "Transfer-Encoding", "Host", "Origin", "Authorization", "Cookie", "Content-Type", "Idempotency-Key",
           "If-Match", "Ticket-Token")  # fmt: skip
"""Headers that mean nothing, or something else to each reader, when they come twice."""

_REASONS = {400: "Bad Request", 414: "URI Too Long", 431: "Request Header Fields Too Large"}


class RefusedRequest(Exception):
    """The request cannot be read; ``code`` is a published problem code, ``header`` the one at fault if it is one."""

    def __init__(self, code: str, header: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.details = {} if header is None else {"header": header}


class HeaderLines:
    """Gives the header parser its lines, up to a limit for one line and for all."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MOST_HEADER_BYTES

    def readline(self, _size: int = -1) -> bytes:
        """Return the next line; raises ``RefusedRequest("headers_too_large")``."""
        line = self._stream.readline(LONGEST_HEADER_LINE + 1)
        self._left -= len(line)
        if len(line) > LONGEST_HEADER_LINE or self._left < 0:
            raise RefusedRequest("headers_too_large")
        if not line.endswith(b"\n"):
            raise ConnectionAbortedError("the client left in the middle of the headers")
        if not line.endswith(b"\r\n"):  # a proxy may have seen one line where we see two
            raise RefusedRequest("header_invalid")
        return line


class HttpConnection(wsgi.HttpProtocol):
    """Reads requests from one connection and answers them, one after the other."""

    headers: HTTPMessage
    rfile: Any
    language = INDONESIAN
    _sending: eventlet.Timeout | None = None
    lingers = False
    """Whether the client may still be sending: what it sends is read and dropped before the connection closes,
    because a reset would take the answer away from it."""

    def handle_one_request(self) -> None:
        """Read one request and answer it; the outer loop goes on while the connection stays open."""
        self.close_connection = True
        self.connection.settimeout(self.server.keepalive)
        if not self.rfile.peek(1):
            return
        if self.conn_state[2] != wsgi.STATE_CLOSE:
            self.conn_state[2] = wsgi.STATE_REQUEST
        self.connection.settimeout(self.server.socket_timeout)
        try:
            with eventlet.Timeout(SECONDS_FOR_HEADERS, TimeoutError("headers")):
                if not self._read_head():
                    return
        except RefusedRequest as refused:
            self._refuse(refused)
            return
        self._answer()

    def _read_head(self) -> bool:
        self.language = INDONESIAN
        self.raw_requestline = self.rfile.readline(LONGEST_REQUEST_LINE + 1)
        if self.raw_requestline == b"\r\n":  # RFC 9112, section 2.2: ignore one empty line before a request
            self.raw_requestline = self.rfile.readline(LONGEST_REQUEST_LINE + 1)
        if not self.raw_requestline:
            return False
        if len(self.raw_requestline) > LONGEST_REQUEST_LINE:
            raise RefusedRequest("uri_too_long")
        line = _REQUEST_LINE.fullmatch(self.raw_requestline)
        if line is None:
            raise RefusedRequest("header_invalid")
        stream, self.rfile = self.rfile, HeaderLines(self.rfile)
        try:
            readable = self.parse_request()
        finally:
            self.rfile = stream
        if readable:
            # the standard library merges leading slashes; the router must see what was asked
            self.path = line["target"].decode("ascii")
            self.language = preferred_language(self.headers.get("Accept-Language"))
            check_headers(self.headers, self.request_version)
        return readable

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Called by the standard library's parser; its words are for programmers, ours for callers."""
        raise RefusedRequest("headers_too_large" if code == 431 else "header_invalid")

    def _answer(self) -> None:
        self.environ = self.get_environ()
        self.application = self._application
        self.server.outstanding_requests += 1
        try:
            self.handle_one_response()
        except OSError:  # the client left before it had its answer
            self.close_connection = True
        finally:
            self.server.outstanding_requests -= 1
            if self._sending is not None:
                self._sending.cancel()
                self._sending = None

    def get_environ(self) -> dict[str, Any]:
        """Return the WSGI environment, with a body stream that is strict and has a deadline."""
        environ: dict[str, Any] = super().get_environ()
        if "Content-Type" not in self.headers:
            environ["CONTENT_TYPE"] = ""  # eventlet claims text/plain
        lenient = environ["wsgi.input"]
        strict = BodyStream.instead_of(lenient, seconds=SECONDS_FOR_BODY)
        environ["wsgi.input"] = environ["eventlet.input"] = strict
        environ["wsgi.input_terminated"] = strict.chunked_input
        environ["eventlet.minimum_write_chunk_size"] = 1  # a stream's messages leave at once
        environ["mpp.connection"], environ["mpp.chunked"] = self.connection, self.request_version == "HTTP/1.1"
        return environ

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body: BodyStream = environ["wsgi.input"]

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if body.is_worth_draining():
                pass  # eventlet reads the rest, and the connection lives on
            elif not body.is_at_end():
                self.close_connection = self.lingers = True
            if any(name == "Content-Length" for name, _ in headers):
                self._sending = eventlet.Timeout(SECONDS_FOR_ANSWER, TimeoutError("the client takes its answer too slowly"))
            if self.server.is_stopping or ("Content-Type", EVENT_STREAM) in headers:  # a stream's end ends its connection
                self.close_connection = True
            return start_response(status, headers, exc_info)

        result: Iterable[bytes] = self.server.app(environ, start)
        return result

    def _refuse(self, refused: RefusedRequest) -> None:
        """Answer a request that could not be read, and close the connection."""
        answer = problem(refused.code, self.language, refused.details)
        body = json.dumps(answer.document, ensure_ascii=False, separators=(",", ":")).encode()
        HTTP_REQUESTS.labels("unreadable", "unreadable", "4xx").observe(0)
        head = [
            f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}",
            f"Content-Type: {MEDIA_TYPE}",
            f"Content-Language: {self.language}",
            f"Content-Length: {len(body)}",
            f"Date: {wsgi.format_date_time(time.time())}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        self.lingers = True
        self.close_connection = True
        self.wfile.write("\r\n".join([*head, "", ""]).encode("ascii") + body)
        self.wfile.flush()

    def finish(self) -> None:
        """Close the connection, after reading what the client is still sending."""
        try:
            if self.lingers:
                self._linger()
        except (OSError, eventlet.Timeout):
            pass
        super().finish()

    def _linger(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        left = MOST_LINGERING_BYTES
        with eventlet.Timeout(SECONDS_TO_LINGER, False):
            while left > 0 and (block := self.rfile.read1(65_536)):
                left -= len(block)


def check_headers(headers: HTTPMessage, version: str) -> None:
    """Raise ``RefusedRequest("header_invalid")`` for headers that two programs could read differently."""
    if headers.defects or headers.get_payload():
        raise RefusedRequest("header_invalid")
    for name, value in headers.items():
        if not _FIELD_NAME.fullmatch(name):
            raise RefusedRequest("header_invalid")
        if not _FIELD_VALUE.fullmatch(value):
            raise RefusedRequest("header_invalid", name)
    if version == "HTTP/1.1" and "Host" not in headers:
        raise RefusedRequest("header_invalid", "Host")
    if not _HOST.fullmatch(headers.get("Host", "")):
        raise RefusedRequest("header_invalid", "Host")
    repeated = next((name for name in _SINGLE if len(headers.get_all(name, ())) > 1), None)
    if repeated is not None:
        raise RefusedRequest("header_invalid", repeated)
    _check_framing(headers.get("Content-Length"), headers.get("Transfer-Encoding"), version)


def _check_framing(length: str | None, coding: str | None, version: str) -> None:
    if coding is not None and (length is not None or coding.lower() != "chunked" or version != "HTTP/1.1"):
        raise RefusedRequest("header_invalid", "Transfer-Encoding")
    if length is not None and not _CONTENT_LENGTH.fullmatch(length):
        raise RefusedRequest("header_invalid", "Content-Length")
