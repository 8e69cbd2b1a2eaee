"""Streams on real connections: whatever the reader's speed, what arrives is whole, in order, and ends with the newest."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.integration.gateway.streamed import MESSAGES, body_of
from tests.processes import CHECKOUT

pytestmark = pytest.mark.integration

MESSAGE = re.compile(rb"(?:retry: \d+\n\n)?(?:id: (?P<id>\d+)\nevent: board\ndata: (?P<body>[0-9a-f.]+)\n\n|:\n\n)")
PROTOCOLS = ("HTTP/1.1", "HTTP/1.0")


@pytest.fixture
def streaming():
    """The server, and the port it listens on."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.integration.gateway.streaming_server"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


class Reader:
    """Reads a stream to its end in a thread of its own, in blocks, with a pause after each."""

    def __init__(self, port: int, protocol: str, block: int, pause: float) -> None:
        self._connection = socket.socket()
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self._connection.settimeout(30)
        self._connection.connect(("127.0.0.1", port))
        self._connection.sendall(f"GET / {protocol}\r\nHost: tests\r\n\r\n".encode())
        self._response = HTTPResponse(self._connection)
        self._response.begin()
        self.chunked = self._response.chunked
        self._block, self._pause = block, pause
        self.first = self._response.read1(200)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.received = self.first
        self.error: BaseException | None = None

    def start(self) -> None:
        """Read on."""
        self._thread.start()

    def _read(self) -> None:
        try:
            while block := self._response.read(self._block):
                self.received += block
                time.sleep(self._pause)
        except BaseException as error:  # noqa: BLE001 - raised by messages()
            self.error = error
        finally:
            self._connection.close()

    def messages(self) -> list[tuple[int, bytes]]:
        """Return number and body of each message, when the stream has ended; fails when there is anything else in it."""
        self._thread.join(60)
        assert not self._thread.is_alive(), "the stream does not end"
        if self.error is not None:
            raise self.error
        found, at = [], 0
        while at < len(self.received):
            match = MESSAGE.match(self.received, at)
            assert match is not None, f"no message at {at} of {len(self.received)}: {self.received[at : at + 80]!r}"
            at = match.end()
            if match["id"]:
                found.append((int(match["id"]), match["body"]))
        return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_readers_of_every_speed_get_whole_messages_and_the_last_one(streaming, protocol):
    server, port = streaming
    readers: dict[str, Any] = {
        "fast": Reader(port, protocol, 1 << 20, 0.0),
        "slow": Reader(port, protocol, 50_000, 0.02),
        "slower": Reader(port, protocol, 20_000, 0.05),
    }
    for reader in readers.values():
        assert reader.chunked == (protocol == "HTTP/1.1")
        reader.start()
    server.stdin.write(b"\n")
    server.stdin.flush()
    seen = {}
    for name, reader in readers.items():
        messages = reader.messages()
        numbers = [number for number, _ in messages]
        assert numbers == sorted(set(numbers)), "in order, none twice"
        assert numbers[-1] == MESSAGES
        for number, body in messages:
            assert body == body_of(number, len(body) - 128)
        seen[name] = len(numbers)
    assert seen["fast"] > 10 * seen["slower"], f"the slow ones skip: {seen}"
    assert server.wait(30) == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_that_hangs_up_in_the_middle_disturbs_nobody(streaming, protocol):
    server, port = streaming
    gone = Reader(port, protocol, 1, 0.0)
    other = Reader(port, protocol, 1 << 20, 0.0)
    gone._connection.close()
    gone._response.close()
    other.start()
    server.stdin.write(b"\n")
    server.stdin.flush()
    assert other.messages()[-1][0] == MESSAGES
    assert server.wait(30) == 0
