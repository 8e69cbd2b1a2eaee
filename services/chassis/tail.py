"""Watching events as they happen, without taking them from anyone."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from typing import Any

from kombu import Queue, binding

from services.chassis.broker import BROKER_ERRORS, CLOUDEVENTS, EVENT_EXCHANGE, connect
from services.chassis.errors import BrokerUnavailable


def tail(url: str, routing_key: str, *, timeout: float | None = None) -> Generator[dict[str, Any], None, None]:
    """Yield the CloudEvents that match a routing key pattern (``lampung-timur.ticket.*``, ``#``) from now on.

    The queue is this caller's own and is gone with it. Yields an empty dictionary once, when the queue exists.

    :param timeout: ends after so many seconds without an event; ``None`` waits for ever.
    :raises BrokerUnavailable: the broker is away.
    """
    arrived: list[dict[str, Any]] = []
    queue = Queue(
        f"tail-{uuid.uuid4().hex}",
        bindings=[binding(EVENT_EXCHANGE, routing_key=routing_key)],
        exclusive=True,
        auto_delete=True,
        durable=False,
    )
    with connect(url) as connection:
        try:
            EVENT_EXCHANGE(connection.default_channel).declare()
            take = [lambda body, message: arrived.append(body)]
            with connection.Consumer(queue, callbacks=take, no_ack=True, accept=["json", CLOUDEVENTS]):
                yield {}
                while True:
                    connection.drain_events(timeout=timeout)
                    while arrived:
                        yield arrived.pop(0)
        except TimeoutError:
            return
        except BROKER_ERRORS as error:
            raise BrokerUnavailable(type(error).__name__) from error
