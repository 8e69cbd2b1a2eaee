"""One POST to a checked address: resolved once, connected to exactly what was checked, bounded in time and size.

urllib3 speaks HTTP and TLS. It is given the address, not the name, so that a second look-up cannot lead elsewhere
(DNS rebinding); the name goes into SNI, the certificate's check and the header ``Host``. Redirects are not followed,
proxies of the environment are not asked, nothing of the answer but its status and ``Retry-After`` is kept.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from services.chassis.time_limit import TimeLimitExceeded, time_limit
from services.notification.channels.urls import Target
from services.notification.domain import Outcome, is_allowed, seconds_of_retry_after, verdict_of_status
from services.notification.domain.addresses import Address, Network

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 15.0
"""For look-up, connection, request and the head of the answer together."""

MOST_ADDRESSES = 3
LARGEST_ANSWER = 16_384
ANSWER_SECONDS = 1.0
"""So much of an answer's body is read, for so long, to end politely; the verdict is known by then."""

Resolver = Callable[[str, int], Sequence[str]]


def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the system's order; raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Poster:
    """Posts to public addresses and to those in ``allowed``."""

    def __init__(self, allowed: Sequence[Network], *, resolve: Resolver = look_up) -> None:
        self._allowed = tuple(allowed)
        self._resolve = resolve

    def post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send one request; return what its answer, or the lack of one, means."""
        try:
            with time_limit(TOTAL_SECONDS):
                return self._post(target, body, headers)
        except TimeLimitExceeded:
            return Outcome("retry", "too_slow")

    def _post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> Outcome:
        try:
            found = [ipaddress.ip_address(text) for text in self._resolve(target.host, target.port)]
        except (OSError, UnicodeError, ValueError):
            return Outcome("retry", "name_unknown")
        addresses = [address for address in found if is_allowed(address, self._allowed)]
        if not addresses:
            return Outcome("retry", "address_internal" if found else "name_unknown")
        outcome = Outcome("retry", "connect_failed")
        for address in addresses[:MOST_ADDRESSES]:
            connection = self._connection(target, address)
            try:
                try:
                    connection.connect()
                except NewConnectionError:  # refused or unreachable; urllib3 counts it among the timeouts
                    outcome = Outcome("retry", "connect_failed")
                except (ConnectTimeoutError, TimeoutError):
                    outcome = Outcome("retry", "connect_timeout")
                except ssl.SSLError:
                    outcome = Outcome("retry", "tls_failed")
                except (HTTPError, OSError):
                    outcome = Outcome("retry", "connect_failed")
                else:
                    return _exchange(connection, target, body, headers)
            finally:
                connection.close()
        return outcome

    def _connection(self, target: Target, address: Address) -> HTTPConnection:
        if target.scheme == "http":
            return HTTPConnection(str(address), target.port, timeout=CONNECT_SECONDS)
        return HTTPSConnection(str(address), target.port, timeout=CONNECT_SECONDS, server_hostname=target.host, ssl_context=self._tls)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def _exchange(connection: HTTPConnection, target: Target, body: bytes, headers: Mapping[str, str]) -> Outcome:
    try:
        connection.sock.settimeout(READ_SECONDS)
        sent = {"Host": target.authority, "Accept-Encoding": "identity", "Connection": "close", **headers}
        connection.request("POST", target.path, body=body, headers=sent, preload_content=False, decode_content=False)
        answer = connection.getresponse()
        retry_after = seconds_of_retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
        with suppress(TimeLimitExceeded, HTTPError, http.client.HTTPException, OSError), time_limit(ANSWER_SECONDS):
            answer.read(LARGEST_ANSWER)
        return verdict_of_status(answer.status, retry_after)
    except TimeoutError:
        return Outcome("retry", "read_timeout")
    except (HTTPError, http.client.HTTPException, OSError, ValueError):
        return Outcome("retry", "connection_lost")
