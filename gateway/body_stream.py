"""The body of one request as a stream: exact framing, and a deadline for the whole of it."""

from __future__ import annotations

import re
import time
from typing import Self

import eventlet
from eventlet import wsgi

MOST_BYTES_TO_DRAIN = 65_536
"""An unread rest of this size is cheaper to read than a new connection is to make."""

_CHUNK_SIZE = re.compile(rb"(?P<size>[0-9A-Fa-f]{1,8})[ \t]*(;[\t\x20-\x7e]*)?\r\n")
_LONGEST_CHUNK_LINE = 256
_MOST_TRAILER_LINES = 20


class BodyStream(wsgi.Input):
    """Replaces eventlet's stream, which accepts any chunk line, of any length, and waits for ever."""

    deadline: float = 0.0
    seconds: float = 20.0
    _ended = False

    @classmethod
    def instead_of(cls, stream: wsgi.Input, *, seconds: float) -> Self:
        """Take over from a stream that has not been read; all reads together may last ``seconds``."""
        body = cls(
            stream.rfile,
            stream.content_length,
            stream._sock,
            wfile=stream.wfile,
            wfile_line=stream.wfile_line,
            chunked_input=stream.chunked_input,
        )
        body.seconds = seconds
        body.chunk_length = 0
        return body

    def read(self, length: int | None = None) -> bytes:
        """Return at most ``length`` bytes, ``b""`` at the end.

        Raises ``ValueError`` for broken chunks, ``TimeoutError`` or another ``OSError`` when the client is too slow or gone.
        """
        if self.is_at_end():
            return b""
        if self.should_send_hundred_continue:
            self.is_hundred_continue_response_sent = True
            self.send_hundred_continue_response()
            self.chunk_length = 0
        self.deadline = self.deadline or time.monotonic() + self.seconds
        with eventlet.Timeout(max(0.001, self.deadline - time.monotonic()), TimeoutError("body too slow")):
            return self._read_chunked(length) if self.chunked_input else self._read_counted(length)

    def is_at_end(self) -> bool:
        """Whether the whole body has been read."""
        if self.chunked_input:
            return self._ended
        return bool(self.position >= (self.content_length or 0))

    def is_worth_draining(self) -> bool:
        """Whether what is left is announced and small, so that the connection can be kept."""
        if self.chunked_input or self.should_send_hundred_continue:
            return False
        return bool(0 < self.content_length - self.position <= MOST_BYTES_TO_DRAIN)

    def _read_counted(self, length: int | None) -> bytes:
        left = self.content_length - self.position
        block: bytes = self.rfile.read1(left if length is None else min(length, left))
        self.position += len(block)
        return block

    def _read_chunked(self, length: int | None) -> bytes:
        if self.chunk_length == 0:
            self.chunk_length = self._next_chunk_size()
            if self.chunk_length == 0:
                self._skip_trailers()
                self._ended = True
                return b""
        block: bytes = self.rfile.read1(self.chunk_length if length is None else min(length, self.chunk_length))
        if not block:
            raise ConnectionAbortedError("the client left in the middle of the body")
        self.chunk_length -= len(block)
        if self.chunk_length == 0 and self.rfile.readline(3) != b"\r\n":
            raise ValueError("a chunk is longer than announced")
        return block

    def _next_chunk_size(self) -> int:
        match = _CHUNK_SIZE.fullmatch(self.rfile.readline(_LONGEST_CHUNK_LINE))
        if match is None:
            raise ValueError("not a chunk size")
        return int(match["size"], 16)

    def _skip_trailers(self) -> None:
        for _ in range(_MOST_TRAILER_LINES):
            line = self.rfile.readline(_LONGEST_CHUNK_LINE)
            if line == b"\r\n":
                return
            if not line.endswith(b"\r\n"):
                break
        raise ValueError("trailers do not end")
