"""The in-process broker delivers at once, routes by topic, and looks to the platform like the real one."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from kombu import Connection, Queue, binding

from services.chassis.broker import EVENT_EXCHANGE, EventPublisher, Outgoing, Sender, connect, event_queue
from services.chassis.events import CONTENT_TYPE
from services.chassis.listener import TICK, Listener
from tests.processes import eventually

pytestmark = pytest.mark.unit

URL = "embedded://"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Subscription:
    queue: str
    owner: str
    aggregates: tuple[str, ...]


class Consumer:
    """A listener that keeps what it got, and acknowledges it a little later in another thread, as services do."""

    def __init__(self, queue: Queue, *, prefetch: int = 16, acknowledge: bool = True) -> None:
        self.got: list[Any] = []
        self.at: list[float] = []
        self.messages: list[Any] = []
        self._acknowledge = acknowledge
        self.listener = Listener(queue.name, URL, lambda: [queue], self._take, prefetch=prefetch)
        self._thread = threading.Thread(target=self.listener.run, daemon=True)
        self._thread.start()
        assert self.listener.connected.wait(5)

    def _take(self, body: Any, message: Any) -> None:
        self.at.append(time.monotonic())
        self.got.append(body)
        self.messages.append(message)
        if self._acknowledge:
            threading.Timer(0.005, self.listener.acknowledge, (message,)).start()  # what handling takes

    def close(self) -> None:
        self.listener.close()
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def consume() -> Iterator[Callable[..., Consumer]]:
    consumers = []

    def start(queue: Queue, **options: Any) -> Consumer:
        consumers.append(Consumer(queue, **options))
        return consumers[-1]

    yield start
    for consumer in consumers:
        consumer.close()


@pytest.fixture
def aggregate() -> str:
    """An aggregate of events that no other test uses."""
    return f"thing{next(_numbers)}"


def subscription(*aggregates: str) -> Subscription:
    return Subscription(f"test.queue{next(_numbers)}", "test", aggregates)


def has(consumer: Consumer, count: int) -> bool:
    return len(consumer.at) >= count


def outgoing(key: str, number: int = 0) -> Outgoing:
    return Outgoing(key, f"id-{number}", json.dumps({"number": number}).encode(), CONTENT_TYPE)


def test_an_event_arrives_without_any_polling_delay(consume, aggregate):
    wanted = subscription(aggregate)
    # Not even the wake-up by an acknowledgement helps here.
    consumer, publisher = consume(event_queue(wanted), prefetch=64, acknowledge=False), EventPublisher(URL, [wanted])
    delays = []
    for number in range(20):
        sent = time.monotonic()
        assert publisher.publish([outgoing(f"a.{aggregate}.b", number)]) == []
        eventually(partial(has, consumer, number + 1), within=5, every=0.001)
        delays.append(consumer.at[-1] - sent)
    assert sorted(delays)[10] < TICK / 4, "polling takes half a tick on average"


def test_more_events_than_are_taken_at_a_time_do_not_wait_either(consume, aggregate):
    """An acknowledgement makes room as much as an arrival does."""
    wanted = subscription(aggregate)
    consumer, publisher = consume(event_queue(wanted), prefetch=4), EventPublisher(URL, [wanted])
    started = time.monotonic()
    publisher.publish([outgoing(f"a.{aggregate}.b", number) for number in range(120)])
    eventually(lambda: len(consumer.got) == 120, within=20, every=0.01)
    assert time.monotonic() - started < 120 / 4 * TICK / 2
    assert [body["number"] for body in consumer.got] == list(range(120))


def test_no_more_is_taken_than_was_asked_for(consume, aggregate):
    wanted = subscription(aggregate)
    consumer, publisher = consume(event_queue(wanted), prefetch=4, acknowledge=False), EventPublisher(URL, [wanted])
    publisher.publish([outgoing(f"a.{aggregate}.b", number) for number in range(9)])
    eventually(lambda: len(consumer.got) == 4)
    consumer.listener.acknowledge(consumer.messages[0])
    eventually(lambda: len(consumer.got) == 5)


def test_queues_get_the_topics_they_are_bound_to(consume, aggregate):
    other = f"other{aggregate}"

    def bound(*keys: str) -> Consumer:
        return consume(Queue(f"test.queue{next(_numbers)}", bindings=[binding(EVENT_EXCHANGE, routing_key=key) for key in keys]))

    by_aggregate, two = consume(event_queue(subscription(aggregate))), consume(event_queue(subscription(aggregate, other)))
    by_regency, exact = bound("lampung-timur.#"), bound(f"oku-timur.{other}.called")
    keys = [f"{regency}.{kind}.called" for regency in ("lampung-timur", "oku-timur") for kind in (aggregate, other)]
    EventPublisher(URL, []).publish([outgoing(key, number) for number, key in enumerate(keys)])
    for consumer, expected in ((by_aggregate, [0, 2]), (by_regency, [0, 1]), (two, [0, 1, 2, 3]), (exact, [3])):
        eventually(partial(has, consumer, len(expected)))
        assert [body["number"] for body in consumer.got] == expected


def test_replicas_share_a_queue_and_services_do_not(consume, aggregate):
    shared, own = subscription(aggregate), subscription(aggregate)
    replicas, other = [consume(event_queue(shared)) for _ in range(3)], consume(event_queue(own))
    EventPublisher(URL, [shared, own]).publish([outgoing(f"a.{aggregate}.b", number) for number in range(60)])
    eventually(lambda: len(other.got) == sum(len(replica.got) for replica in replicas) == 60)
    assert sorted(body["number"] for replica in replicas for body in replica.got) == list(range(60))


def test_an_event_published_before_its_consumer_came_waits_for_it(consume, aggregate):
    wanted = subscription(aggregate)
    EventPublisher(URL, [wanted]).publish([outgoing(f"a.{aggregate}.b")])
    eventually(lambda: consume(event_queue(wanted)).got == [{"number": 0}])


def test_a_message_says_what_it_is(consume, aggregate):
    wanted = subscription(aggregate)
    consumer = consume(event_queue(wanted))
    EventPublisher(URL, [wanted]).publish([outgoing(f"a.{aggregate}.b", 7)])
    eventually(lambda: consumer.messages)
    (message,) = consumer.messages
    assert message.content_type == CONTENT_TYPE
    assert message.properties["message_id"] == "id-7"
    assert message.delivery_info["routing_key"] == f"a.{aggregate}.b"


def test_a_single_message_reaches_the_queue_of_its_name_with_its_properties(consume):
    name = f"reply-{next(_numbers)}"
    consumer = consume(Queue(name, exclusive=True, auto_delete=True, durable=False))
    Sender(URL).send({"result": 1}, exchange="", routing_key=name, deadline=time.time() + 5, correlation_id="c-1", reply_to="r")
    eventually(lambda: consumer.got == [{"result": 1}])
    properties = consumer.messages[0].properties
    assert (properties["correlation_id"], properties["reply_to"]) == ("c-1", "r")


def test_what_was_taken_last_goes_back_to_another_consumer(consume, aggregate):
    wanted = subscription(aggregate)
    stopping = consume(event_queue(wanted))
    stopping.listener.stop_taking()
    EventPublisher(URL, [wanted]).publish([outgoing(f"a.{aggregate}.b", number) for number in range(3)])
    staying = consume(event_queue(wanted))
    eventually(lambda: sorted(body["number"] for body in staying.got) == [0, 1, 2])
    assert stopping.got == []


def test_waiting_ends_in_time_when_nothing_comes():
    with connect(URL) as connection, connection.Consumer(Queue(f"silent-{next(_numbers)}"), callbacks=[lambda body, message: None]):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.2)
        assert 0.15 < time.monotonic() - started < 1.5


def test_the_address_is_known_to_kombu():
    with Connection(URL) as connection:
        assert connection.transport.driver_type == "embedded"
