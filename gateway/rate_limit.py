"""Limits how often one client address may call: callers without an account, and attempts to log in.

Counted in this process's memory, in fixed windows: with N gateways a client gets at most N times the limit. That
is enough against a runaway script and against guessing passwords, and needs no shared store.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.wrappers import Request

from gateway.problems import Refusal
from services.chassis.settings import SettingsError

WATCHER_RATE = "30/second"
"""For each path that machines watch: hundreds of times what probes and Prometheus need, and little work."""

_IPV6_NETWORK = 64
"""A household or office owns a /64: counting single IPv6 addresses would limit nobody."""


SWEEP_SECONDS = 10.0
"""How often the windows that have ended are forgotten, of all clients."""


class Windows(MemoryStorage):
    """Counters in memory. The library's own way starts a thread at almost each count, to walk over all clients."""

    def __init__(self) -> None:
        super().__init__()
        self._counting = threading.Lock()
        self._sweep_at = 0.0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, and return what was counted in this window of ``expiry`` seconds."""
        with self._counting:
            now = time.time()
            if now >= self._sweep_at:
                self._sweep(now)
            counted = self.get(key) + amount
            self.storage[key] = counted
            self.expirations.setdefault(key, now + expiry)
            return counted

    def _sweep(self, now: float) -> None:
        self._sweep_at = now + SWEEP_SECONDS
        for key in [key for key, ends in self.expirations.items() if ends <= now]:
            self.storage.pop(key, None)
            self.expirations.pop(key, None)


class RateLimits:
    """The limits of one gateway; rates are written like ``600/minute``. Raises ``SettingsError`` for other texts."""

    def __init__(self, anonymous_rate: str, login_rate: str) -> None:
        self._anonymous = _rate("MPP_ANONYMOUS_RATE", anonymous_rate)
        self._login = _rate("MPP_LOGIN_RATE", login_rate)
        self._watcher = parse(WATCHER_RATE)
        self._windows = FixedWindowRateLimiter(Windows())

    def count_anonymous(self, client: str, told: dict[str, str] | None = None) -> None:
        """Count a request without a valid token; raises ``Refusal("rate_limited")`` with ``Retry-After``.

        ``told``: headers of the answer, which say how far the limit has been used.
        """
        self._count(self._anonymous, "anonymous", client, told)

    def count_login(self, client: str, told: dict[str, str] | None = None) -> None:
        """Count an attempt to log in; raises ``Refusal("rate_limited")`` with ``Retry-After``.

        By address, not by account: else anybody could lock an officer out by guessing.
        """
        self._count(self._login, "login", client, told)

    def count_watcher(self, client: str, path: str, told: dict[str, str] | None = None) -> None:
        """Count a look at the gateway's state; raises ``Refusal("rate_limited")`` with ``Retry-After``."""
        self._count(self._watcher, path.strip("/"), client, told)

    def _count(self, rate: RateLimitItem, purpose: str, client: str, told: dict[str, str] | None) -> None:
        admitted = self._windows.hit(rate, purpose, client)
        ends, left = self._windows.get_window_stats(rate, purpose, client)
        seconds = max(1, math.ceil(ends - time.time()))
        if told is not None:
            _say(told, "RateLimit-Policy", f'"{purpose}";q={rate.amount};w={rate.get_expiry()}')
            _say(told, "RateLimit", f'"{purpose}";r={left};t={seconds}')
        if not admitted:
            raise Refusal("rate_limited", headers={"Retry-After": str(seconds)}, retry_after=seconds)


def _say(headers: dict[str, str], name: str, limit: str) -> None:
    """Add a limit to a header of draft-ietf-httpapi-ratelimit-headers-10, beside those that it names already."""
    headers[name] = f"{headers[name]}, {limit}" if name in headers else limit


def _rate(variable: str, text: str) -> RateLimitItem:
    try:
        return parse(text)
    except ValueError as unreadable:
        raise SettingsError(f"{variable} must be a rate such as 600/minute, not {text!r}.") from unreadable


def client_of(request: Request, trusted_proxies: int) -> str:
    """Return the client's address, or the network of an IPv6 one.

    ``X-Forwarded-For`` counts only as far as proxies of ours wrote it: with ``trusted_proxies`` = 1 its last entry.
    """
    address = request.environ.get("REMOTE_ADDR") or "unknown"
    if trusted_proxies:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        if len(hops) >= trusted_proxies:
            address = hops[-trusted_proxies]
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
