"""The private RabbitMQ: no guest, one owner, a start after every kind of end, and no trace of it on the machine."""

import os
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from amqp.exceptions import AccessRefused
from kombu import Connection, Producer, Queue

from deploy.servers.process import ServerError, command_lines, wait_until
from deploy.servers.rabbitmq import RabbitMQServer

pytestmark = [pytest.mark.integration, pytest.mark.first]


def send(url: str, queue: Queue, body: str) -> None:
    with Connection(url, transport_options={"confirm_publish": True}) as connection:
        queue(connection).declare()
        Producer(connection).publish(body, routing_key=queue.name, delivery_mode=2)


def receive(url: str, queue: Queue) -> object:
    with Connection(url) as connection:
        message = queue(connection).get(no_ack=True)
        return message.payload if message else None


CLASSIC = Queue("kept", durable=True)
QUORUM = Queue("new", durable=True, queue_arguments={"x-queue-type": "quorum"})


@pytest.mark.parametrize(("user", "password"), [("guest", "guest"), ("mpp_admin", "wrong"), ("mpp_admin", "")])
def test_wrong_password_is_refused(rabbitmq_server: RabbitMQServer, user: str, password: str) -> None:
    url = f"amqp://{user}:{password}@127.0.0.1:{rabbitmq_server.port}/%2F"
    with Connection(url) as connection, pytest.raises(AccessRefused):
        connection.connect()


def test_management_and_metrics_answer(rabbitmq_server: RabbitMQServer) -> None:
    request = urllib.request.Request(f"{rabbitmq_server.management_url}/api/overview")  # noqa: S310 - our own address
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(request, timeout=10)  # noqa: S310
    refused.value.close()
    credentials = b64encode(f"{rabbitmq_server.user}:{rabbitmq_server.password}".encode()).decode()
    request.add_header("Authorization", f"Basic {credentials}")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert b"rabbitmq_version" in answer.read()
    with urllib.request.urlopen(rabbitmq_server.metrics_url, timeout=10) as answer:  # noqa: S310
        assert b"rabbitmq_build_info" in answer.read()


def test_second_start_in_a_folder_in_use_is_refused(rabbitmq_server: RabbitMQServer) -> None:
    with pytest.raises(ServerError, match=f"in use by process {os.getpid()}"):
        RabbitMQServer(rabbitmq_server.data_dir).start()
    with pytest.raises(ServerError, match="stop or kill it"):
        rabbitmq_server.wipe()


def test_rabbitmqctl_failure_says_why(rabbitmq_server: RabbitMQServer) -> None:
    assert rabbitmq_server.user in rabbitmq_server.ctl("-q", "list_users")
    with pytest.raises(ServerError, match="nobody-here"):
        rabbitmq_server.ctl("delete_user", "nobody-here")


def test_life_of_a_broker_beside_another(rabbitmq_server: RabbitMQServer, folder: Path) -> None:
    with RabbitMQServer(folder) as server:
        url = server.url
        send(url, CLASSIC, "number 12")
        assert "kept" not in rabbitmq_server.ctl("-q", "list_queues")
        send(url, QUORUM, "number 13")

        server.kill()
        assert not server.is_running
        server.start()
        assert server.url == url, "ports and password stay"
        assert receive(url, CLASSIC) == "number 12"
        # What a quorum queue held is not kept for sure when it was declared right before the crash; but it works again.
        send(url, QUORUM, "number 14")
        assert receive(url, QUORUM) in {"number 13", "number 14"}

        server.kill()
        server.wipe()
        server.start()
        assert server.url == url, "ports and password stay after a wipe"
        assert server.ctl("-q", "list_queues", "--no-table-headers").strip() == ""
    assert not _processes_of(server), "a stopped broker leaves no process, not even its port mapper"
    assert rabbitmq_server.is_running


def test_broker_ends_when_its_starter_is_killed(folder: Path, abandoned: Callable[[str, Path], list[str]]) -> None:
    abandoned("deploy.servers.rabbitmq.RabbitMQServer", folder)
    server = RabbitMQServer(folder)
    assert wait_until(lambda: not _processes_of(server), 30)


def _processes_of(server: RabbitMQServer) -> list[int]:
    return [pid for pid, command in command_lines().items() if any(server.name in part for part in command)]
