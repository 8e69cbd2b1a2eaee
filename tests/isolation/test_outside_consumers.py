"""A consumer outside reads the queue that was made for it. RabbitMQ refuses everything else that it could try."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import amqp
import pytest
from amqp.exceptions import AccessRefused, NotAllowed

from deploy.outside import consumers
from deploy.outside.consumers import Consumer, allow, conditions, withdraw
from deploy.outside.management import Management, ManagementError
from deploy.servers.rabbitmq import RabbitMQServer
from services.chassis.broker import EventPublisher, Outgoing, connect, rpc_queue
from services.chassis.events import CONTENT_TYPE
from services.contracts.subscriptions import PUBLIC_AGGREGATES, REPORTING_TICKETING, SUBSCRIPTIONS
from tests.processes import eventually

pytestmark = pytest.mark.isolation

TENGAH, TIMUR, LAMPUNG = Consumer("lampung-tengah", "bupati"), Consumer("lampung-timur", "bupati"), Consumer("lampung", "timur")
FOREIGN_KEYS = (
    *("#", "*", "*.*.*", "*.#", "#.called", "*.ticket.*", "*.ticket.called", "lampung-timur.#", "lampung-timur.ticket.*"),
    *("lampung-timur.ticket.called", "lampung-t*.ticket.*", "lampung-*.ticket.*", "lampung.ticket.*", "lampung-tengah", "lampung-tengah.#"),
    *("lampung-tengah.*.called", "lampung-tengah.*.*", "lampung-tengah.#.lampung-timur.ticket.called", "#.lampung-tengah.ticket.called"),
    *("lampung-tengah-baru.ticket.*", "lampung-tengah.secret.*", "Lampung-Tengah.ticket.*", "lampung-tengah.ticket.*\nx", "", " "),
)
OWN_KEYS = ("lampung-tengah.ticket.*", "lampung-tengah.ticket.called", "lampung-tengah.queue.day_closed", "lampung-tengah.catalog.*")

Figures = Callable[[str], None]
Attempt = Callable[[amqp.Channel], Any]


@pytest.fixture(scope="module")
def broker(rabbitmq_server: RabbitMQServer) -> Management:
    """The management API of a broker on which the platform has declared what it needs."""
    rabbitmq_server.start()
    publisher = EventPublisher(rabbitmq_server.url, SUBSCRIPTIONS)
    publisher.prepare()
    publisher.close()
    with connect(rabbitmq_server.url) as connection:
        for service in ("ticketing", "catalog"):
            rpc_queue(service)(connection.default_channel).declare()
    return Management(rabbitmq_server.management_url, rabbitmq_server.user, rabbitmq_server.password)


@pytest.fixture(scope="module")
def passwords(broker: Management) -> Iterator[dict[Consumer, str]]:
    """Three consumers of three regencies, one of whose names begins like the others'."""
    made = {consumer: allow(broker, consumer, rotate=True) or "" for consumer in (TENGAH, TIMUR, LAMPUNG)}
    yield made
    for consumer in made:
        withdraw(broker, consumer)


@pytest.fixture
def channel(rabbitmq_server: RabbitMQServer, passwords: dict[Consumer, str]) -> Iterator[amqp.Channel]:
    """A channel of Lampung Tengah's consumer."""
    with signed_in(rabbitmq_server, TENGAH, passwords[TENGAH]) as connection:
        yield connection.channel()


@contextmanager
def signed_in(server: RabbitMQServer, consumer: Consumer, password: str) -> Iterator[amqp.Connection]:
    connection = amqp.Connection(f"127.0.0.1:{server.port}", userid=consumer.queue, password=password)
    try:
        connection.connect()
        yield connection
    finally:
        connection.collect()


def publish(channel: amqp.Channel, exchange: str, key: str) -> None:
    """Publish, and wait for what the broker says to it."""
    channel.basic_publish(amqp.Message("{}", reply_to="amq.rabbitmq.reply-to"), exchange, key)
    channel.basic_qos(0, 1, False)


def declare(queue: str, **arguments: Any) -> Attempt:
    return lambda channel: channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)


def bind(key: str, exchange: str = "mpp.events") -> Attempt:
    return lambda channel: channel.queue_bind(TENGAH.queue, exchange, key)


def publishing(exchange: str, key: str) -> Attempt:
    return lambda channel: publish(channel, exchange, key)


