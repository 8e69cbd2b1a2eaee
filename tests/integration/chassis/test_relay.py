"""Every committed event is published at least once, and leaves the outbox only when the broker has it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from kombu import Connection

from services.chassis import metrics, relay
from services.chassis.broker import EVENT_EXCHANGE, EventPublisher, event_queue
from services.chassis.database import Database
from services.chassis.errors import BrokerUnavailable
from services.chassis.events import CONTENT_TYPE, Envelope, read_log
from services.chassis.relay import BATCH, Relay, stream_heads
from services.chassis.tail import tail
from tests.integration.chassis.conftest import added
from tests.probe.deployment import management, new_virtual_host
from tests.probe.services import Subscription
from tests.processes import eventually

pytestmark = pytest.mark.integration

LISTENER = Subscription("test.ledger", "ledger", ("entry",))


class Broker:
    """A virtual host, looked at from outside."""

    def __init__(self, url: str) -> None:
        self.url = url

    def take(self, queue: str = LISTENER.queue) -> list[Any]:
        """Take all that waits in a queue."""
        with Connection(self.url) as connection:
            taken = []
            while message := connection.default_channel.basic_get(queue):
                message.channel.basic_ack(message.delivery_tag)
                taken.append(message)
            return taken

    def delete(self, queue: str) -> None:
        with Connection(self.url) as connection:
            connection.default_channel.queue_delete(queue)

    def delete_exchange(self) -> None:
        with Connection(self.url) as connection:
            connection.default_channel.exchange_delete(EVENT_EXCHANGE.name)


@pytest.fixture
def broker(rabbitmq_server) -> Broker:
    return Broker(new_virtual_host(rabbitmq_server))


@pytest.fixture(autouse=True)
def empty_outbox(administration) -> None:
    """What other tests left would be published along."""
    administration.run("DELETE FROM platform.outbox")


@pytest.fixture
def to(broker) -> Iterator[Callable[..., EventPublisher]]:
    """Make publishers for consumers; they are closed in the end."""
    made = []

    def make(*subscriptions: Subscription, url: str = broker.url) -> EventPublisher:
        made.append(EventPublisher(url, subscriptions))
        return made[-1]

    yield make
    for publisher in made:
        publisher.close()


@pytest.fixture
def publisher(to) -> EventPublisher:
    return to(LISTENER)


def happen(database: Database, regency: str, count: int = 1, **data: Any) -> None:
    with database.regency_work(regency) as work:
        for number in range(count):
            work.emit(added(f"account-{number}", **data))


def waiting(administration) -> int:
    return administration.count("platform.outbox")


def log(database: Database, regency: str) -> list[Envelope]:
    with database.regency_work(regency) as work:
        return read_log(work, f"/regencies/{regency}/ledger/sites/main", 0, 10_000)


def numbers(messages: list[Any]) -> list[int]:
    return [Envelope.from_cloudevent(json.loads(message.body)).sequence for message in messages]


def test_what_was_committed_is_published_as_it_is_in_the_log_and_leaves_the_outbox(database, administration, broker, publisher, regency):
    happen(database, regency, 3, text="é\u2028")
    assert Relay(database, publisher).publish_batch() == 3
    assert waiting(administration) == 0
    messages = broker.take()
    assert [Envelope.from_cloudevent(json.loads(message.body)) for message in messages] == log(database, regency)
    first = messages[0]
    assert first.properties["content_type"] == CONTENT_TYPE
    assert first.properties["delivery_mode"] == 2, "the broker keeps it on disk"
    assert first.properties["message_id"] == log(database, regency)[0].id
    assert first.delivery_info["routing_key"] == f"{regency}.entry.added"


def test_nothing_to_publish_is_no_work(database, publisher):
    assert Relay(database, publisher).publish_batch() == 0
    assert publisher._connection is None


def test_more_than_a_batch_is_published_in_batches_and_in_order(database, administration, broker, publisher, regency):
    happen(database, regency, BATCH + 7)
    relay = Relay(database, publisher)
    assert [relay.publish_batch(), relay.publish_batch(), relay.publish_batch()] == [BATCH, 7, 0]
    assert numbers(broker.take()) == list(range(1, BATCH + 8))


def test_publishing_does_not_wait_for_each_confirmation(database, publisher, regency, monkeypatch):
    """Waiting for one before the next is sent makes it an order of magnitude slower."""
    happen(database, regency)
    Relay(database, publisher).publish_batch()  # connects
    steps: list[str] = []
    channel = publisher._channel
    publish, drain = channel.basic_publish, channel.connection.drain_events

    def noted_publish(*arguments: Any, **options: Any) -> None:
        steps.append("sent")
        publish(*arguments, **options)

    def noted_drain(timeout: float) -> None:
        if timeout:  # amqp itself looks, without waiting, whether the broker said "stop"
            steps.append("waited")
        drain(timeout=timeout)

    monkeypatch.setattr(channel, "basic_publish", noted_publish)
    monkeypatch.setattr(channel.connection, "drain_events", noted_drain)
    happen(database, regency, 50)
    Relay(database, publisher).publish_batch()
    assert steps[:50] == ["sent"] * 50


def test_two_relays_at_once_publish_everything_once(database, administration, broker, to, regency):
    for _ in range(8):
        happen(database, regency, 100)
    publishers = [to(LISTENER) for _ in range(3)]

    def publish(publisher: EventPublisher) -> int:
        total = 0
        while count := Relay(database, publisher).publish_batch():
            total += count
        return total

    with ThreadPoolExecutor(3) as threads:
        published = list(threads.map(publish, publishers))
    eventually(lambda: waiting(administration) == 0)
    assert sum(published) == 800
    assert sorted(numbers(broker.take())) == list(range(1, 801))


def test_what_one_relay_holds_does_not_hold_up_another(database, administration, broker, publisher, regency):
    happen(database, regency, 3)
    with administration.connection() as other:
        other.exec_driver_sql("DELETE FROM platform.outbox WHERE sequence = 1")
        assert Relay(database, publisher).publish_batch() == 2
    assert numbers(broker.take()) == [2, 3]


def test_while_the_broker_is_away_events_stay_and_are_published_when_it_is_back(database, administration, broker, to, regency):
    happen(database, regency, 2)
    with pytest.raises(BrokerUnavailable):
        Relay(database, to(LISTENER, url="amqp://x:x@127.0.0.1:1//")).publish_batch()
    assert waiting(administration) == 2
    assert Relay(database, to(LISTENER)).publish_batch() == 2
    assert len(broker.take()) == 2


def test_a_relay_that_fails_after_publishing_publishes_the_same_again(database, administration, broker, publisher, regency, monkeypatch):
    happen(database, regency, 2)

    def fail(*_: Any) -> None:
        raise RuntimeError("between publish and delete")

    failing = Relay(database, publisher)
    monkeypatch.setattr(failing, "_remember_heads", fail)
    with pytest.raises(RuntimeError):
        failing.publish_batch()
    assert waiting(administration) == 2
    assert Relay(database, publisher).publish_batch() == 2
    messages = broker.take()
    assert [message.properties["message_id"] for message in messages] == [event.id for event in log(database, regency)] * 2


def test_queues_that_were_lost_are_declared_again_before_the_event_counts_as_published(database, broker, publisher, regency):
    relay = Relay(database, publisher)
    happen(database, regency)
    relay.publish_batch()
    broker.delete(LISTENER.queue)
    happen(database, regency)
    assert relay.publish_batch() == 1
    assert numbers(broker.take()) == [2]


def test_a_lost_exchange_is_declared_again_too(database, administration, broker, publisher, regency):
    relay = Relay(database, publisher)
    happen(database, regency)
    relay.publish_batch()
    broker.delete_exchange()
    happen(database, regency)
    with pytest.raises(BrokerUnavailable):
        relay.publish_batch()
    assert waiting(administration) == 1
    assert relay.publish_batch() == 1
    assert numbers(broker.take()) == [1, 2]


def test_all_queues_exist_before_the_first_event_is_published(database, broker, to, regency):
    others = [Subscription(f"test.queue-{number}", "ledger", ("entry",)) for number in range(3)]
    happen(database, regency)
    Relay(database, to(*others)).publish_batch()
    assert [len(broker.take(other.queue)) for other in others] == [1, 1, 1]


def test_an_event_that_nobody_takes_raises_the_alarm_and_stops_no_other(database, administration, to, regency):
    alarm = metrics.EVENTS_UNROUTABLE.labels("ledger", "entry.added")._value
    before = alarm.get()
    happen(database, regency, 2)
    assert Relay(database, to()).publish_batch() == 2
    assert alarm.get() == before + 2
    assert waiting(administration) == 0, "it is in the log, where its consumers will look"
    assert {"source": f"/regencies/{regency}/ledger/sites/main", "regency": regency, "sequence": 2} in stream_heads(database)


def test_heads_of_streams_are_those_of_published_events(database, publisher, regency):
    def head() -> int:
        return next((each["sequence"] for each in stream_heads(database) if each["regency"] == regency), 0)

    happen(database, regency, 3)
    assert head() == 0
    Relay(database, publisher).publish_batch()
    assert head() == 3


def test_an_event_queue_survives_the_broker_and_a_poisonous_event(broker, rabbitmq_server):
    with Connection(broker.url) as connection:
        event_queue(LISTENER)(connection.default_channel).declare()
    host = broker.url.rpartition("/")[2]
    (queue,) = management(rabbitmq_server, "GET", f"/api/queues/{host}?columns=name,durable,arguments,auto_delete,exclusive")
    assert (queue["durable"], queue["auto_delete"], queue["exclusive"]) == (True, False, False)
    assert queue["arguments"]["x-queue-type"] == "quorum"
    assert queue["arguments"]["x-delivery-limit"] > 0


# --- the running relay


@pytest.fixture
def run(broker) -> Iterator[Callable[[Database], Relay]]:
    running = []

    def start(database: Database) -> Relay:
        relay = Relay(database, EventPublisher(broker.url, [LISTENER]))
        threading.Thread(target=relay.run, daemon=True).start()
        running.append(relay)
        return relay

    yield start
    for each in running:
        each.stop()
        assert each.finished.wait(5)


def test_a_commit_of_its_own_process_wakes_the_relay(database, administration, run, regency, monkeypatch):
    monkeypatch.setattr(relay, "POLL_SECONDS", 30.0)
    monkeypatch.setattr(relay, "LONGEST_POLL_SECONDS", 30.0)
    run(database)
    for _ in range(3):
        happen(database, regency)
        eventually(lambda: waiting(administration) == 0, within=5)


def test_events_of_other_processes_are_found_by_polling(database, ledger_url, administration, run, regency):
    run(database)
    other = Database("ledger", ledger_url)
    happen(other, regency)
    other.close()
    eventually(lambda: waiting(administration) == 0, within=5)


def test_a_relay_that_finds_nothing_looks_less_often_until_there_is_something(database, ledger_url, administration, run, regency):
    relayed = run(database)
    looks: list[float] = []
    look = relayed.publish_batch

    def noted() -> int:
        looks.append(time.monotonic())
        return look()

    relayed.publish_batch = noted
    eventually(lambda: len(looks) >= 3 and looks[-1] - looks[-2] > 0.9 * relay.LONGEST_POLL_SECONDS, within=20)
    other = Database("ledger", ledger_url)
    happen(other, regency)
    other.close()
    eventually(lambda: waiting(administration) == 0, within=5)


def test_the_relay_survives_whatever_goes_wrong_and_goes_on(database, administration, ledger_url, run, regency, monkeypatch):
    running = run(database)
    failures = metrics.RELAY_FAILURES.labels("ledger")._value

    def exceeds(before: float) -> bool:
        return bool(failures.get() > before)

    for trouble in (BrokerUnavailable("away"), RuntimeError("a mistake")):
        before = failures.get()
        with monkeypatch.context() as patch:

            def fail(*_: Any, trouble: Exception = trouble, **__: Any) -> None:
                raise trouble

            patch.setattr(running._publisher, "publish", fail)
            happen(database, regency)
            eventually(partial(exceeds, before))
        eventually(lambda: waiting(administration) == 0)


def test_the_backlog_is_measured(database, administration, run, regency):
    with administration.connection() as old:
        old.exec_driver_sql("SELECT 1")
        time.sleep(0.05)
        run(database)
        labels = ("ledger", "home")
        eventually(lambda: metrics.DATABASE_OLDEST_TRANSACTION.labels(*labels)._value.get() > 0.05)
    assert metrics.OUTBOX_PENDING.labels(*labels)._value.get() == 0
    assert metrics.OUTBOX_OLDEST_AGE.labels(*labels)._value.get() == 0
    most = metrics.DATABASE_MOST_CONNECTIONS.labels(*labels)._value.get()
    assert most == int(administration.value("SHOW max_connections"))
    assert 2 <= metrics.DATABASE_CONNECTIONS.labels(*labels)._value.get() < most


def test_events_can_be_watched_without_taking_them_from_anyone(database, broker, publisher, regency):
    watching = tail(broker.url, f"{regency}.entry.*", timeout=5)
    assert next(watching) == {}
    happen(database, regency)
    Relay(database, publisher).publish_batch()
    assert next(watching)["regency"] == regency
    watching.close()
    assert len(broker.take()) == 1
