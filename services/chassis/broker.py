"""The broker as services see it: exchanges, queues, and sending with a known outcome.

RPC messages need no confirmation (a lost one ends at its deadline); events are published in batches with
pipelined confirms, because waiting for each confirm is an order of magnitude slower.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import amqp
import kombu.serialization
from kombu import Connection, Exchange, Producer, Queue, binding
from kombu.exceptions import OperationalError

from services.chassis import embedded_broker
from services.chassis.errors import BrokerUnavailable
from services.chassis.events import CONTENT_TYPE

embedded_broker.register()

CLOUDEVENTS = "cloudevents"
kombu.serialization.register(CLOUDEVENTS, json.dumps, json.loads, CONTENT_TYPE, "utf-8")

_compact = json.JSONEncoder(separators=(",", ":")).encode  # ``json.dumps`` would make an encoder for each message

EVENT_EXCHANGE = Exchange("mpp.events", type="topic", durable=True)
RPC_EXCHANGE = Exchange("nameko-rpc", type="topic", durable=True)

CONNECT_TIMEOUT = 4.0
WRITE_TIMEOUT = 5.0
HEARTBEAT = 10
DELIVERY_LIMIT = 20
"""How often the broker hands out an event that kills its consumer; then the owner's log is the last resort."""

BROKER_ERRORS = (OperationalError, OSError, amqp.exceptions.AMQPError)


class Subscription(Protocol):
    """What one consumer wants: a queue name, the owner of the events, and the aggregates of its streams."""

    @property
    def queue(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def aggregates(self) -> tuple[str, ...]: ...


def event_queue(subscription: Subscription) -> Queue:
    """Return the durable quorum queue of a subscription, for all regencies."""
    return Queue(
        subscription.queue,
        bindings=[binding(EVENT_EXCHANGE, routing_key=f"*.{aggregate}.*") for aggregate in subscription.aggregates],
        durable=True,
        queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT},
    )


def rpc_queue(service: str) -> Queue:
    """Return the queue from which all replicas of a service take commands and queries."""
    return Queue(f"rpc-{service}", exchange=RPC_EXCHANGE, routing_key=f"{service}.*", durable=True)


def connect(url: str, *, heartbeat: int = 0, timeout: float = CONNECT_TIMEOUT) -> Connection:
    """Return an established connection; raises :class:`BrokerUnavailable`."""
    # Kombu tries twice (the URL may name two nodes) and sleeps two seconds in between unless told not to.
    connection = Connection(url, connect_timeout=max(0.01, timeout / 2), heartbeat=heartbeat)
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except BROKER_ERRORS as error:
        discard(connection)
        raise BrokerUnavailable(type(error).__name__) from error
    return connection


