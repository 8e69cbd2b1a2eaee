"""The in-process broker of the embedded mode: kombu's virtual transport, woken by a condition instead of polling.

It keeps messages in memory and loses them with the process. No fact is lost by that: what was not handled is
fetched from the owner's event log after the next start (:mod:`.gaps`), and a command without answer ends at its
deadline. It knows no expiry and no dead-letter exchange; nothing in the platform relies on the broker for either.
"""

from __future__ import annotations

import threading
from queue import Empty, Queue
from time import monotonic
from typing import Any, ClassVar

from kombu.transport import TRANSPORT_ALIASES, memory, virtual

ARRIVAL = threading.Condition()
"""Notified at each message and at each acknowledgement; every consumer of the process waits on it."""

LONGEST_WAIT = 1.0
"""Seconds after which a waiting consumer looks again by itself."""


def _announce() -> None:
    with ARRIVAL:
        ARRIVAL.notify_all()


class Channel(memory.Channel):
    """Kombu's in-memory channel with queues of its own, announcing what it stores and what is done."""

    queues: ClassVar[dict[str, Queue[Any]]] = {}

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        super()._put(queue, message, **kwargs)
        _announce()

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:
        """Acknowledge; who had taken as much as it may can take the next."""
        super().basic_ack(delivery_tag, multiple)
        _announce()

    def basic_reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Give back or drop, with the same consequence."""
        super().basic_reject(delivery_tag, requeue)
        _announce()


class Transport(memory.Transport):
    """The transport behind ``embedded://``."""

    Channel = Channel
    global_state = virtual.BrokerState()
    driver_type = "embedded"
    driver_name = "embedded"

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Deliver one message, waiting for it up to ``timeout`` seconds; raise ``TimeoutError`` without one."""
        end = None if timeout is None else monotonic() + timeout
        while True:
            with ARRIVAL:
                try:
                    deliver = self._next()
                except Empty:
                    remaining = LONGEST_WAIT if end is None else min(LONGEST_WAIT, end - monotonic())
                    if remaining <= 0:
                        raise TimeoutError from None
                    ARRIVAL.wait(remaining)
                    continue
            self._deliver(*deliver)
            return

    def _next(self) -> tuple[Any, str]:
        """Take one message from any channel's queues without delivering it yet; raise ``Empty`` without one."""
        taken: list[tuple[Any, str]] = []
        self.cycle.get(lambda message, queue: taken.append((message, queue)), timeout=0)
        return taken[0]


def register() -> None:
    """Make kombu know ``embedded://``."""
    TRANSPORT_ALIASES["embedded"] = f"{__name__}:Transport"
