"""What may be sent where: mail server, sender, addresses that webhooks may reach. Read from `MPP_*` by `settings`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Self
from urllib.parse import unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,250}")
_TRUE_OR_FALSE = {"true": True, "false": False}


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over. ``security``: ``smtp`` (plain), ``starttls`` or ``smtps`` (TLS from the first byte)."""

    security: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Read ``starttls://user:password@host:587``; a refusal does not show it, for it holds a password."""
        refusal = ValueError(
            "MPP_SMTP_URL must be a URL such as starttls://user:password@host:587; or smtps://, or smtp:// without password."
        )
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise refusal from None
        if parts.scheme not in _PORTS or not parts.hostname or port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
            raise refusal
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if bool(user) != bool(password) or (password and parts.scheme == "smtp"):
            raise refusal  # a password does not go over the wire in clear
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password)


@dataclass(frozen=True)
class DeliverySettings:
    """Settings of what leaves the platform for citizens and other systems."""

    mail_server: MailServer | None = None
    """``None``: no mail is sent, and nobody can subscribe to it."""
    mail_from: str = ""
    public_url: str = ""
    """Where citizens and receivers reach the platform, without a slash at the end; empty when that is not known."""
    webhook_allowed_networks: tuple[Network, ...] = ()
    """Networks that webhooks may reach although they are not public."""
    webhook_allow_http: bool = False
    subscription_retention_days: int = 7
    """So long after a ticket's end the address to which its notices went is erased."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; raises ``ValueError`` naming the one that is unusable."""
        smtp_url, mail_from = environ.get("MPP_SMTP_URL", ""), environ.get("MPP_MAIL_FROM", "")
        mail_server = MailServer.of(smtp_url) if smtp_url else None
        if smtp_url and not _ADDRESS.fullmatch(parseaddr(mail_from)[1]):
            raise ValueError("MPP_MAIL_FROM must be the sender of mail, such as MPP Lampung Timur <antrean@mpp.example.id>.")
        return cls(
            mail_server=mail_server,
            mail_from=mail_from,
            public_url=_public_url(environ.get("MPP_PUBLIC_URL", "")),
            webhook_allowed_networks=_networks(environ.get("MPP_WEBHOOK_ALLOWED_NETWORKS", "")),
            webhook_allow_http=_true_or_false(environ, "MPP_WEBHOOK_ALLOW_HTTP"),
            subscription_retention_days=_days(environ.get("MPP_SUBSCRIPTION_RETENTION_DAYS", "7")),
        )


def _public_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = not text or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.query)
    except ValueError:
        usable = False
    if not usable or parts.fragment or parts.username is not None or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("MPP_PUBLIC_URL must be the address of the platform, such as https://mpp.example.id.")
    return text.rstrip("/")


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"MPP_WEBHOOK_ALLOWED_NETWORKS must be networks such as 10.20.0.0/16,fd00:20::/32: {error}.") from error


def _true_or_false(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "") or "false"
    if text not in _TRUE_OR_FALSE:
        raise ValueError(f"{name} must be true or false, not {text!r}.")
    return _TRUE_OR_FALSE[text]


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text) <= 365:
        raise ValueError(f"MPP_SUBSCRIPTION_RETENTION_DAYS must be a whole number from 0 to 365, not {text!r}.")
    return int(text)
