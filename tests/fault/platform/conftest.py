"""A platform that is disturbed in every way, with two of everything and servers of its own so that no other test notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from tests.fault.platform.drill import FEWER, JOURNEYS, Drills
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR
from tests.platform.line import Line
from tests.receivers import HttpReceiver, Mailbox


@pytest.fixture(scope="package")
def drills(server_folder: Path, pytestconfig: pytest.Config) -> Iterator[Drills]:
    """The hall of OKU Timur, to be disturbed in the middle of its work."""
    folder = server_folder / "fault"
    short = "not thorough" in pytestconfig.option.markexpr
    with (
        PostgresServer(folder / "postgres", durable=False) as postgres,
        RabbitMQServer(folder / "rabbitmq") as rabbitmq,
        Line(rabbitmq.port) as line,
    ):
        keep_commit_times(postgres)
        platform = DeployedPlatform(folder / "platform", postgres, rabbitmq, notification=2, reporting=2, broker_port=line.port)
        with platform, HttpReceiver() as receiver, Mailbox(port=platform.mail_port) as mailbox:
            yield Drills(platform, OKU_TIMUR, line, receiver, mailbox, FEWER if short else JOURNEYS)
        rabbitmq.kill()  # nobody needs it any more, and its polite end takes seconds


def keep_commit_times(postgres: PostgresServer) -> None:
    """Let the server remember when each transaction was committed: the only witness of what was done late."""
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    postgres.stop()
    postgres.start()