class Sender:
    """Sends single messages over one connection, reconnecting when needed. Safe for many threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._channel: Any = None

    def send(
        self,
        body: dict[str, Any],
        *,
        exchange: str,
        routing_key: str,
        deadline: float,
        **properties: Any,
    ) -> None:
        """Hand a JSON message to the broker; it expires at ``deadline`` (Unix time).

        :raises BrokerUnavailable: not handed over before the deadline.
        """
        text = _compact(body)
        if not self._lock.acquire(timeout=max(0.0, deadline - time.time())):
            raise BrokerUnavailable("another message is stuck on the connection")
        try:
            self._send(text, exchange, routing_key, deadline, properties)
        finally:
            self._lock.release()

    def _send(self, text: str, exchange: str, routing_key: str, deadline: float, properties: dict[str, Any]) -> None:
        for attempt in (1, 2):
            try:
                channel = self._connected_channel(deadline - time.time())
                expiration = str(max(1, int((deadline - time.time()) * 1000)))
                given = {"delivery_mode": 1, "expiration": expiration, **properties}
                message = channel.prepare_message(text, 0, "application/json", "utf-8", {}, given)
                channel.basic_publish(message, exchange=exchange, routing_key=routing_key)
                return
            except (*BROKER_ERRORS, BrokerUnavailable) as error:
                self._drop()
                if attempt == 2 or isinstance(error, BrokerUnavailable) or time.time() >= deadline:
                    raise BrokerUnavailable(type(error).__name__) from error

    def _connected_channel(self, remaining: float) -> Any:
        """Connect when needed; neither that nor a write to a peer that stopped reading outlasts the deadline."""
        if self._connection is None:
            self._connection = connect(self._url, timeout=min(CONNECT_TIMEOUT, remaining))
            self._channel = self._connection.channel()
        _limit_writes(self._connection, remaining)
        return self._channel

    def _drop(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        discard(connection)

    def close(self) -> None:
        """Close the connection, after the message under way."""
        with self._lock:
            self._drop()


@dataclass(frozen=True)
class Outgoing:
    """One event on its way: routing key, message id, and the encoded body."""

    routing_key: str
    id: str
    body: bytes
    content_type: str


class EventPublisher:
    """Publishes batches of events and returns when the broker has taken responsibility for all of them."""

    def __init__(self, url: str, subscriptions: Iterable[Subscription]) -> None:
        self._url = url
        self._queues = [event_queue(subscription) for subscription in subscriptions]
        self._connection: Connection | None = None
        self._channel: Any = None
        self._unconfirmed: set[int] = set()
        self._refused = False
        self._returned: set[str] = set()
        self._published = 0

    def prepare(self) -> None:
        """Connect and declare the queues if that has not been done; raises :class:`BrokerUnavailable`."""
        try:
            self._ensure_connected()
        except BROKER_ERRORS as error:
            self.close()
            raise BrokerUnavailable(type(error).__name__) from error

    def publish(self, batch: Sequence[Outgoing], *, timeout: float = 10.0) -> list[Outgoing]:
        """Publish ``batch``; return those that no queue took although all queues were declared again.

        :raises BrokerUnavailable: not everything was confirmed in time; all of it must be published again.
        """
        try:
            self._ensure_connected()
            unroutable = self._publish(batch, timeout)
            if unroutable:  # a broker that lost its disk: declare what should be there, then once more
                self._declare()
                unroutable = self._publish(unroutable, timeout)
            return unroutable
        except BROKER_ERRORS as error:
            self.close()
            raise BrokerUnavailable(type(error).__name__) from error
        except BrokerUnavailable:
            self.close()
            raise

    def _publish(self, batch: Sequence[Outgoing], timeout: float) -> list[Outgoing]:
        self._returned.clear()
        if not isinstance(self._channel, amqp.Channel):
            return self._publish_embedded(batch)
        for outgoing in batch:
            self._published += 1
            self._unconfirmed.add(self._published)
            self._channel.basic_publish(
                amqp.Message(outgoing.body, content_type=outgoing.content_type, delivery_mode=2, message_id=outgoing.id),
                exchange=EVENT_EXCHANGE.name,
                routing_key=outgoing.routing_key,
                mandatory=True,
            )
        end = time.monotonic() + timeout
        while self._unconfirmed and not self._refused:
            self._channel.connection.drain_events(timeout=max(0.01, end - time.monotonic()))
        if self._refused:
            raise BrokerUnavailable("the broker refused a message")
        return [outgoing for outgoing in batch if outgoing.id in self._returned]

    def _publish_embedded(self, batch: Sequence[Outgoing]) -> list[Outgoing]:
        producer = Producer(self._channel, auto_declare=False)
        for outgoing in batch:
            producer.publish(
                outgoing.body,
                exchange=EVENT_EXCHANGE.name,
                routing_key=outgoing.routing_key,
                content_type=outgoing.content_type,
                content_encoding="utf-8",
                message_id=outgoing.id,
            )
        return []

    def _ensure_connected(self) -> None:
        if self._connection is not None:
            return
        self._connection = connect(self._url)
        self._channel = self._connection.channel()
        self._unconfirmed, self._refused, self._published = set(), False, 0
        if isinstance(self._channel, amqp.Channel):
            _limit_writes(self._connection)
            self._channel.confirm_select()
            self._channel.events["basic_ack"].add(self._on_ack)
            self._channel.events["basic_nack"].add(self._on_nack)
            self._channel.events["basic_return"].add(self._on_return)
        self._declare()

    def _declare(self) -> None:
        """Declare exchange and all consumers' queues, so that no event is published before somebody keeps it."""
        EVENT_EXCHANGE(self._channel).declare()
        for queue in self._queues:
            queue(self._channel).declare()

    def _on_ack(self, delivery_tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {tag for tag in self._unconfirmed if tag > delivery_tag}
        else:
            self._unconfirmed.discard(delivery_tag)

    def _on_nack(self, delivery_tag: int, multiple: bool) -> None:
        self._refused = True

    def _on_return(self, _error: Any, _exchange: str, _routing_key: str, message: Any) -> None:
        self._returned.add(message.properties["message_id"])

    def close(self) -> None:
        """Close the connection; the next ``publish`` connects again."""
        connection, self._connection, self._channel = self._connection, None, None
        discard(connection)


def _limit_writes(connection: Connection, seconds: float = WRITE_TIMEOUT) -> None:
    """A peer that stopped reading must not hold a writer for ever."""
    sock = getattr(getattr(connection.connection, "transport", None), "sock", None)
    if sock is not None:
        sock.settimeout(max(0.01, min(WRITE_TIMEOUT, seconds)))


def discard(connection: Connection | None) -> None:
    """Close a connection that may be broken, without waiting for the broker's goodbye."""
    if connection is None:
        return
    inner = connection._connection  # the public property would connect again
    try:
        if isinstance(inner, amqp.Connection):
            inner.collect()
        else:
            connection.close()
    except BROKER_ERRORS:
        pass
