"""The edge as a process, and sockets to talk to it."""

from __future__ import annotations

import io
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@dataclass
class Received:
    """One answer as it came off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Code of the problem document that the answer must be."""
        assert self.headers["content-type"] == "application/problem+json", self
        document = self.json
        assert document["status"] == self.status
        return str(document["code"])


class _Reader(io.BufferedReader):
    """One buffer for all answers of a connection: an answer that has been read does not close it."""

    def close(self) -> None:
        """Stay open for the next answer."""

    def makefile(self, _mode: str) -> _Reader:
        """Stand in for the socket from which an answer makes its file."""
        return self


class Connection:
    """A client connection on which a test may send anything."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.reader = _Reader(socket.SocketIO(self.socket, "r"))

    def send(self, raw: bytes) -> Connection:
        self.socket.sendall(raw)
        return self

    def answer(self, method: str = "GET") -> Received:
        """Read one answer."""
        response = HTTPResponse(self.reader, method=method)  # type: ignore[arg-type]
        response.begin()
        received = Received(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        response.close()
        return received

    def is_closed(self) -> bool:
        """Whether the server closes the connection without another byte (waits until it does)."""
        try:
            return self.reader.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


def command(port: int) -> list[str]:
    """Return the command line of a server; with port 0 it chooses one."""
    return [sys.executable, "-W", "ignore", "-m", "tests.integration.gateway.edge_server", str(port)]


class EdgeProcess:
    """The server under test."""

    def __init__(self, **options: Any) -> None:
        environment = {**os.environ, "EDGE_OPTIONS": json.dumps(options)}
        self.process = subprocess.Popen(command(0), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.output = self.process.stdout
        line = self.output.readline()
        if not line:
            self.stop()
            pytest.fail("the server did not start")
        self.port = int(line)

    def stop(self) -> int:
        """Stop gracefully and return the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.output.close()


@pytest.fixture(scope="module")
def edge_process() -> Iterator[EdgeProcess]:
    """A running server, shared by the tests of a module."""
    edge = EdgeProcess()
    yield edge
    status = edge.stop()
    assert status == 0


@pytest.fixture
def own_edge_process() -> Iterator[EdgeProcess]:
    """A running server that the test may stop."""
    edge = EdgeProcess()
    yield edge
    edge.stop()


@pytest.fixture(scope="module")
def edge_with() -> Iterator[Callable[..., EdgeProcess]]:
    """Starts servers with settings of their own."""
    started: list[EdgeProcess] = []

    def start(**options: Any) -> EdgeProcess:
        started.append(EdgeProcess(**options))
        return started[-1]

    yield start
    for edge in started:
        edge.stop()


@pytest.fixture
def second_server() -> Callable[[int], subprocess.CompletedProcess[str]]:
    """Runs another server on a port that is taken."""

    def run(port: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(port), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)

    return run


@pytest.fixture(scope="session", autouse=True)
def _many_files() -> None:
    """Let this process open more connections than the 1,024 that are usual."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 8_192, hard))


@pytest.fixture
def connect() -> Iterator[Callable[[EdgeProcess], Connection]]:
    """Opens connections, closed after the test."""
    opened: list[Connection] = []

    def open_one(edge: EdgeProcess) -> Connection:
        opened.append(Connection(edge.port))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
