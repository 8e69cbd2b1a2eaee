"""How events enter a service: the queue's consumer, the inbox, and the watch for what did not arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from nameko.extensions import Entrypoint

from services.chassis import metrics
from services.chassis.broker import Subscription, event_queue
from services.chassis.catch_up import SnapshotPage
from services.chassis.context import SYSTEM, CallContext
from services.chassis.entrypoints import entrypoint, run_in_worker
from services.chassis.errors import Blocked, DatabaseUnavailable, DeadlineExceeded, DomainError, Unavailable
from services.chassis.events import Envelope
from services.chassis.extensions import STOP_SECONDS, DatabaseAccess, RpcAccess, settings
from services.chassis.gaps import LANES, GapFinder
from services.chassis.hands import Hands
from services.chassis.inbox import Inbox
from services.chassis.listener import Listener
from services.chassis.logs import get_logger
from services.chassis.probes import PROBES
from services.chassis.rpc import RpcClient
from services.contracts.subscriptions import EVENT_TYPES, SNAPSHOT_TYPES

log = get_logger(__name__)

PREFETCH = 16
"""Events under way at a time; more would only wait for the few database connections."""

LONGEST_PAUSE = 2.0
TURN_SECONDS = 2.0


class Subscriber(Entrypoint):
    """Consumes one subscription with a method ``(self, work, event)``."""

    access = DatabaseAccess()
    rpc = RpcAccess()

    def __init__(self, subscription: Subscription, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._subscription = subscription
        self._stopping = threading.Event()
        self._under_way = 0
        self._idle = threading.Event()
        self._idle.set()

    def setup(self) -> None:
        """Prepare the consumer."""
        self._listener = Listener(
            self._subscription.queue,
            settings().required_broker_url(),
            lambda: [event_queue(self._subscription)],
            self._take,
            prefetch=PREFETCH,
        )

    def start(self) -> None:
        """Begin to consume and to watch for gaps."""
        owner = self._subscription.owner
        metrics.begin_consumer(self._subscription.queue, (*EVENT_TYPES.get(owner, ()), *SNAPSHOT_TYPES.get(owner, ())))
        self._inbox = Inbox(self.access.database, self._subscription.queue, self._run_method)
        self._gaps = GapFinder(self._inbox, _RemoteOwner(self.rpc.client, owner), lanes=LANES)
        self._hands = Hands(PREFETCH)
        for run, name in ((self._listener.run, "events"), (self._gaps.run, "gaps")):
            threading.Thread(target=run, name=f"{self._subscription.queue}-{name}", daemon=True).start()
        PROBES.register(self._listener.name, self._listener.check)

    def stop(self) -> None:
        """Finish what was taken, give back the rest."""
        PROBES.unregister(self._listener.name)
        self._stopping.set()
        self._gaps.stop()
        self._listener.stop_taking()
        self._idle.wait(STOP_SECONDS)
        self._gaps.finished.wait(STOP_SECONDS)
        self._listener.close()
        self._listener.finished.wait(STOP_SECONDS)

    def _take(self, body: Any, message: Any) -> None:
        self._under_way += 1
        self._idle.clear()
        self.container.spawn_managed_thread(partial(self._handle, body, message), identifier=self._listener.name)

    def _handle(self, body: Any, message: Any) -> None:
        try:
            event = Envelope.from_cloudevent(body)
        except ValueError as error:
            self._reject(message, "unknown", str(error))
        else:
            self._receive(event, message)
        finally:
            self._under_way -= 1
            if self._under_way == 0:
                self._idle.set()

    def _reject(self, message: Any, event_type: str, reason: str) -> None:
        """Take a message off the queue that no repetition makes better. A fact among them is still in its owner's log."""
        log.error("event_rejected", consumer=self._listener.name, reason=reason)
        metrics.EVENTS_HANDLED.labels(self._listener.name, event_type, "rejected").inc()
        self._listener.acknowledge(message)

    def _receive(self, event: Envelope, message: Any) -> None:
        """Handle until the database lets us; the broker waits with us, because nothing is acknowledged.

        While only this regency is blocked, the others must not wait: most of its events are left to the log.
        """
        again, pause = bool(message.delivery_info.get("redelivered")), 0.1
        with (
            structlog.contextvars.bound_contextvars(regency=event.regency, event_id=event.id, traceparent=event.traceparent),
            self._hands.holding(event.regency) as hold,
        ):
            while not self._stopping.is_set():
                if self._listener.has_lost(message):
                    return None  # the broker hands it out again, to whoever is connected
                if not hold.may_stay():
                    return self._leave(event, message)
                try:
                    with self.access.turnstile.turn(event.regency, TURN_SECONDS):
                        if not hold.may_stay():
                            return self._leave(event, message)
                        self._inbox.receive(event, again=again)
                except Unavailable as error:
                    log.debug("event_postponed", consumer=self._listener.name, reason=str(error))
                    self._note_trouble(event.regency, error)
                    self._stopping.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
                    continue
                except DomainError as error:
                    return self._reject(message, event.type, error.code)
                except Exception as error:
                    # It could not even be put aside. A thread that raises would end the process.
                    log.exception("event_unstorable", consumer=self._listener.name)
                    return self._reject(message, event.type, type(error).__name__)
                self._hands.moved(event.regency)
                self._gaps.touched(event.regency)
                return self._listener.acknowledge(message)
        return self._listener.give_back(message)

    def _leave(self, event: Envelope, message: Any) -> None:
        """Take an event of a blocked regency off the queue: the catch-up brings it from the log when it can."""
        metrics.EVENTS_HANDLED.labels(self._listener.name, event.type, "left").inc()
        self._gaps.left(event.regency, event.source, event.sequence)
        self._listener.acknowledge(message)

    def _note_trouble(self, regency: str, error: Unavailable) -> None:
        """Tell the hands when a regency cannot be served while others probably can."""
        if isinstance(error, Blocked) or (isinstance(error, DatabaseUnavailable) and self._another_server_answers()):
            self._hands.blocked(regency)
        elif isinstance(error, DeadlineExceeded):
            self._hands.waited(regency)

    def _another_server_answers(self) -> bool:
        # With one server all wait, and the broker with them.
        if len(self.access.database.servers) == 1:
            return False
        try:
            self.access.database.check()
        except Unavailable:
            return False
        return True

    def _run_method(self, work: Any, event: Envelope) -> None:
        run_in_worker(self, (work, event))


