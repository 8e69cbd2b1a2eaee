"""Events in disorder: what the relays publish comes again, twice, later and shuffled, to every consumer."""

from __future__ import annotations

import random
import threading
import time
import uuid
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from kombu import Producer, Queue, binding

from services.chassis.broker import EVENT_EXCHANGE, connect

COPIES = 2
LONGEST_DELAY = 1.5
AGAIN = "again"


class Disorder:
    """Repeats every event of a regency :data:`COPIES` times, each after a delay of its own, while the context is open."""

    def __init__(self, url: str, regency: str) -> None:
        self._url = url
        self._queue = Queue(
            f"disorder-{uuid.uuid4().hex[:8]}", auto_delete=True, bindings=[binding(EVENT_EXCHANGE, routing_key=f"{regency}.#")]
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disorder", daemon=True)
        self._listening = threading.Event()
        self.repeated = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        waiting: list[tuple[float, str, bytes, dict[str, Any]]] = []

        def take(message: Any) -> None:
            if AGAIN not in (message.headers or {}):
                properties = {"content_type": message.content_type, "content_encoding": message.content_encoding}
                for _ in range(COPIES):
                    due = time.monotonic() + random.uniform(0, LONGEST_DELAY)
                    waiting.append((due, message.delivery_info["routing_key"], message.body, properties))
            message.ack()

        with connect(self._url) as connection:
            producer = Producer(connection.default_channel, exchange=EVENT_EXCHANGE)
            with connection.Consumer(self._queue(connection.default_channel), on_message=take):
                self._listening.set()
                while not self._stopping.is_set() or waiting:
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=0.02)
                    now = time.monotonic()
                    for entry in [entry for entry in waiting if entry[0] <= now]:
                        waiting.remove(entry)
                        _, key, body, properties = entry
                        producer.publish(body, routing_key=key, headers={AGAIN: True}, delivery_mode=2, **properties)
                        self.repeated += 1
