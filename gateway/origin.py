"""From where somebody calls, as far as the audit log keeps it."""

from __future__ import annotations

import functools
import ipaddress

_KEPT_BITS = {4: 24, 6: 48}
"""Enough to tell the office's network from a stranger's, and one provider from another; not a household or a telephone."""


@functools.lru_cache(maxsize=4096)
def network_of(address: str) -> str | None:
    """Return the network of a client's address or network, ``None`` for what is neither.

    A whole address is personal data, and would be kept for years beside everything that an officer does. A keyed hash of it
    would tell a court nothing, and whoever holds the key everything.
    """
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        return None
    kept = _KEPT_BITS[network.version]
    return str(network.supernet(new_prefix=kept) if network.prefixlen > kept else network)
