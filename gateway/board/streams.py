"""Server-sent events with room for only the newest: a slow reader skips what it did not take, nothing queues up.

Each message stands for itself (a whole board, a whole ticket), so that skipping loses nothing. What is new is written to
the connections of idle streams at once, by whoever brings it: waking thousands of green threads for one write each took
most of the time that a change needed to be seen. Only a reader with a full buffer has its own thread finish.
"""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from gateway.problems import Refusal
from services.chassis.metrics import STREAMS

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2_000
HEARTBEAT = b":\n\n"

SEND_BUFFER_BYTES = 32_768
"""What the kernel keeps for a reader that does not read: about two boards, not the megabytes that are usual."""

UNACKNOWLEDGED_SECONDS = 30
"""After so long without a sign of life from the reader's machine its connection is given up."""


def encoded_event(name: str, sequence: int, body: bytes) -> bytes:
    """Return one server-sent event; ``body`` is JSON on one line."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (sequence, name.encode(), body)


class Slot:
    """The newest message of a topic, and the streams that want it."""

    def __init__(self) -> None:
        self.newest = b""
        self.final = False
        self.streams: set[Stream] = set()

    def offer(self, message: bytes, *, final: bool = False) -> None:
        """Replace the newest message and give it to everybody; nothing follows a ``final`` one."""
        self.newest, self.final = message, final
        chunk = b"%x\r\n%b\r\n" % (len(message), message)  # RFC 9112, section 7.1
        for stream in list(self.streams):
            stream.push(message, chunk)

    def end(self) -> None:
        """End all streams; who still wants the topic comes again by itself."""
        self.final = True
        for stream in list(self.streams):
            stream.wake()


class StreamLimits:
    """How many streams there may be: of this process, and of one client address."""

    def __init__(self, most: int, most_per_client: int) -> None:
        self._most = most
        self._most_per_client = most_per_client
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, client: str) -> None:
        """Count a stream; raises ``Refusal`` (``too_many_streams`` for this client, ``busy`` for all)."""
        with self._lock:
            if self._open.total() >= self._most:
                raise Refusal("busy")
            if self._open[client] >= self._most_per_client:
                raise Refusal("too_many_streams", headers={"Retry-After": "10"}, limit=self._most_per_client)
            self._open[client] += 1
        STREAMS.inc()

    def leave(self, client: str) -> None:
        """Count it no more."""
        with self._lock:
            self._open[client] -= 1
            if self._open[client] <= 0:
                del self._open[client]
        STREAMS.dec()


class Stream:
    """The body of one streaming answer. Whoever iterates over it must close it."""

    def __init__(self, slot: Slot, on_close: Callable[[], None], ending: threading.Event) -> None:
        self._slot = slot
        self._on_close = on_close
        self._ending = ending
        self._news = threading.Event()
        self._sent: bytes | None = None
        self._closed = False
        self._abandoned = False
        self._waiting = False
        """Whether everything given to the server is on its way, so that the connection is free."""
        self._rest = b""
        """What is left of a chunk that did not fit into the connection's buffer."""
        self._connection: Any = None
        self._send_all: Callable[[bytes], object] = lambda rest: None
        self._chunked = True
        slot.streams.add(self)

    def attach(self, connection: Any, *, chunked: bool) -> None:
        """Tell it on which connection it is sent: a small buffer there, and an eye on a reader that vanished.

        :param connection: eventlet's socket; ``None`` where there is none.
        :param chunked: whether the server sends messages as chunks (HTTP/1.1), or as they are until the end (HTTP/1.0).
        """
        self._connection, self._chunked = getattr(connection, "fd", None), chunked
        if self._connection is not None:
            self._send_all = connection.sendall
        with suppress(OSError, AttributeError):
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_SECONDS * 1000)

    def end_if_abandoned(self) -> None:
        """End it when its reader has hung up, without waiting for a heartbeat that cannot be delivered."""
        try:
            hung_up = self._connection is not None and self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return  # nothing to read: it is there
        except OSError:
            hung_up = True
        if hung_up:
            self._abandoned = True
            self.wake()

    def push(self, message: bytes, chunk: bytes) -> None:
        """Send the newest message now if the connection is free; otherwise its own thread will send what is newest then.

        :param chunk: the same, framed.
        """
        if self._waiting and not self._rest and self._sent is not None and self._connection is not None and not self._slot.final:
            written, framed = 0, chunk if self._chunked else message
            try:
                written = self._connection.send(framed, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass  # a full buffer
            except OSError:
                self._abandoned = True
            if written:
                self._sent, self._rest = message, framed[written:]
            if written == len(framed):
                return
        self.wake()

    def wake(self) -> None:
        """Tell it that there is something to look at."""
        self._news.set()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the newest message, or a heartbeat when nothing has changed for a while."""
        while not self._closed:
            self._news.clear()
            if self._rest:
                self._send_rest()
            newest = self._slot.newest
            if newest is not self._sent and not self._abandoned:
                first, self._sent = self._sent is None, newest
                return b"retry: %d\n\n%b" % (RETRY_MILLISECONDS, newest) if first else newest
            if self._slot.final or self._ending.is_set() or self._abandoned:
                break
            if not self._wait() and not self._rest:
                return HEARTBEAT
        raise StopIteration

    def _wait(self) -> bool:
        self._waiting = True
        try:
            # Not all at the same moment: those of a site began together after a restart.
            return self._news.wait(HEARTBEAT_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311
        finally:
            self._waiting = False

    def _send_rest(self) -> None:
        """Finish a chunk; raises ``OSError`` when the reader takes nothing or is gone, as every write of the server does."""
        rest, self._rest = self._rest, b""
        self._send_all(rest)

    def close(self) -> None:
        """Let go of everything; called by the server when the answer ends, however it ends."""
        if not self._closed:
            self._closed = True
            self._slot.streams.discard(self)
            self._on_close()
