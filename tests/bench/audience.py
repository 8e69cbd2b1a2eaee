"""Everybody who listens, in a process of its own: readers of boards, a system that takes webhooks, a mail server.

`python -m tests.bench.audience PLAN.json`: opens the plan's streams, prints `listening` when each has its first board and both
servers are up, listens until a line comes or the time is over, and writes what it noted into the plan's `output`. The line may hold
a JSON object of sequences by path: then it goes on until those have been shown, for some seconds at most.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_ID = re.compile(rb"(?:^|\n)id: (\d+)\n")
_LONGEST_ID = 40
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
OPENED_AT_ONCE = 50
CATCH_UP_SECONDS = 10.0
OPENING_SECONDS = 120.0
"""For one stream: a gateway that has just started asks for hundreds of boards first."""


class Reader(asyncio.Protocol):
    """One stream: notes when each sequence begins to arrive."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._tail = b""
        self.received: list[tuple[int, float]] = []
        self.begun = asyncio.Event()
        self.lost = False
        self._news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note what has come."""
        now, end, block = time.time(), 0, self._tail + data
        for found in _ID.finditer(block):
            self.received.append((int(found[1]), now))
            end = found.end()
            self.begun.set()
            self._news.set()
        self._tail = block[max(end, len(block) - _LONGEST_ID) :]

    def connection_lost(self, error: Exception | None) -> None:
        """Note that it has ended."""
        self.lost = True

    async def shown(self, sequence: int) -> None:
        """Return when a board of this sequence or a later one has come."""
        while not self.received or self.received[-1][0] < sequence:
            self._news.clear()
            await self._news.wait()


class Receiver(asyncio.Protocol):
    """A system that takes webhooks: 204 to each."""

    taken = 0

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep whom to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < size:
                return
            self._received = self._received[size:]
            type(self).taken += 1
            self._transport.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            self._transport.close()


class Mailbox(asyncio.Protocol):
    """As much of a mail server (RFC 5321) as is needed to take a letter."""

    taken = 0

    def __init__(self) -> None:
        self._received = b""
        self._in_text = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 audience ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer each whole line, or the end of a text."""
        self._received += data
        while True:
            line, separator, rest = self._received.partition(b"\r\n.\r\n" if self._in_text else b"\r\n")
            if not separator:
                return
            self._received = rest
            self._answer(line.upper())

    def _answer(self, line: bytes) -> None:
        if self._in_text:
            self._in_text = False
            type(self).taken += 1
            self._transport.write(b"250 taken\r\n")
        elif line.startswith(b"DATA"):
            self._in_text = True
            self._transport.write(b"354 go on\r\n")
        elif line.startswith(b"QUIT"):
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 audience\r\n")


async def listen(plan: dict[str, Any]) -> dict[str, Any]:
    """Do what the plan says; return what was noted."""
    loop = asyncio.get_running_loop()
    webhooks = await loop.create_server(Receiver, "127.0.0.1", plan["webhook_port"], backlog=256)
    mail = await loop.create_server(Mailbox, "127.0.0.1", plan["mail_port"], backlog=64)
    turn = asyncio.Semaphore(OPENED_AT_ONCE)
    readers: dict[str, Reader] = {}

    async def open_stream(number: int, path: str) -> None:
        text = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        readers[path] = Reader(text.encode())
        async with turn:
            port = plan["ports"][number % len(plan["ports"])]
            await loop.create_connection(lambda: readers[path], "127.0.0.1", port)
            await asyncio.wait_for(readers[path].begun.wait(), OPENING_SECONDS)

    await asyncio.gather(*(open_stream(number, path) for number, path in enumerate(plan["streams"])))
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    told: asyncio.Future[str] = loop.create_future()

    def hear() -> None:
        loop.remove_reader(sys.stdin)
        told.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, hear)
    with suppress(TimeoutError):
        awaited = json.loads(await asyncio.wait_for(told, plan["seconds"]) or "{}")
        async with asyncio.timeout(CATCH_UP_SECONDS):
            for path, sequence in awaited.items():
                await readers[path].shown(sequence)
    for server in (webhooks, mail):
        server.close()
    return {
        "received": {path: reader.received for path, reader in readers.items()},
        "lost": [path for path, reader in readers.items() if reader.lost],
        "posts": Receiver.taken,
        "letters": Mailbox.taken,
    }


def main(plan_file: Path) -> None:
    """Listen, and write down what was heard."""
    plan = json.loads(plan_file.read_text())
    Path(plan["output"]).write_text(json.dumps(asyncio.run(listen(plan))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
