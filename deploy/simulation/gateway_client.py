"""HTTP as a counter's or kiosk's program speaks it: patient with outages, and each command once."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import urllib3

from deploy.simulation.failure import SimulationError

GIVE_UP_SECONDS = 120.0
"""A request that is not answered for so long ends the simulation at its site."""

ANSWER_SECONDS = 20.0
"""Beyond every deadline of the platform."""

LONGEST_PAUSE_SECONDS = 5.0
LONGEST_RATE_PAUSE_SECONDS = 60.0

Answer = tuple[int, Any]
"""Status and decoded body."""


class Gateway:
    """A running gateway at a base URL; used by many threads at once."""

    def __init__(self, url: str, connections: int) -> None:
        """Raises `SimulationError` when `url` is none."""
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
            raise SimulationError(f"{url!r} is no address of a gateway: https://mpp.example.id or http://127.0.0.1:8000 is.")
        self.url = url.rstrip("/")
        timeout = urllib3.Timeout(connect=5.0, read=ANSWER_SECONDS)
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False, timeout=timeout)
        self._ended = threading.Event()
        self.repeats = 0
        """Requests that were repeated after 503, 429 or a lost connection."""

    def close(self) -> None:
        """Close the connections; requests under way are not repeated any more."""
        self._ended.set()
        self._pool.clear()

    def check(self) -> list[str]:
        """Return the regencies that the gateway lists; raises `SimulationError` when no gateway answers there."""
        try:
            status, body, headers = self._exchange("GET", "/v1/regencies", None, {})
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise SimulationError(f"No gateway answers at {self.url} ({_reason(error)}). {_advice(error)}") from error
        if 300 <= status < 400:
            raise SimulationError(f"{self.url} sends on to {headers.get('Location', 'another address')}: name that one with --url.")
        if status == 503:
            status, body = self.send("GET", "/v1/regencies")
        if status != 200 or not isinstance(body, dict) or "items" not in body:
            raise SimulationError(f"What answers at {self.url} is no gateway of this platform (status {status} for /v1/regencies).")
        return [regency["id"] for regency in body["items"]]

    def send(
        self, method: str, path: str, body: Any = None, *, token: Callable[[], str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request until it is answered with something other than 503 or 429, a POST always with the same Idempotency-Key.

        :param token: returns the access token to be sent, asked anew for each attempt.
        :raises SimulationError: no answer within two minutes.
        """
        sent = {"Accept-Language": "en", **(headers or {})}
        if method == "POST":
            sent["Idempotency-Key"] = str(uuid.uuid4())
        end, attempts, last = time.monotonic() + GIVE_UP_SECONDS, 0, ""
        while time.monotonic() < end and not self._ended.is_set():
            pause = min(LONGEST_PAUSE_SECONDS, 0.1 * 2**attempts)
            attempts += 1
            if token is not None:
                sent["Authorization"] = f"Bearer {token()}"
            try:
                status, answered, told = self._exchange(method, path, body, sent)
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                last = _reason(error)
            else:
                if status not in (429, 503):
                    return status, answered
                last = f"status {status}, {answered.get('code') if isinstance(answered, dict) else 'no problem document'}"
                if status == 429 and (asked := told.get("Retry-After", "")).isdecimal():
                    pause = min(float(asked), LONGEST_RATE_PAUSE_SECONDS)
            self.repeats += 1
            self._ended.wait(pause)
        raise SimulationError(f"{method} {path} was not answered within {GIVE_UP_SECONDS:g} s; last: {last or 'ended'}.")

    def _exchange(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Any, Mapping[str, str]]:
        content = None if body is None else json.dumps(body).encode()
        sent = dict(headers) if body is None else {**headers, "Content-Type": "application/json"}
        response = self._pool.request(method, self.url + path, body=content, headers=sent, redirect=False)
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(response.data) if is_json and response.data else None, response.headers


class Session:
    """Somebody who is signed in; signs in again when the token has expired."""

    def __init__(self, gateway: Gateway, account: str, password: str) -> None:
        """:raises SimulationError: the account or password is refused."""
        self._gateway, self.account, self._password = gateway, account, password
        self._lock = threading.Lock()
        self._token = self._sign_in()

    def get(self, path: str) -> Any:
        """Return what the gateway answers with 200; raises `SimulationError` otherwise."""
        return expect(self._send("GET", path, None), f"GET {path}", 200)[1]

    def command(self, path: str, body: Any = None) -> Answer:
        """Have a command done once."""
        return self._send("POST", path, body)

    def _send(self, method: str, path: str, body: Any) -> Answer:
        token = self._token
        answer = self._gateway.send(method, path, body, token=lambda: self._token)
        if answer[0] == 401:  # the command was not begun
            with self._lock:
                if self._token == token:
                    self._token = self._sign_in()
            answer = self._gateway.send(method, path, body, token=lambda: self._token)
        return answer

    def _sign_in(self) -> str:
        status, body = self._gateway.send("POST", "/v1/auth/token", {"username": self.account, "password": self._password})
        if status != 200:
            raise SimulationError(
                f"{self.account} cannot sign in at {self._gateway.url} ({told(body, status)})."
                " Demo accounts exist in embedded mode only; name others with --officer, --kiosk and MPP_SIMULATION_PASSWORD."
            )
        return str(body["access_token"])


def expect(answer: Answer, what: str, *statuses: int) -> Answer:
    """Return the answer if it has one of these statuses; raises `SimulationError` otherwise."""
    if answer[0] not in statuses:
        raise SimulationError(f"{what} was refused: {told(answer[1], answer[0])}.")
    return answer


def told(body: Any, status: int) -> str:
    """Return what a problem document says, in a few words."""
    return f"{status} {body['code']}: {body['title']}" if isinstance(body, dict) and "code" in body else f"status {status}"


def code_of(answer: Answer) -> str | None:
    """Return the code of a problem document."""
    return answer[1].get("code") if isinstance(answer[1], dict) else None


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "connection refused" if "refused" in str(error) else "it cannot be reached"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(error, urllib3.exceptions.SSLError):
        return "its certificate is not trusted"
    return type(error).__name__ if isinstance(error, urllib3.exceptions.HTTPError) else str(error)


def _advice(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.SSLError):
        return "SSL_CERT_FILE=<file> names the certificate of the authority that signed it."
    return "`make run` starts one, --url names another."