class _RemoteOwner:
    """The owner of the streams, asked over RPC."""

    def __init__(self, client: RpcClient, name: str) -> None:
        self._client = client
        self._name = name

    def heads(self) -> list[dict[str, Any]]:
        heads: list[dict[str, Any]] = self._client.call(self._name, "stream_heads", {}, CallContext(regency=None, actor=SYSTEM))
        return heads

    def log_page(self, regency: str, source: str, after: int, limit: int) -> list[Envelope]:
        events = self._ask("read_log", regency, {"source": source, "after": after, "limit": limit})
        return [Envelope.from_cloudevent(event) for event in events]

    def snapshot_page(self, regency: str, source: str, cursor: str | None, limit: int) -> SnapshotPage:
        payload = {"source": source, "limit": limit} | ({} if cursor is None else {"cursor": cursor})
        page = self._ask("read_snapshot", regency, payload)
        return SnapshotPage(page["sequence"], [Envelope.from_cloudevent(item) for item in page["items"]], page["next_cursor"])

    def _ask(self, method: str, regency: str, payload: dict[str, Any]) -> Any:
        return self._client.call(self._name, method, payload, CallContext(regency=regency, actor=SYSTEM))


def subscribe(subscription: Subscription) -> Callable[[Callable[..., Any]], Any]:
    """Method ``(self, work, event)`` that handles each event of a subscription once."""
    return entrypoint(Subscriber, subscription)
