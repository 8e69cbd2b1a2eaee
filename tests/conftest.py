"""Servers that the tests share: one private PostgreSQL and one private RabbitMQ per session, started when first asked for."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Folder for the data of private servers, removed at the end.

    Not pytest's own temporary folder: that one is closed to the unprivileged account that runs PostgreSQL for root.
    """
    folder = Path(tempfile.mkdtemp(prefix="mpp-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """A running PostgreSQL, empty at first; tests make databases and roles with names of their own."""
    with PostgresServer(server_folder / "postgres", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server(server_folder: Path, pytestconfig: pytest.Config) -> Iterator[RabbitMQServer]:
    """A running RabbitMQ, installed first where it is missing; a test that kills or wipes it starts it again.

    Without RabbitMQ, and without the right to install it, every test that asks for it fails with one sentence.
    """
    terminal = pytestconfig.pluginmanager.getplugin("terminalreporter")
    report = terminal.write_line if terminal else lambda line: None
    server = RabbitMQServer(server_folder / "rabbitmq", report=report)
    server.start()
    try:
        yield server
    finally:
        server.kill()  # a clean stop takes seconds, and nobody needs the data again
