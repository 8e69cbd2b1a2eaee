"""A reader of server-sent events, as a phone's program is: one message after the other, with a patience."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.platform.client import connection_to

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Message:
    """One event of a stream."""

    id: int
    event: str
    data: Any


class EventStream:
    """An open stream; iterating ends when the gateway ends it cleanly, and raises when it is cut off."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._response = response

    def __iter__(self) -> Iterator[Message]:
        fields: dict[str, str] = {}
        while line := self._response.readline():
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(":")
                fields[name] = value.strip()
            elif "data" in fields:
                yield Message(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                fields = {}
            else:
                fields = {}  # a comment, or how soon to come back

    def until(self, condition: Any) -> Message:
        """Read until a message fits; fails when the stream ends before."""
        for message in self:
            if condition(message):
                return message
        raise AssertionError("the stream ended")


@contextmanager
def event_stream(
    port: int, path: str, headers: Mapping[str, str] | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[EventStream]:
    """Open a stream at a gateway or, with `tls`, through a proxy."""
    connection = connection_to(port, tls, PATIENCE_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "text/event-stream", **(headers or {})})
        response = connection.getresponse()
        yield EventStream(response)
        response.close()
    finally:
        connection.close()
