"""Servers that the tests share: one private PostgreSQL and one private RabbitMQ per session, started when first asked for."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.servers.postgres import PostgresServer


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