def acting(act: str, queue: str) -> Attempt:
    return lambda channel: getattr(channel, act)(queue)


FOREIGN_QUEUES = ("rpc-ticketing", "reporting.ticketing", TIMUR.queue, LAMPUNG.queue, "outside.lampung-tengah.bupati2")
EXCHANGES = (
    ("mpp.events", "lampung-tengah.ticket.called"),
    ("mpp.events", "lampung-timur.ticket.called"),
    ("", "rpc-ticketing"),
    ("nameko-rpc", "ticketing.call_next"),
    ("amq.topic", "x"),
    ("amq.rabbitmq.event", "x"),
)

ATTEMPTS: dict[str, Attempt] = {
    **{f"bind its queue to {key!r}": bind(key) for key in (*FOREIGN_KEYS, *OWN_KEYS)},
    "bind its queue to the trace of all messages": bind("#", "amq.rabbitmq.trace"),
    "bind its queue to RPC": bind("#", "nameko-rpc"),
    "unbind its queue": lambda ch: ch.queue_unbind(TENGAH.queue, "mpp.events", "lampung-tengah.ticket.*"),
    "unbind reporting": lambda ch: ch.queue_unbind("reporting.ticketing", "mpp.events", "*.ticket.*"),
    "lead the events elsewhere": lambda ch: ch.exchange_bind("amq.topic", "mpp.events", "lampung-tengah.ticket.*"),
    "lead something into the events": lambda ch: ch.exchange_bind("mpp.events", "amq.topic", "#"),
    "make an exchange of its own name": lambda ch: ch.exchange_declare(TENGAH.queue, "fanout", durable=True, auto_delete=False),
    "make its queue anew": declare(TENGAH.queue),
    "make its queue refuse what is published": declare(TENGAH.queue, **{"x-overflow": "reject-publish", "x-max-length": 1}),
    "make a queue beside its own": declare(TENGAH.queue + ".2", **{"x-overflow": "reject-publish"}),
    "make a queue that forges requests": declare(
        TENGAH.queue + ".dead", **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "rpc-ticketing"}
    ),
    "make a nameless queue": lambda ch: ch.queue_declare("", exclusive=True),
    "delete its queue": lambda ch: ch.queue_delete(TENGAH.queue),
    "delete the exchange": lambda ch: ch.exchange_delete("mpp.events"),
    **{f"publish {key} to {exchange or 'the default exchange'}": publishing(exchange, key) for exchange, key in EXCHANGES},
    "answer somebody else's request": publishing("", "amq.rabbitmq.reply-to.g1h2AAA"),
    "put something into its queue": publishing("", TENGAH.queue),
    **{
        f"{act} {queue}": acting(act, queue)
        for act in ("basic_get", "basic_consume", "queue_purge", "queue_delete")
        for queue in FOREIGN_QUEUES
    },
}


def test_what_it_may_do(channel: amqp.Channel):
    """Without this, a broker that refuses everything would pass."""
    channel.basic_get(TENGAH.queue)
    channel.queue_purge(TENGAH.queue)
    channel.basic_consume(TENGAH.queue)


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=list(ATTEMPTS))
def test_everything_else_is_refused(attempt: Attempt, channel: amqp.Channel, broker: Management):
    broker.put("queues", "/", "outside.lampung-tengah.bupati2", body={"durable": True})
    before = topology(broker)
    with pytest.raises(AccessRefused):
        attempt(channel)
    assert topology(broker) == before


def topology(broker: Management) -> list[tuple[str, ...]]:
    """All exchanges, queues and bindings."""
    named = [
        (kind, each["name"]) for kind in ("exchanges", "queues") for each in broker.get(kind, "/") if not each["name"].startswith("amq.gen")
    ]
    return sorted([*named, *((each["source"], each["destination"], each["routing_key"]) for each in broker.get("bindings", "/"))])


@pytest.mark.parametrize("path", ["whoami", "overview", "queues", "definitions", "users", "connections", f"queues/%2F/{TENGAH.queue}"])
def test_the_management_api_is_closed_to_it(path: str, rabbitmq_server: RabbitMQServer, passwords: dict[Consumer, str]):
    connection = http.client.HTTPConnection(rabbitmq_server.management_url.removeprefix("http://"), timeout=10)
    credentials = b64encode(f"{TENGAH.queue}:{passwords[TENGAH]}".encode()).decode()
    connection.request("GET", f"/api/{path}", headers={"Authorization": f"Basic {credentials}"})
    assert connection.getresponse().status == 401
    connection.close()


