"""A client of the API as a counter's or kiosk's program would be: one connection, and patience with an outage.

`Client.request` sends one request. `Client.command` does what the API tells clients to do with 503 and lost connections:
the same request with the same Idempotency-Key until it is answered. Every attempt is written down, so that a checker can
tell afterwards whether anything took too long, happened twice, or happened late.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

UNANSWERED = 0
"""Status of an attempt that ended without an answer: connection refused, reset or timed out."""

OUTAGE = (UNANSWERED, 503)

PATIENCE_SECONDS = 20.0
"""How long a client waits for one answer: far beyond any deadline, so that a late answer is seen and not hidden."""

GIVE_UP_SECONDS = 90.0


@dataclass(frozen=True)
class Answer:
    """What came back; `seconds` from sending to the last byte, `at` Unix time of sending."""

    status: int
    body: Any
    headers: dict[str, str]
    seconds: float
    at: float

    @property
    def code(self) -> str | None:
        """Code of a problem document."""
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass
class CommandRecord:
    """One command with all its attempts; the last of them was answered."""

    key: str
    path: str
    body: Any
    actor: str
    attempts: list[Answer] = field(default_factory=list)

    @property
    def answer(self) -> Answer:
        """The answer that settled the command."""
        return self.attempts[-1]


class Ledger:
    """All commands of all clients of a test, settled or not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.records: list[CommandRecord] = []

    def begin(self, record: CommandRecord) -> CommandRecord:
        """Write a command down."""
        with self._lock:
            self.records.append(record)
        return record

    @property
    def attempts(self) -> list[Answer]:
        """Every attempt of every command until now."""
        with self._lock:
            return [attempt for record in self.records for attempt in record.attempts]

    @property
    def answered(self) -> list[CommandRecord]:
        """The commands that were answered in the end."""
        with self._lock:
            return [record for record in self.records if record.attempts and record.answer.status not in OUTAGE]

    @property
    def settled(self) -> int:
        """How many attempts were answered."""
        return sum(attempt.status not in OUTAGE for attempt in self.attempts)

    @property
    def refused(self) -> int:
        """How many attempts found the platform, or a part of it, away."""
        return sum(attempt.status in OUTAGE for attempt in self.attempts)

    def figures(self) -> str:
        """How many requests, repeats, kinds of failure, and how long the longest took."""
        attempts = self.attempts
        failed = {status: sum(a.status == status for a in attempts) for status in sorted({a.status for a in attempts}) if status != 200}
        seconds = sorted(attempt.seconds for attempt in attempts)
        return (
            f"{len(self.records)} commands, {len(attempts)} requests, {len(attempts) - len(self.records)} retries,"
            f" statuses other than 200: {failed}, median {seconds[len(seconds) // 2]:.3f} s,"
            f" p99 {seconds[len(seconds) * 99 // 100]:.3f} s, longest {seconds[-1]:.3f} s"
        )


class Client:
    """One HTTP connection to one of several gateways; moves on to the next gateway when one does not answer."""

    def __init__(
        self,
        ports: Sequence[int],
        token: str | None = None,
        *,
        actor: str = "anonymous",
        ledger: Ledger | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Connect to nothing yet; `tls`: what to trust, where the ports are those of `localhost` over HTTPS."""
        self._ports = list(ports)
        self._tls = tls
        self.token = token
        self.actor = actor
        self.ledger = ledger or Ledger()
        self._connection: http.client.HTTPConnection | None = None

    def request(self, method: str, path: str, body: Any = None, *, key: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Send one request and return the answer; `UNANSWERED` when there was none."""
        sent = dict(headers or {})
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if key is not None:
            sent["Idempotency-Key"] = key
        if method == "PATCH":
            sent.setdefault("If-Match", "*")
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        at, started = time.time(), time.monotonic()
        try:
            status, answered, raw = self._exchange(method, path, content, sent)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self._ports.append(self._ports.pop(0))
            return Answer(UNANSWERED, {"error": repr(error)}, {}, time.monotonic() - started, at)
        decoded = json.loads(raw) if raw and _is_json(answered) else raw.decode(errors="replace")
        return Answer(status, decoded if raw else None, answered, time.monotonic() - started, at)

    def get(self, path: str, **headers: str) -> Answer:
        """GET, with the given headers."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        """POST once."""
        return self.request("POST", path, body, key=key, headers=headers)

    def patch(self, path: str, body: Any, **headers: str) -> Answer:
        """PATCH once."""
        return self.request("PATCH", path, body, headers=headers)

    def command(self, path: str, body: Any = None, *, key: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        """POST until it is answered with something other than 503, always with the same Idempotency-Key."""
        record = self.ledger.begin(CommandRecord(key or uuid.uuid4().hex, path, body, self.actor))
        end = time.monotonic() + GIVE_UP_SECONDS
        while True:
            answer = self.request("POST", path, body, key=record.key, headers=headers)
            record.attempts.append(answer)
            if answer.status not in OUTAGE:
                return answer
            if time.monotonic() > end:
                raise AssertionError(f"{path} not answered within {GIVE_UP_SECONDS:g} s; last: {answer}")
            time.sleep(_pause(len(record.attempts)))

    def pages(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a list, page by page."""
        items: list[dict[str, Any]] = []
        separator, cursor = ("&" if "?" in path else "?"), None
        while True:
            answer = self.get(f"{path}{separator}limit=200" + (f"&cursor={cursor}" if cursor else ""))
            assert answer.status == 200, answer
            items += answer.body["items"]
            cursor = answer.body["next_cursor"]
            if cursor is None:
                return items

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self._connection is None:
            self._connection = connection_to(self._ports[0], self._tls, PATIENCE_SECONDS)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        raw = response.read()
        answered = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close:
            self.close()
        return response.status, answered, raw


class WayIn(Protocol):
    """A platform, however it runs, as clients see it: who has an account there is signed in."""

    def client(self, account: str | None = None, *, ledger: Ledger | None = None) -> Client:
        """Return a client signed in as `account`, or anonymous."""

    def token(self, account: str) -> str:
        """Return an account's access token."""


def connection_to(port: int, tls: ssl.SSLContext | None, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not yet made, to a gateway or, with `tls`, to a proxy."""
    if tls is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    return http.client.HTTPSConnection("localhost", port, timeout=timeout, context=tls)


def _is_json(headers: dict[str, str]) -> bool:
    """One JSON text; NDJSON is many."""
    kind = headers.get("content-type", "").partition(";")[0]
    return kind.endswith("json") and not kind.endswith("ndjson")


def _pause(attempts: int) -> float:
    """Grow from 50 ms to half a second: an impatient client, to make the most of an outage."""
    return min(0.5, 0.05 * attempts)


def together(count: int, action: Any) -> list[Any]:
    """Run `action(index)` in so many threads that begin at the same moment; return what they returned, or raise the first error."""
    barrier = threading.Barrier(count)
    outcomes: list[Any] = [None] * count
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            barrier.wait(30)
            outcomes[index] = action(index)
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return outcomes
