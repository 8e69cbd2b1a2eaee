"""HTTP as lightly as it can be spoken: one thread, one epoll, bytes prepared in advance.

For the process that makes the load: what it spends on itself is taken from the same processors as the platform. It knows no
more of HTTP than the gateway's answers need: a Content-Length, no transfer encoding, connections that stay open.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

_SEPARATOR = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `seconds` since the request was handed to the kernel."""

    status: int
    head: bytes
    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Until:
    """What a script yields to be resumed at a moment of `time.perf_counter`."""

    moment: float


Request = bytes | Until
Script = Generator[Request, Any, None]
"""Yields a request and gets its `Answer`, or yields `Until` and gets None."""


class WireError(Exception):
    """The connection was lost, or what came back is no answer that this client understands."""


def request(method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes | None = None) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    if body is not None:
        lines += [*(["Content-Type: application/json"] if body else []), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + _SEPARATOR + (body or b"")


def parse(received: bytes) -> tuple[int, bytes, bytes] | None:
    """Return `(status, head, body)` of one whole answer, or None while bytes are missing.

    :raises WireError: not an answer of HTTP/1.1 with a known length.
    """
    end = received.find(_SEPARATOR)
    if end < 0:
        return None
    head = received[:end].lower()
    if not head.startswith(b"http/1.1 "):
        raise WireError(f"not an answer: {received[:80]!r}")
    status, start = int(head[9:12]), end + len(_SEPARATOR)
    if status in (204, 304):
        return status, head, b""
    at = head.find(_LENGTH)
    if at < 0:
        raise WireError(f"an answer without length: {head!r}")
    length = int(head[at + len(_LENGTH) :].partition(b"\r\n")[0])
    if len(received) < start + length:
        return None
    return status, head, received[start : start + length]


class _Lane:
    """One connection with the script that uses it."""

    def __init__(self, port: int, script: Script) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.script = script
        self.received = b""
        self.asked_at = 0.0


class Loop:
    """Runs scripts side by side, each on a connection of its own."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, _Lane]] = []
        self._counter = 0
        self._running = 0

    def add(self, port: int, script: Script) -> None:
        """Begin a script on a new connection to a port of this machine."""
        lane = _Lane(port, script)
        self._selector.register(lane.socket, selectors.EVENT_READ, lane)
        self._running += 1
        self._resume(lane, None)

    def run(self, patience: float) -> None:
        """Return when all scripts have ended; no connection stays open, whatever happens.

        :raises WireError: no answer came to any of them for `patience` seconds, or a connection was lost.
        """
        try:
            while self._running:
                self._turn(patience)
        finally:
            for key in list(self._selector.get_map().values()):
                key.data.socket.close()
            self._selector.close()

    def _turn(self, patience: float) -> None:
        wait = patience if not self._timers else max(0.0, min(patience, self._timers[0][0] - time.perf_counter()))
        ready = self._selector.select(wait)
        for key, _ in ready:
            self._read(key.data)
        if not ready and wait == patience:
            raise WireError(f"no answer for {patience:g} s")
        now = time.perf_counter()
        while self._timers and self._timers[0][0] <= now:
            self._resume(heapq.heappop(self._timers)[2], None)

    def _read(self, lane: _Lane) -> None:
        data = lane.socket.recv(262_144)
        if not data:
            raise WireError("the gateway closed a connection")
        lane.received = lane.received + data if lane.received else data
        whole = parse(lane.received)
        if whole is not None:
            lane.received = b""
            self._resume(lane, Answer(*whole, time.perf_counter() - lane.asked_at))

    def _resume(self, lane: _Lane, answer: Answer | None) -> None:
        try:
            wanted = next(lane.script) if answer is None else lane.script.send(answer)
        except StopIteration:
            self._selector.unregister(lane.socket)
            lane.socket.close()
            self._running -= 1
            return
        if isinstance(wanted, Until):
            self._counter += 1
            heapq.heappush(self._timers, (wanted.moment, self._counter, lane))
        else:
            lane.asked_at = time.perf_counter()
            lane.socket.sendall(wanted)
