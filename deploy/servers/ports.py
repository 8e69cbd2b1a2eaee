"""TCP ports for private servers."""

import random
import socket
from collections.abc import Collection
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST = 15000
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int, address: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port of a loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set this too: connections of an earlier run that linger in TIME_WAIT do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(avoid: Collection[int] = ()) -> int:
    """A loopback port on which nothing listens.

    Taken from below the kernel's ephemeral range: while a server is down, a client that keeps reconnecting to an ephemeral
    port may be given that very port as its own source port, connect to itself, and so keep the server from coming back.
    """
    highest = _lowest_ephemeral_port() - 1
    chooser = random.SystemRandom()  # processes that start at the same moment must not walk the same ports
    for _ in range(200):
        port = chooser.randint(_LOWEST, highest)
        if port not in avoid and is_free(port):
            return port
    raise OSError(f"no free TCP port found between {_LOWEST} and {highest}")


def free_ports(count: int) -> list[int]:
    """So many different free loopback ports."""
    ports: list[int] = []
    while len(ports) < count:
        ports.append(free_port(avoid=ports))
    return ports


def _lowest_ephemeral_port() -> int:
    try:
        lowest = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        lowest = 32768  # the kernel's default
    return lowest if lowest > _LOWEST + 1000 else 65536  # a machine with an unusual range: any port above ours
