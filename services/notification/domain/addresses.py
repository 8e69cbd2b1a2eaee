"""Which network addresses a webhook may reach: the public internet, and what the operator allows besides."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        # IANA's registry of special-purpose IPv4 addresses, multicast, and what is kept for the future
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # IPv6: within the global range, what is not global after all or carries an IPv4 address (Teredo, 6to4)
        *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
"""Nothing else is given to anybody: loopback, link-local, unique local, multicast, IPv4-mapped, NAT64 are all outside."""


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether a connection may go to ``address``: it is public, or in one of the ``allowed`` networks.

    An IPv6 address with a scope (``fe80::1%eth0``) names a link of this machine and is never allowed.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_IPV6:
        return False
    return not any(address.version == network.version and address in network for network in _NOT_PUBLIC)


def literal_of(host: str) -> Address | None:
    """Return the address that ``host`` is written as, ``None`` for a name.

    :raises ValueError: an address in an unusual notation (``0x7f.1``, ``2130706433``, ``127.1``, ``010.0.0.1``): programs
        disagree about what these mean, which is how they are used to get past checks.
    """
    if ":" in host:
        return ipaddress.IPv6Address(host)
    last = host.rstrip(".").rpartition(".")[2]
    if last.isdigit() or last[:2].lower() == "0x":
        return ipaddress.IPv4Address(host)
    return None
