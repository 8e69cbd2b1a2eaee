"""The light HTTP client of the load."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench.wire import Answer, Loop, Script, Until, WireError, parse, request

pytestmark = pytest.mark.unit

WHOLE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nETag: "7"\r\n\r\n{}'


def test_an_answer_is_whole_when_its_last_byte_is_there() -> None:
    for size in range(len(WHOLE)):
        assert parse(WHOLE[:size]) is None
    found = parse(WHOLE)
    assert found is not None
    assert (found[0], found[2]) == (200, b"{}")
    assert b'etag: "7"' in found[1]


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(status: int) -> None:
    assert parse(f"HTTP/1.1 {status} x\r\nDate: now\r\n\r\n".encode()) == (status, f"http/1.1 {status} x\r\ndate: now".encode(), b"")


@pytest.mark.parametrize("wrong", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"SSH-2.0\r\n\r\n"])
def test_what_it_does_not_understand_is_an_error(wrong: bytes) -> None:
    with pytest.raises(WireError):
        parse(wrong)


def test_a_request_says_how_long_its_body_is() -> None:
    raw = request("POST", "/v1/x", [("Idempotency-Key", "k")], b"{}")
    assert raw.startswith(b"POST /v1/x HTTP/1.1\r\n")
    assert raw.endswith(b"\r\nContent-Length: 2\r\n\r\n{}")
    assert b"Content-Type: application/json" in raw
    assert request("POST", "/v1/x", body=b"").endswith(b"\r\nContent-Length: 0\r\n\r\n")
    assert b"Content" not in request("GET", "/v1/x")


@contextmanager
def server(*pieces: bytes) -> Iterator[int]:
    """Answers each request on each connection with these bytes, piece by piece; hangs up when there are none."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65_536) and pieces:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.001)  # so that they travel apart

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_scripts_run_side_by_side_and_in_time() -> None:
    answers: list[Answer] = []
    moments: list[float] = []

    def script(wait: float) -> Script:
        yield Until(time.perf_counter() + wait)
        moments.append(wait)
        answers.append((yield request("GET", "/")))
        answers.append((yield request("GET", "/")))

    with server(WHOLE[:20], WHOLE[20:]) as port:
        loop = Loop()
        for wait in (0.06, 0.0, 0.03):
            loop.add(port, script(wait))
        loop.run(5.0)
    assert moments == sorted(moments)
    assert [answer.status for answer in answers] == [200] * 6
    assert all(answer.seconds > 0 for answer in answers)


def test_a_lost_connection_ends_the_run() -> None:
    def script() -> Script:
        yield request("GET", "/")

    with server() as port:
        loop = Loop()
        loop.add(port, script())
        with pytest.raises((WireError, ConnectionResetError)):
            loop.run(5.0)


def test_silence_ends_the_run() -> None:
    def script() -> Script:
        yield request("GET", "/")

    with server(b"") as port:
        loop = Loop()
        loop.add(port, script())
        with pytest.raises(WireError):
            loop.run(0.2)
