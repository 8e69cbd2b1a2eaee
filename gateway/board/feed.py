"""The gateway's own queue: events of those regencies whose boards somebody watches here, and of no others."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from kombu import Queue, binding

from services.chassis.broker import EVENT_EXCHANGE
from services.chassis.errors import BrokerUnavailable
from services.chassis.listener import Listener

AGGREGATES = ("ticket", "queue", "counter", "site", "catalog")
MOST_QUEUED = 20_000
"""Events kept for a gateway that does not come to take them; older ones are dropped, and boards begin anew."""

OnEvent = Callable[[str, bytes], None]


def keys_of(regency: str) -> list[str]:
    """Return the routing keys of what changes boards of a regency."""
    return [f"{regency}.{aggregate}.*" for aggregate in AGGREGATES]


class Feed:
    """Hands over events as they come, encoded. The queue is this process's own and is gone with its connection."""

    def __init__(self, url: str, on_event: OnEvent, on_connected: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self._on_event = on_event
        self._wanted: set[str] = set()
        self._declared: set[str] = set()
        self._bound: set[str] = set()
        self._queue = ""
        self._change = threading.Condition()
        self._tell_connected = on_connected
        self._tell_lost = on_lost
        self._listener = Listener(
            "gateway.boards",
            url,
            self._new_queue,
            self._take,
            no_ack=True,
            raw=True,
            on_connected=self._on_connected,
            on_lost=self._on_lost,
        )

    def start(self) -> None:
        """Begin to listen, through every outage."""
        threading.Thread(target=self._listener.run, name="gateway-boards", daemon=True).start()

    def stop(self) -> None:
        """End listening."""
        self._listener.close()

    def check(self) -> None:
        """Raise unless connected (readiness)."""
        self._listener.check()

    def want(self, regency: str, timeout: float) -> None:
        """Have the events of a regency from now on; returns when the broker has bound the queue.

        :raises BrokerUnavailable: not within ``timeout`` seconds. The regency stays wanted, and is bound later.
        """
        with self._change:
            self._wanted.add(regency)
        self._listener.ask(self._bind_wanted)
        end = time.monotonic() + timeout
        with self._change:
            if not self._change.wait_for(lambda: regency in self._bound, max(0.0, end - time.monotonic())):
                raise BrokerUnavailable("the events of the regency are not bound")

    def drop(self, regency: str) -> None:
        """Have them no more."""
        with self._change:
            self._wanted.discard(regency)
        self._listener.ask(self._bind_wanted)

    def _new_queue(self) -> Sequence[Queue]:
        # A new name at each connection: after a crash the broker may still hold the old one for the dead connection.
        self._queue = f"gateway.boards-{uuid.uuid4().hex}"
        with self._change:
            self._declared = set(self._wanted)
        keys = [key for regency in sorted(self._declared) for key in keys_of(regency)]
        arguments = {"x-max-length": MOST_QUEUED}
        # Without any binding kombu would bind to the default exchange, which takes no bindings.
        bindings = [binding(EVENT_EXCHANGE, routing_key=key) for key in keys or ["nobody.watches.yet"]]
        return [Queue(self._queue, bindings=bindings, exclusive=True, auto_delete=True, durable=False, queue_arguments=arguments)]

    def _bind_wanted(self, channel: Any) -> None:
        """Runs in the listening thread: nobody else may wait for an answer on its connection."""
        with self._change:
            wanted, bound = set(self._wanted), set(self._bound)
        for regency in wanted - bound:
            for key in keys_of(regency):
                channel.queue_bind(self._queue, EVENT_EXCHANGE.name, key)
        for regency in bound - wanted:
            for key in keys_of(regency):
                channel.queue_unbind(self._queue, EVENT_EXCHANGE.name, key)
        with self._change:
            self._bound = wanted
            self._change.notify_all()

    def _on_connected(self, _queues: Sequence[Queue]) -> None:
        with self._change:
            self._bound = set(self._declared)
            self._change.notify_all()
        self._listener.ask(self._bind_wanted)
        self._tell_connected()

    def _on_lost(self) -> None:
        with self._change:
            self._bound = set()
        self._tell_lost()

    def _take(self, body: Any, message: Any) -> None:
        self._on_event(message.delivery_info["routing_key"], body.encode() if isinstance(body, str) else bytes(body))
