"""The gateway's own queue, on both brokers: events of watched regencies, of no others, through every outage."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator

import pytest

from deploy.servers.rabbitmq import RabbitMQServer
from gateway.board.feed import Feed
from services.chassis.broker import EventPublisher, Outgoing
from services.chassis.errors import BrokerUnavailable
from services.chassis.events import CONTENT_TYPE
from tests.processes import eventually

pytestmark = pytest.mark.integration

SOURCES = ("lampung-timur", "oku-timur")


class Hearing:
    """A feed, what it has heard, and somebody who publishes."""

    def __init__(self, url: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.connections = 0
        self.losses = 0
        self.feed = Feed(url, lambda key, body: self.heard.append((key, body)), self._connected, self._lost)
        self.feed.start()
        self.publisher = EventPublisher(url, [])
        # Exchanges of the in-process broker are shared by all tests of the process: regencies of our own.
        self.near, self.far = (f"{source}-{uuid.uuid4().hex[:6]}" for source in SOURCES)

    def _connected(self) -> None:
        self.connections += 1

    def _lost(self) -> None:
        self.losses += 1

    def publish(self, regency: str, event_type: str = "ticket.called") -> bytes:
        body = json.dumps({"regency": regency, "mark": uuid.uuid4().hex}).encode()
        self.publisher.publish([Outgoing(f"{regency}.{event_type}", uuid.uuid4().hex, body, CONTENT_TYPE)])
        return body

    def hears(self, regency: str, event_type: str = "ticket.called") -> bool:
        """Publish one, and wait until it is heard, or one after it that is known to be."""
        body = self.publish(regency, event_type)
        fence = self.publish(self.near)
        eventually(lambda: fence in [heard for _, heard in self.heard], within=10)
        return body in [heard for _, heard in self.heard]


@pytest.fixture
def hearing(rabbitmq_server: RabbitMQServer) -> Iterator[Callable[[str], Hearing]]:
    """Makes a feed on a broker."""
    made: list[Hearing] = []

    def make(broker: str) -> Hearing:
        made.append(Hearing("embedded://" if broker == "embedded" else rabbitmq_server.url))
        return made[-1]

    yield make
    for each in made:
        each.feed.stop()
        each.publisher.close()


@pytest.mark.parametrize("broker", ["embedded", "rabbitmq"])
class TestBinding:
    def test_a_regency_is_heard_from_the_moment_it_is_wanted(self, broker: str, hearing: Callable[[str], Hearing]):
        hall = hearing(broker)
        hall.feed.want(hall.near, 10)
        for event_type in ("ticket.issued", "queue.day_opened", "catalog.site_changed"):
            assert hall.hears(hall.near, event_type)
        assert hall.heard[0][0] == f"{hall.near}.ticket.issued"

    def test_others_are_not(self, broker: str, hearing: Callable[[str], Hearing]):
        hall = hearing(broker)
        hall.feed.want(hall.near, 10)
        assert not hall.hears(hall.far)
        assert not hall.hears(hall.near, "survey.submitted")

    def test_wanting_more_and_dropping_some_takes_effect_without_a_new_connection(self, broker: str, hearing: Callable[[str], Hearing]):
        hall = hearing(broker)
        hall.feed.want(hall.near, 10)
        hall.feed.want(hall.far, 10)
        assert hall.hears(hall.far)
        hall.feed.drop(hall.far)
        eventually(lambda: not hall.hears(hall.far))
        assert (hall.connections, hall.losses) == (1, 0)


def test_a_broker_that_lost_everything_is_told_again_what_is_wanted(rabbitmq_server: RabbitMQServer, hearing: Callable[[str], Hearing]):
    hall = hearing("rabbitmq")
    hall.feed.want(hall.near, 10)
    rabbitmq_server.kill()
    rabbitmq_server.wipe()
    eventually(lambda: hall.losses == 1)
    with pytest.raises(BrokerUnavailable):
        hall.feed.want(hall.far, 0.1)
    rabbitmq_server.start()
    eventually(lambda: hall.connections == 2, within=30)
    eventually(lambda: hall.hears(hall.near), within=20)
    hall.feed.want(hall.far, 10)
    assert hall.hears(hall.far)
