"""Whether a request comes from a page of ours, over a way on which a cookie is safe.

A browser sends our cookie with whatever makes it ask us, also with a form on somebody else's page (cross-site request forgery).
It says where it was when it asked: `Sec-Fetch-Site` and `Origin`, which no script can forge.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from services.chassis.settings import Settings

_FROM_US = frozenset({"same-origin", "none"})
"""``none``: typed or reloaded by the person in front of the screen. ``same-site`` is not enough: offices of a regency share a domain."""


def is_encrypted(request: Request, settings: Settings) -> bool:
    """Whether the browser reached us by TLS, which a proxy of ours ends."""
    if settings.trusted_proxies:
        forwarded = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip()
        return forwarded == "https" if forwarded else _is_told(request, settings.delivery.public_url)
    return False


def _is_told(request: Request, public_url: str) -> bool:
    """Whether this is the address of which the configuration says that it is reached by TLS: not every proxy tells."""
    return public_url == f"https://{request.headers.get('Host', '')}"


def is_loopback(request: Request) -> bool:
    """Whether the browser runs on this machine, by the name under which it knows us: nobody else can listen in between.

    A foreign name that leads to this machine (DNS rebinding) is none of these.
    """
    name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_from_own_page(request: Request, settings: Settings) -> bool:
    """Whether a browser sends this on behalf of a page of ours. What says nothing of its origin is no browser of these years."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and origin is None:
        return False
    if site is not None and site not in _FROM_US:
        return False
    scheme, _, host = (origin or "").partition("://")
    schemes = ("https",) if is_encrypted(request, settings) else ("https", "http")  # a proxy need not tell
    return origin is None or (scheme in schemes and host == request.headers.get("Host"))
