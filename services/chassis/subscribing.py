"""How events enter a service: the queue's consumer, the inbox, and the watch for what did not arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from nameko.extensions import Entrypoint

from services.chassis import metrics
from services.chassis.broker import Subscription, event_queue
from services.chassis.catch_up import SnapshotPage
from services.chassis.context import SYSTEM, CallContext
from services.chassis.database import UnitOfWork
from services.chassis.entrypoints import entrypoint, run_in_worker
from services.chassis.errors import Blocked, DatabaseUnavailable, DeadlineExceeded, DomainError, Unavailable
from services.chassis.events import Envelope
from services.chassis.extensions import STOP_SECONDS, DatabaseAccess, RpcAccess, settings
from services.chassis.gaps import LANES, GapFinder
from services.chassis.gathering import Gathering
from services.chassis.handlers import one_by_one
from services.chassis.hands import Hands, Hold
from services.chassis.inbox import MOST_TOGETHER, Inbox
from services.chassis.listener import Listener
from services.chassis.logs import get_logger
from services.chassis.probes import PROBES
from services.chassis.rpc import RpcClient
from services.contracts.subscriptions import EVENT_TYPES, SNAPSHOT_TYPES

log = get_logger(__name__)

PREFETCH = 64
"""Events in hand at a time: one group under way and another one that gathers meanwhile. More where the pace is slower."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
TURN_SECONDS = 2.0
PACE_SECONDS = 0.05
"""Groups of a regency begin no closer together: under load each then holds several events, at a delay that nobody notices
in a report or a letter. What comes after a quiet moment is handled at once."""


@dataclass(frozen=True)
class _Piece:
    """An event in hand, and the message that brought it."""

    event: Envelope
    message: Any
    hold: Hold