@pytest.fixture(scope="module")
def spoilt(broker: Management) -> Iterator[tuple[Consumer, str]]:
    """A consumer to whom somebody has given every right there is."""
    consumer = Consumer("lampung-tengah", "terlalu-lebar")
    password = allow(broker, consumer) or ""
    broker.put("permissions", "/", consumer.queue, body={"configure": ".*", "write": ".*", "read": ".*"})
    broker.put("queues", "/", "outside.lampung-tengah.own", body={"durable": True})
    yield consumer, password
    withdraw(broker, consumer)
    broker.delete("queues", "/", "outside.lampung-tengah.own")


@pytest.fixture
def widened(rabbitmq_server: RabbitMQServer, spoilt: tuple[Consumer, str]) -> Iterator[amqp.Connection]:
    """Its connection."""
    with signed_in(rabbitmq_server, *spoilt) as connection:
        yield connection


class TestSecondFence:
    """Should somebody give a consumer more rights than it was made with: its regency is still where it ends."""

    @pytest.mark.parametrize("key", FOREIGN_KEYS)
    def test_no_key_leads_beyond_its_regency(self, widened: amqp.Connection, key: str):
        with pytest.raises(AccessRefused, match=r"topic|routing key"):
            widened.channel().queue_bind("outside.lampung-tengah.own", "mpp.events", key)
        with pytest.raises(AccessRefused):
            widened.channel().exchange_bind("amq.fanout", "mpp.events", key)

    @pytest.mark.parametrize("key", OWN_KEYS)
    def test_its_own_keys_are_let_through(self, widened: amqp.Connection, key: str):
        widened.channel().queue_bind("outside.lampung-tengah.own", "mpp.events", key)

    @pytest.mark.parametrize("key", ["lampung-tengah.ticket.called", "lampung-timur.ticket.called"])
    def test_it_publishes_no_event(self, widened: amqp.Connection, key: str):
        channel = widened.channel()
        with pytest.raises(AccessRefused):
            publish(channel, "mpp.events", key)


def numbers(regency: str, count: int, event: str = "ticket.called") -> list[Outgoing]:
    bodies = ({"regency": regency, "number": number} for number in range(count))
    return [Outgoing(f"{regency}.{event}", f"{regency}-{n}", json.dumps(b).encode(), CONTENT_TYPE) for n, b in enumerate(bodies)]


def received(channel: amqp.Channel, queue: str) -> list[dict[str, Any]]:
    found = []
    while (message := channel.basic_get(queue, no_ack=True)) is not None:
        found.append(json.loads(message.body))
    return found


def test_regencies_with_names_that_begin_alike_hear_their_own(
    rabbitmq_server: RabbitMQServer, broker: Management, passwords: dict[Consumer, str]
):
    for consumer in passwords:
        broker.delete("queues", "/", consumer.queue, "contents")
    publisher = EventPublisher(rabbitmq_server.url, SUBSCRIPTIONS)
    regencies = ("lampung", "lampung-timur", "lampung-tengah", "lampung-timur-jaya", "timur")
    for _, regency in itertools.product(range(3), regencies):
        assert publisher.publish(numbers(regency, 1)) == []
    publisher.publish(numbers("lampung", 1, "secret.told"))
    publisher.close()
    for consumer, password in passwords.items():
        with signed_in(rabbitmq_server, consumer, password) as connection:
            heard = received(connection.channel(), consumer.queue)
        assert [event["regency"] for event in heard] == [consumer.regency] * 3


def test_one_that_is_cut_off_while_connected_is_gone_within_seconds(rabbitmq_server: RabbitMQServer, broker: Management, figures: Figures):
    consumer = Consumer("lampung-tengah", "sebentar")
    password = allow(broker, consumer) or ""
    with signed_in(rabbitmq_server, consumer, password) as connection:
        connection.channel().basic_consume(consumer.queue)
        started = time.monotonic()
        assert withdraw(broker, consumer)
        with pytest.raises((amqp.exceptions.ConnectionForced, OSError)):
            connection.drain_events(timeout=5)
        figures(f"cut off {time.monotonic() - started:.3f} s after the command")
    assert broker.get("queues", "/", consumer.queue) is None
    with pytest.raises(AccessRefused), signed_in(rabbitmq_server, consumer, password):
        pass
    assert consumer not in {each.consumer for each in conditions(broker)}
    assert not withdraw(broker, consumer)


