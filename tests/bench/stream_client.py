"""Many readers of one board's stream, in a process of their own; it stops by itself.

Writes one JSON object to the given file: when each sequence was received by how many, and how many readers were left.
SIGTERM ends it early, with its results.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

AT_ONCE = 200
"""Connections under way at a time: browsers come in crowds, but not all in one millisecond."""

_ID = re.compile(rb"(?:^|\n)id: (\d+)\n")
_LONGEST_ID = 40


class Reader(asyncio.Protocol):
    """One stream; notes when each board begins to arrive."""

    def __init__(self, crowd: Crowd, request: bytes) -> None:
        self._crowd = crowd
        self._request = request
        self._tail = b""
        self._begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._crowd.open += 1
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note what has come."""
        now = time.time()
        block = self._tail + data
        end = 0
        for found in _ID.finditer(block):
            self._crowd.received[int(found[1])].append(now)
            end = found.end()
            if not self._begun:
                self._begun = True
                self._crowd.begins()
        self._tail = block[max(end, len(block) - _LONGEST_ID) :]

    def connection_lost(self, error: Exception | None) -> None:
        """Note that it has ended."""
        self._crowd.open -= 1


class Crowd:
    """All readers of this process."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.all_begun = asyncio.Event()
        self.received: dict[int, list[float]] = defaultdict(list)
        self.open = 0
        self.begun = 0

    def begins(self) -> None:
        """One more has its first board."""
        self.begun += 1
        if self.begun == self.count:
            self.all_begun.set()

    async def read(self, port: int, path: str, seconds: float) -> float:
        """Open the streams, say so, and read for so long; return how long opening took."""
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        turn, started = asyncio.Semaphore(AT_ONCE), time.monotonic()
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()

        async def open_one() -> None:
            async with turn:
                await asyncio.get_running_loop().create_connection(lambda: Reader(self, request), "127.0.0.1", port)

        async with asyncio.timeout(60):
            await asyncio.gather(*(open_one() for _ in range(self.count)))
            await self.all_begun.wait()
        opening = time.monotonic() - started
        sys.stdout.write(f"{self.begun}\n")
        sys.stdout.flush()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
        return opening


def main(port: int, path: str, count: int, seconds: float, output: Path) -> None:
    """Read, and write down what was read."""
    crowd = Crowd(count)
    opening = asyncio.run(crowd.read(port, path, seconds))
    output.write_text(json.dumps({"opening": opening, "begun": crowd.begun, "open": crowd.open, "received": crowd.received}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))
