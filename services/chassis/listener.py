"""Consuming through every outage: one thread, one connection, reconnecting for as long as the process lives."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from kombu import Connection, Queue

from services.chassis.acknowledging import Untold
from services.chassis.broker import BROKER_ERRORS, HEARTBEAT, connect, discard
from services.chassis.errors import BrokerUnavailable
from services.chassis.events import CONTENT_TYPE
from services.chassis.logs import get_logger

log = get_logger(__name__)

LONGEST_PAUSE = 2.0
"""Seconds between attempts to reconnect, at most; a broker that is back should be used at once."""

TICK = 0.25

_READABLE = frozenset({"application/json", CONTENT_TYPE})

OnMessage = Callable[[Any, Any], None]


class Listener:
    """Consumes queues and hands each message to ``on_message(body, message)`` in the listening thread.

    The queues are asked for anew at each connection, so that a wiped broker gets them declared again and a reply
    queue gets a fresh name. ``on_connected`` and ``on_lost`` tell the owner about the connection. With ``raw`` the body
    is handed over as it came, unread.
    """

    def __init__(
        self,
        name: str,
        url: str,
        queues: Callable[[], Sequence[Queue]],
        on_message: OnMessage,
        *,
        prefetch: int = 0,
        no_ack: bool = False,
        raw: bool = False,
        on_connected: Callable[[Sequence[Queue]], None] = lambda queues: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._url = url
        self._queues = queues
        self._on_message = on_message
        self._prefetch = prefetch
        self._no_ack = no_ack
        self._raw = raw
        self._asked: deque[Callable[[Any], None]] = deque()
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._writing = threading.Lock()
        self._untold = Untold(prefetch)
        self._stop_taking = threading.Event()
        self._stopped = threading.Event()
        self.connected = threading.Event()
        self.finished = threading.Event()

    def run(self) -> None:
        """Listen until :meth:`close`; never raises."""
        pause = 0.0
        while not self._stopped.is_set():
            try:
                self._listen()
                pause = 0.0
            except (*BROKER_ERRORS, BrokerUnavailable) as error:
                if self.connected.is_set() or pause == 0.0:
                    log.warning("broker_lost", listener=self.name, reason=type(error).__name__)
                pause = 0.05 if self.connected.is_set() else min(LONGEST_PAUSE, pause * 2 + 0.05)
            except Exception:
                log.exception("listener_failed", listener=self.name)
                pause = LONGEST_PAUSE
            finally:
                if self.connected.is_set():
                    self.connected.clear()
                    self._on_lost()
            self._stopped.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  (jitter, not a secret)
        self.finished.set()

    def _listen(self) -> None:
        connection = connect(self._url, heartbeat=HEARTBEAT)
        try:
            queues = self._queues()
            consumer = connection.Consumer(queues, on_message=self._receive, no_ack=self._no_ack)
            self._untold.begin(consumer.channel)
            if self._prefetch:
                consumer.qos(prefetch_count=self._prefetch)
            consumer.consume()
            self._on_connected(queues)
            self.connected.set()
            self._drain(connection, consumer)
        except BaseException:
            discard(connection)  # a goodbye would wait for an answer, on a dead line for ever
            raise
        connection.release()

    def _drain(self, connection: Connection, consumer: Any) -> None:
        next_check, cancelled = time.monotonic() + 1.0, False
        while not self._stopped.is_set():
            if self._stop_taking.is_set() and not cancelled:
                consumer.cancel()
                cancelled = True
            while self._asked:
                with self._writing:
                    self._asked.popleft()(consumer.channel)
            with suppress(TimeoutError):
                connection.drain_events(timeout=TICK)
            if self._untold.is_due():
                self._tell()
            if time.monotonic() >= next_check:
                with self._writing:
                    connection.heartbeat_check()
                next_check = time.monotonic() + 1.0
        self._tell()

    def _receive(self, message: Any) -> None:
        # Kombu's own decoder calls a Python function for each object in the JSON.
        body = message.body
        if not self._no_ack:
            self._untold.received(message)
        if not self._raw:
            try:
                if message.content_type not in _READABLE:
                    raise ValueError("not JSON")
                body = json.loads(body)
            except (ValueError, RecursionError) as error:
                self._on_undecodable(message, error)
                return
        self._take(body, message)

    def _take(self, body: Any, message: Any) -> None:
        if self._stop_taking.is_set():
            self.give_back(message)
        else:
            self._on_message(body, message)

    def _on_undecodable(self, message: Any, error: Exception) -> None:
        # No repetition makes it readable.
        log.error("message_undecodable", listener=self.name, reason=type(error).__name__)
        if not self._no_ack:
            self.acknowledge(message)

    def has_lost(self, message: Any) -> bool:
        """Whether the connection on which a message came is gone, and with it the right to settle it."""
        channel = message.channel
        return channel is None or channel.connection is None

    def acknowledge(self, message: Any) -> None:
        """Tell the broker, soon, that a message is done; a lost connection means that it comes again."""
        if self._untold.done(message):
            self._tell()

    def give_back(self, message: Any) -> None:
        """Return a message to its queue for another consumer."""
        self._untold.given_back(message)
        self._settle(message.requeue)

    def _tell(self) -> None:
        self._settle(self._untold.tell)

    def _settle(self, settle: Callable[[], None]) -> None:
        with self._writing:
            try:
                settle()
            except (*BROKER_ERRORS, AttributeError, TypeError):
                # The connection is gone (kombu then dereferences None), and with it the message: the broker
                # hands it out again, and the inbox knows it.
                log.debug("settle_on_lost_connection", listener=self.name)

    def ask(self, action: Callable[[Any], None]) -> None:
        """Have ``action(channel)`` done in the listening thread, where alone one may wait for the broker's answers.

        Done within :data:`TICK` while connected, else after the next connection. A failing one costs the connection.
        """
        if action not in self._asked:
            self._asked.append(action)

    def check(self) -> None:
        """Raise unless connected (readiness)."""
        if not self.connected.is_set():
            raise BrokerUnavailable(f"{self.name} is not connected")

    def stop_taking(self) -> None:
        """Take no more messages, but keep the connection for acknowledging those that were taken."""
        self._stop_taking.set()

    def close(self) -> None:
        """End :meth:`run`; what was taken and not acknowledged goes back to the queue."""
        self._stop_taking.set()
        self._stopped.set()