def test_a_full_queue_drops_its_oldest_and_holds_nobody_up(
    rabbitmq_server: RabbitMQServer, broker: Management, monkeypatch: pytest.MonkeyPatch, figures: Figures
):
    """The consumer is connected, takes what it gets, and never acknowledges."""
    monkeypatch.setattr(consumers, "LIMITS", {**consumers.LIMITS, "max-length": 100})
    consumer = Consumer("lampung-tengah", "lambat")
    password = allow(broker, consumer) or ""
    eventually(lambda: with_statistics(broker, consumer)["effective_policy_definition"]["max-length"] == 100)
    broker.delete("queues", "/", REPORTING_TICKETING.queue, "contents")
    publisher = EventPublisher(rabbitmq_server.url, SUBSCRIPTIONS)
    with signed_in(rabbitmq_server, consumer, password) as connection:
        slow = connection.channel()
        slow.basic_qos(0, 10, False)
        slow.basic_consume(consumer.queue, callback=lambda message: None)
        started = time.monotonic()
        for _ in range(10):
            assert publisher.publish(numbers("lampung-tengah", 500)) == []
        seconds = time.monotonic() - started
    publisher.close()
    with connect(rabbitmq_server.url) as administrator:
        kept = administrator.default_channel.queue_declare(REPORTING_TICKETING.queue, passive=True).message_count
        left = eventually(lambda: count_ready(administrator, consumer))
    assert kept == 5000, "a queue of the platform lacks events"
    assert 100 <= left <= 110  # and those given back
    figures(f"5000 events confirmed in {seconds:.2f} s beside a full queue of 100")
    withdraw(broker, consumer)
    broker.delete("queues", "/", REPORTING_TICKETING.queue, "contents")
    monkeypatch.undo()
    allow(broker, TENGAH)  # the usual limits again


def count_ready(administrator: Any, consumer: Consumer) -> int:
    ready: int = administrator.default_channel.queue_declare(consumer.queue, passive=True).message_count
    return ready


def test_connections_and_channels_are_few(rabbitmq_server: RabbitMQServer, broker: Management):
    consumer = Consumer("lampung-tengah", "banyak")
    password = allow(broker, consumer) or ""
    opened: list[amqp.Connection] = []
    try:
        for _ in range(consumers.MOST_CONNECTIONS):
            opened.append(amqp.Connection(f"127.0.0.1:{rabbitmq_server.port}", userid=consumer.queue, password=password))
            opened[-1].connect()
        with pytest.raises(NotAllowed, match="limit"), signed_in(rabbitmq_server, consumer, password):
            pass
        for _ in range(consumers.MOST_CHANNELS):
            opened[0].channel()
        with pytest.raises(NotAllowed, match="limit"):
            opened[0].channel()
    finally:
        for connection in opened:
            connection.collect()
        withdraw(broker, consumer)


def with_statistics(broker: Management, consumer: Consumer) -> dict[str, Any]:
    """The queue as RabbitMQ shows it when it has counted once; empty before."""
    queue: dict[str, Any] = broker.get("queues", "/", consumer.queue)
    return queue if "effective_policy_definition" in queue else {}