class Subscriber(Entrypoint):
    """Consumes one subscription with a method ``(self, work, events)``."""

    access = DatabaseAccess()
    rpc = RpcAccess()

    def __init__(self, subscription: Subscription, pace: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._subscription = subscription
        self._pace = pace
        self._most_in_hand = int(PREFETCH * max(1.0, pace / PACE_SECONDS))
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
            prefetch=self._most_in_hand,
        )

    def start(self) -> None:
        """Begin to consume and to watch for gaps."""
        owner = self._subscription.owner
        metrics.begin_consumer(self._subscription.queue, (*EVENT_TYPES.get(owner, ()), *SNAPSHOT_TYPES.get(owner, ())))
        self._inbox = Inbox(self.access.database, self._subscription.queue, lambda work, events: run_in_worker(self, (work, events)))
        self._gaps = GapFinder(self._inbox, _RemoteOwner(self.rpc.client, owner), lanes=LANES)
        self._hands = Hands(self._most_in_hand)
        self._gathering = Gathering(
            self._spawn, self._handle_together, self._handle_late, most=MOST_TOGETHER, patience=TURN_SECONDS, pace=self._pace
        )
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

    def _spawn(self, action: Callable[[], None]) -> None:
        self.container.spawn_managed_thread(action, identifier=self._listener.name)

    def _take(self, body: Any, message: Any) -> None:
        try:
            event = Envelope.from_cloudevent(body)
        except (ValueError, ArithmeticError) as error:
            return self._reject(message, "unknown", str(error))
        self._under_way += 1
        self._idle.clear()
        piece = _Piece(event, message, self._hands.holding(event.regency))
        if message.delivery_info.get("redelivered"):
            self._spawn(partial(self._handle_alone, piece, again=True))
        else:
            self._gathering.add(event.regency, piece)
        return None

    def _reject(self, message: Any, event_type: str, reason: str) -> None:
        """Take a message off the queue that no repetition makes better. A fact among them is still in its owner's log."""
        log.error("event_rejected", consumer=self._listener.name, reason=reason)
        metrics.EVENTS_HANDLED.labels(self._listener.name, event_type, "rejected").inc()
        self._listener.acknowledge(message)

    def _end(self, pieces: Sequence[_Piece]) -> None:
        """Have these in hand no longer; their messages were settled, or lost with their connection."""
        for piece in pieces:
            self._hands.let_go(piece.hold)
        self._under_way -= len(pieces)
        if self._under_way == 0:
            self._idle.set()

    def _handle_together(self, regency: str, pieces: Sequence[_Piece]) -> None:
        """Handle what has come for one regency in one transaction; when that cannot be, each alone."""
        staying: list[_Piece] = []
        for piece in pieces:
            if self._stays(piece):
                staying.append(piece)
            else:
                self._end([piece])
        if not staying:
            return None
        with structlog.contextvars.bound_contextvars(regency=regency):
            try:
                with self.access.turnstile.turn(regency, TURN_SECONDS):
                    together = self._inbox.receive_together([piece.event for piece in staying])
            except Unavailable as error:
                self._postpone(regency, error)
                return self._handle_each(regency, staying, pause=FIRST_PAUSE)
            except Exception:  # noqa: BLE001  (whose fault it is, and what then, shows when each is alone)
                together = None
        if together is None:
            return self._handle_each(regency, staying)
        self._hands.moved(regency)
        self._gaps.arrived([piece.event for piece in staying])
        for piece in staying:
            self._listener.acknowledge(piece.message)
        return self._end(staying)

    def _handle_late(self, regency: str, pieces: Sequence[_Piece]) -> None:
        """Handle what has waited long for a group to end, beside it."""
        self._hands.waited(regency)
        self._handle_each(regency, pieces)

    def _handle_each(self, regency: str, pieces: Sequence[_Piece], *, pause: float = 0.0) -> None:
        for piece in pieces:
            self._spawn(partial(self._handle_alone, piece, pause=pause))

    def _handle_alone(self, piece: _Piece, *, again: bool = False, pause: float = 0.0) -> None:
        event = piece.event
        try:
            with structlog.contextvars.bound_contextvars(regency=event.regency, event_id=event.id, traceparent=event.traceparent):
                self._receive(piece, again, pause)
        finally:
            self._end([piece])

    def _receive(self, piece: _Piece, again: bool, pause: float) -> None:
        """Handle until the database lets us; the broker waits with us, because nothing is acknowledged.

        While only this regency is blocked, the others must not wait: most of its events are left to the log.
        """
        event = piece.event
        self._stopping.wait(pause)
        while self._stays(piece):
            try:
                with self.access.turnstile.turn(event.regency, TURN_SECONDS):
                    if not self._stays(piece):
                        return None
                    self._inbox.receive(event, again=again)
            except Unavailable as error:
                self._postpone(event.regency, error)
                pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))
                self._stopping.wait(pause)
                continue
            except DomainError as error:
                return self._reject(piece.message, event.type, error.code)
            except Exception as error:
                # It could not even be put aside. A thread that raises would end the process.
                log.exception("event_unstorable", consumer=self._listener.name)
                return self._reject(piece.message, event.type, type(error).__name__)
            self._hands.moved(event.regency)
            self._gaps.arrived([event])
            return self._listener.acknowledge(piece.message)
        return None

    def _stays(self, piece: _Piece) -> bool:
        """Whether to handle an event now; its message was settled otherwise, or is lost."""
        if self._stopping.is_set():
            self._listener.give_back(piece.message)
        elif self._listener.has_lost(piece.message):
            pass  # the broker hands it out again, to whoever is connected
        elif not piece.hold.may_stay():
            self._leave(piece.event, piece.message)
        else:
            return True
        return False

    def _leave(self, event: Envelope, message: Any) -> None:
        """Take an event of a blocked regency off the queue: the catch-up brings it from the log when it can."""
        metrics.EVENTS_HANDLED.labels(self._listener.name, event.type, "left").inc()
        self._gaps.left(event.regency, event.source, event.sequence)
        self._listener.acknowledge(message)

    def _postpone(self, regency: str, error: Unavailable) -> None:
        """Tell the hands when a regency cannot be served while others probably can."""
        log.debug("event_postponed", consumer=self._listener.name, reason=str(error))
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


def subscribe(subscription: Subscription, *, together: bool = False, pace: float = PACE_SECONDS) -> Callable[[Callable[..., Any]], Any]:
    """Method ``(self, work, event)`` that handles each event of a subscription once.

    With ``together`` a method ``(self, work, events)``: a :data:`~services.chassis.handlers.GroupHandler`.

    :param pace: seconds between the beginnings of two groups of a regency; the longer, the more events are in each.
    """

    def register(method: Callable[..., Any]) -> Any:
        def handle(service: Any, work: UnitOfWork, events: Sequence[Envelope]) -> None:
            one_by_one(partial(_in_its_context, partial(method, service)))(work, events)

        handle.__name__, handle.__doc__ = method.__name__, method.__doc__
        return entrypoint(Subscriber, subscription, pace)(method if together else handle)

    return register


def _in_its_context(method: Callable[..., Any], work: UnitOfWork, event: Envelope) -> None:
    """Call a method with what a log line about the event should name."""
    with structlog.contextvars.bound_contextvars(event_id=event.id, traceparent=event.traceparent):
        method(work, event)
