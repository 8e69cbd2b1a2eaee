"""Two ledgers and two mirrors on servers of their own, which these tests kill, freeze and wipe."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from tests.fault.chassis.replicas import Replicas


@pytest.fixture(scope="session")
def own_postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A database server whose loss disturbs no other test."""
    with PostgresServer(server_folder / "chassis-postgres", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def own_rabbitmq(server_folder: Path) -> Iterator[RabbitMQServer]:
    """A broker whose loss disturbs no other test."""
    server = RabbitMQServer(server_folder / "chassis-rabbitmq")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def deployment(tmp_path_factory, own_postgres, own_rabbitmq) -> Iterator[Replicas]:
    """Two replicas of each probe service."""
    with Replicas(tmp_path_factory.mktemp("replicas"), own_postgres, own_rabbitmq) as replicas:
        yield replicas


@pytest.fixture
def probes(deployment) -> Replicas:
    """All four, alive and ready, whatever the test before did to them."""
    deployment.make_whole()
    return deployment


@pytest.fixture
def regency(deployment) -> str:
    """A regency that no other test uses."""
    return deployment.new_regency()
