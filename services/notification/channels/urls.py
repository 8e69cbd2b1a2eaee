"""Addresses of webhooks: read once, strictly, into the parts that are connected to; nothing reads the text again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

import idna

from services.notification.domain import is_allowed, literal_of
from services.notification.domain.addresses import Network

_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_INTERNAL_NAMES = ("localhost", "local", "internal", "home.arpa")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_QUERY_SAFE = _PATH_SAFE + "?"


class UrlRefused(Exception):
    """Nothing is sent to such an address; ``rule`` is one of ``services.contracts.field_rules``."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True)
class Target:
    """Where to connect, and what to ask there. ``host`` is in ASCII, without brackets and final dot."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and, where it is not the usual one, port: the header ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address in its normal form."""
        return f"{self.scheme}://{self.authority}{self.path}"


def target_of(url: str, *, allow_http: bool, allowed: Iterable[Network]) -> Target:
    """Read an address; raises :class:`UrlRefused`.

    Names are not looked up here: what they resolve to is checked at each connection.
    """
    if "\\" in url or not url.isprintable() or " " in url:
        raise UrlRefused("url_host")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UrlRefused("url_host") from None
    if parts.scheme not in _PORTS or (parts.scheme == "http" and not allow_http):
        raise UrlRefused("url_not_https")
    if "@" in parts.netloc:
        raise UrlRefused("url_with_password")
    if "#" in url:
        raise UrlRefused("url_fragment")
    networks = tuple(allowed)
    path = quote(parts.path or "/", safe=_PATH_SAFE) + (f"?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else "")
    return Target(parts.scheme, _host(parts, networks), _port(parts), path)


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UrlRefused("url_port")
    return port or _PORTS[parts.scheme]


def _host(parts: SplitResult, allowed: tuple[Network, ...]) -> str:
    host = _in_ascii(parts.hostname or "")
    if ("[" in parts.netloc) != (":" in host):
        raise UrlRefused("url_host")
    try:
        address = literal_of(host)
    except ValueError:
        raise UrlRefused("url_host") from None
    if address is not None:
        if not is_allowed(address, allowed):
            raise UrlRefused("url_internal")
        return str(address)
    host = host.removesuffix(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise UrlRefused("url_host")
    if not allowed and (host in _INTERNAL_NAMES or host.endswith(tuple(f".{name}" for name in _INTERNAL_NAMES))):
        raise UrlRefused("url_internal")
    return host


def _in_ascii(host: str) -> str:
    """Return a name in the form that is looked up: ``bücher.example`` -> ``xn--bcher-kva.example``."""
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise UrlRefused("url_host") from None
