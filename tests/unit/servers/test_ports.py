"""Ports for private servers."""

import socket
from pathlib import Path

import pytest

from deploy.servers.ports import LOOPBACK, free_port, free_ports, is_free

pytestmark = pytest.mark.unit


def test_port_with_a_listener_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        assert not is_free(listener.getsockname()[1])


def test_free_port_can_be_listened_on() -> None:
    port = free_port()
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)
    assert is_free(port)


def test_free_ports_differ_and_no_client_is_given_them() -> None:
    ports = free_ports(50)
    lowest_client_port = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(ports)) == 50
    if lowest_client_port > 16000:
        assert max(ports) < lowest_client_port
