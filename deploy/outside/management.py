"""RabbitMQ's management HTTP API, as far as outside consumers need it. Speaks what 3.10 and 4 have in common."""

from __future__ import annotations

import http.client
import json
import ssl
from base64 import b64encode
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from services.chassis.settings import EMBEDDED_BROKER, Settings, SettingsError

TIMEOUT_SECONDS = 15.0
ABSENT = 404


class ManagementError(Exception):
    """The management API cannot be reached or refuses; the message says what to do and holds no secret."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Management:
    """One broker's management API. ``vhost`` is the virtual host of the platform."""

    def __init__(self, url: str, user: str, password: str, vhost: str = "/") -> None:
        self._url = urlsplit(url)
        self._authorization = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        self._user = user
        self.vhost = vhost

    @classmethod
    def of(cls, settings: Settings) -> Management:
        """Return the API of the broker that the settings name.

        :raises SettingsError: the broker is the one in the process, or no management URL is set.
        """
        broker = settings.required_broker_url()
        if broker.startswith(EMBEDDED_BROKER):
            raise SettingsError(
                "Outside consumers need a broker that they can reach, but this installation passes its messages within one process:"
                " start it with make run BROKER=rabbitmq."
            )
        url = urlsplit(settings.required_broker_management_url())
        messages = urlsplit(broker.split(";")[0])
        named = url if url.username else messages
        return cls(
            url._replace(netloc=url.netloc.rpartition("@")[2]).geturl(),
            unquote(named.username or ""),
            unquote(named.password or ""),
            unquote(messages.path[1:]) or "/",
        )

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return self._url.netloc

    def get(self, *path: str) -> Any:
        """Return what stands at a path; ``None`` when there is nothing."""
        return self._request("GET", path)

    def put(self, *path: str, body: dict[str, Any]) -> None:
        """Create or replace."""
        self._request("PUT", path, body)

    def post(self, *path: str, body: dict[str, Any]) -> None:
        """Add to a collection."""
        self._request("POST", path, body)

    def delete(self, *path: str) -> bool:
        """Delete; return whether there was something to delete."""
        return self._request("DELETE", path) is not None

    def _request(self, method: str, path: tuple[str, ...], body: dict[str, Any] | None = None) -> Any:
        target = f"{self._url.path.rstrip('/')}/api/" + "/".join(quote(part, safe="") for part in path)
        content = None if body is None else json.dumps(body)
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        connection = self._connection()
        try:
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ManagementError(
                f"RabbitMQ's management API at {self.address} cannot be reached ({str(error) or type(error).__name__})."
                " Does RabbitMQ run with the plugin rabbitmq_management, and is MPP_BROKER_MANAGEMENT_URL right?"
            ) from error
        finally:
            connection.close()
        return self._read(response.status, raw, method, target)

    def _connection(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, self._url.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, self._url.port or 15672, timeout=TIMEOUT_SECONDS)

    def _read(self, status: int, raw: bytes, method: str, target: str) -> Any:
        """Return the decoded answer: ``None`` for what does not exist, ``{}`` for success without content."""
        if status == ABSENT and method in ("GET", "DELETE"):
            return None
        if status in (401, 403):
            raise ManagementError(
                f"RabbitMQ's management API at {self.address} refuses the user {self._user}:"
                " it needs a user with the tag administrator (in MPP_BROKER_MANAGEMENT_URL, else that of MPP_BROKER_URL)."
            )
        if not 200 <= status < 300:
            raise ManagementError(
                f"RabbitMQ's management API at {self.address} refuses {method} {target} ({status}): {_reason(raw)}", status
            )
        try:
            return json.loads(raw) if raw else {}
        except ValueError:
            raise ManagementError(f"What answers at {self.address} is not RabbitMQ's management API.") from None


def _reason(raw: bytes) -> str:
    try:
        answer = json.loads(raw)
        return str(answer.get("reason") or answer.get("error") or "no reason given")
    except (ValueError, AttributeError):
        return "no reason given"
