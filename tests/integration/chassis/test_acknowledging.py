"""Messages that are acknowledged leave the queue, told one by one or together, and none besides them."""

import secrets
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Queue

from services.chassis.listener import Listener
from tests.probe.deployment import new_virtual_host
from tests.processes import eventually

pytestmark = pytest.mark.integration


class Reader:
    """Keeps what it was handed in hand."""

    def __init__(self, url: str, queue: Queue) -> None:
        self.taken: list[Any] = []
        self.redelivered: list[int] = []
        self.listener = Listener("reader", url, lambda: [queue], self._take, prefetch=50)
        threading.Thread(target=self.listener.run, daemon=True).start()

    def _take(self, body: Any, message: Any) -> None:
        self.taken.append(message)
        if message.delivery_info["redelivered"]:
            self.redelivered.append(body["number"])

    def in_hand(self, numbers: list[int]) -> list[Any]:
        return [message for message in self.taken if message.payload["number"] in numbers]

    def close(self) -> None:
        self.listener.close()
        assert self.listener.finished.wait(10)


@pytest.fixture(scope="module")
def url(rabbitmq_server) -> str:
    return new_virtual_host(rabbitmq_server)


@pytest.fixture
def queue(url) -> Queue:
    return Queue(f"numbers-{secrets.token_hex(4)}", durable=True, queue_arguments={"x-queue-type": "quorum"})


@pytest.fixture
def reader(url, queue) -> Iterator[Reader]:
    reader = Reader(url, queue)
    eventually(reader.listener.connected.is_set)
    yield reader
    reader.listener.close()


def publish(url: str, queue: Queue, numbers: range) -> None:
    # Confirmed: a quorum queue that was only just declared may lose what it has not confirmed.
    with Connection(url, transport_options={"confirm_publish": True}) as connection:
        producer = connection.Producer(serializer="json")
        for number in numbers:
            producer.publish({"number": number}, routing_key=queue.name)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([], list(range(1, 11))),
        ([], [1, 2, 3]),
        ([], [4, 5, 9]),
        ([3], [1, 2, 4, 5]),
        ([2, 6], [3, 10, 1]),
        ([10], [1]),
    ],
)
def test_what_is_not_acknowledged_comes_again_and_nothing_else(url, queue, reader, first, then):
    publish(url, queue, range(1, 11))
    eventually(lambda: len(reader.taken) == 10)
    for message in reader.in_hand(first):
        reader.listener.acknowledge(message)
    for message in reader.in_hand(then):
        reader.listener.acknowledge(message)
    publish(url, queue, range(11, 12))
    eventually(lambda: len(reader.taken) == 11)  # the channel lives: nothing was acknowledged that was no longer ours
    reader.close()
    again = Reader(url, queue)
    left = sorted({*range(1, 12)} - {*first, *then})
    eventually(lambda: len(again.taken) >= len(left))
    assert sorted(again.redelivered) == left
    for message in again.taken:
        again.listener.acknowledge(message)
    again.close()
    nobody = Reader(url, queue)
    publish(url, queue, range(12, 13))
    eventually(lambda: len(nobody.taken) > 0)
    assert [message.payload["number"] for message in nobody.taken] == [12]
    nobody.close()


def test_messages_of_a_lost_connection_are_passed_over(url, queue, reader):
    publish(url, queue, range(1, 4))
    eventually(lambda: len(reader.taken) == 3)
    lost = list(reader.taken)
    reader.listener.ask(break_connection)
    eventually(lambda: len(reader.taken) == 6)
    for message in [*lost, *reader.taken[3:5], *lost]:
        reader.listener.acknowledge(message)
    reader.close()
    again = Reader(url, queue)
    eventually(lambda: len(again.taken) == 1)
    assert again.taken[0].payload == {"number": 3}
    again.close()


def break_connection(channel: Any) -> None:
    raise ConnectionResetError