class TestAdding:
    """What `mpp consumers add` does at the broker."""

    @pytest.fixture
    def consumer(self, broker: Management) -> Iterator[Consumer]:
        consumer = Consumer("lampung-tengah", "baru")
        yield consumer
        broker.put("users", consumer.queue, body={"password": "", "tags": consumers.TAG})
        withdraw(broker, consumer)

    def test_an_interrupted_run_is_completed_by_the_next(
        self, rabbitmq_server: RabbitMQServer, broker: Management, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
    ):
        ask, interrupted = Management._request, 0
        for step in itertools.count():
            remaining = itertools.count(step, -1)

            def request(self: Management, method: str, *arguments: Any, left: Any = remaining) -> Any:
                if method != "GET" and next(left) <= 0:
                    raise ManagementError("interrupted")
                return ask(self, method, *arguments)

            withdraw(broker, consumer)
            monkeypatch.setattr(Management, "_request", request)
            try:
                allow(broker, consumer)
            except ManagementError:
                interrupted += 1
            else:
                break
            finally:
                monkeypatch.undo()
            password = allow(broker, consumer)
            assert password, f"interrupted at step {step}: nobody knows the password, and no new one was given"
            with signed_in(rabbitmq_server, consumer, password) as connection:
                connection.channel().basic_get(consumer.queue)
                with pytest.raises(AccessRefused):
                    connection.channel().basic_get("rpc-ticketing")
        assert interrupted >= 10

    def test_repeating_it_changes_nothing_and_a_new_password_ends_the_old_one(
        self, rabbitmq_server: RabbitMQServer, broker: Management, consumer: Consumer
    ):
        first = allow(broker, consumer) or ""
        assert allow(broker, consumer) is None
        with signed_in(rabbitmq_server, consumer, first) as connection:
            second = allow(broker, consumer, rotate=True) or ""
            with pytest.raises((amqp.exceptions.ConnectionForced, OSError)):
                connection.drain_events(timeout=5)
        with pytest.raises(AccessRefused), signed_in(rabbitmq_server, consumer, first):
            pass
        with signed_in(rabbitmq_server, consumer, second) as connection:
            connection.channel().basic_get(consumer.queue)

    def test_what_it_hears_is_what_was_last_said(self, broker: Management, consumer: Consumer):
        def events() -> tuple[str, ...]:
            return next(each.events for each in conditions(broker) if each.consumer == consumer)

        allow(broker, consumer)
        assert events() == tuple(f"{aggregate}.*" for aggregate in sorted(PUBLIC_AGGREGATES))
        allow(broker, consumer, ["ticket.called", "queue.*"])
        assert events() == ("queue.*", "ticket.called")
        allow(broker, consumer, rotate=True)
        assert events() == ("queue.*", "ticket.called")

    def test_its_rights_are_these_and_no_more(self, broker: Management, consumer: Consumer):
        allow(broker, consumer)
        [rights] = broker.get("users", consumer.queue, "permissions")
        assert (rights["vhost"], rights["configure"], rights["write"]) == ("/", "^$", "^$")
        assert re.search(rights["read"].replace(r"\z", r"\Z"), consumer.queue)
        for name in (
            consumer.queue + "2",
            consumer.queue + ".2",
            "x" + consumer.queue,
            consumer.queue + "\n",
            "mpp.events",
            "outside.lampung",
        ):
            assert not re.search(rights["read"].replace(r"\z", r"\Z"), name)
        [topic] = broker.get("users", consumer.queue, "topic-permissions")
        assert (topic["exchange"], topic["write"]) == ("mpp.events", "^$")
        assert broker.get("users", consumer.queue)["tags"] in (consumers.TAG, [consumers.TAG])

    def test_limits_stand_on_its_queue(self, broker: Management, consumer: Consumer):
        allow(broker, consumer)
        queue = eventually(lambda: with_statistics(broker, consumer))
        assert queue["effective_policy_definition"] == {**consumers.LIMITS, "overflow": "drop-head"}
        assert (queue["policy"], queue["operator_policy"]) == (consumers.POLICY, consumers.POLICY)

    def test_a_user_of_somebody_else_is_left_alone(self, broker: Management, consumer: Consumer):
        broker.put("users", consumer.queue, body={"password": "rahasia", "tags": ""})
        for act in (allow, withdraw):
            with pytest.raises(ManagementError, match="not made by mpp"):
                act(broker, consumer)
        assert broker.get("users", consumer.queue)["tags"] in ("", [])

    def test_a_queue_that_expired_is_told_and_comes_back(self, broker: Management, consumer: Consumer):
        allow(broker, consumer)
        broker.delete("queues", "/", consumer.queue)
        assert next(each.depth for each in conditions(broker, "lampung-tengah") if each.consumer == consumer) is None
        assert allow(broker, consumer) is None
        assert next(each.depth for each in conditions(broker, "lampung-tengah") if each.consumer == consumer) == 0

    def test_there_is_no_guest(self, rabbitmq_server: RabbitMQServer, broker: Management):
        assert not consumers.has_guest(broker)
        with pytest.raises(AccessRefused):
            amqp.Connection(f"127.0.0.1:{rabbitmq_server.port}", userid="guest", password="guest").connect()
