"""Calling another service: an answer, a refusal or ``Unavailable`` before the deadline. Never a hang.

Requests expire at their deadline, so that no service works on what nobody waits for. When the connection for
replies is lost, all calls under way fail at once: whether the command was done is then unknown, and repeating it
with the same command id tells.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from kombu import Queue

from services.chassis import metrics
from services.chassis.broker import RPC_EXCHANGE, Sender
from services.chassis.context import CallContext
from services.chassis.errors import BrokerUnavailable, DeadlineExceeded, DomainError, Unavailable, from_error
from services.chassis.listener import Listener

LONGEST_CONNECTING = 1.0
"""Seconds a call waits for the reply connection before it is refused; less when its deadline is nearer."""


class _Pending:
    """Somebody who waits for an answer, for as long as the lock is held. (An event would be three objects more.)"""

    __slots__ = ("_waiting", "answer")

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self._waiting = threading.Lock()
        self._waiting.acquire()

    def wait(self, seconds: float) -> bool:
        """Wait to be ended; return whether that happened in time."""
        return self._waiting.acquire(timeout=max(0.0, seconds))

    def end(self) -> None:
        """End the waiting, with the answer or without."""
        with suppress(RuntimeError):  # ended before
            self._waiting.release()


class RpcClient:
    """Calls services. One per process and caller; safe for many threads."""

    def __init__(self, url: str, name: str) -> None:
        self._name = name
        self._sender = Sender(url)
        self._pending: dict[str, _Pending] = {}
        self._prefix, self._numbers = f"{uuid.uuid4().hex}-", count()
        self._reply_to = ""
        self._listener = Listener(
            f"{name}.replies",
            url,
            self._new_reply_queue,
            self._on_reply,
            no_ack=True,
            on_connected=self._on_connected,
            on_lost=self._on_lost,
        )

    def start(self) -> None:
        """Begin to listen for replies."""
        threading.Thread(target=self._listener.run, name=f"{self._name}-replies", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; calls under way fail."""
        self._listener.close()
        self._sender.close()
        self._on_lost()

    def check(self) -> None:
        """Raise unless replies can be received (readiness)."""
        self._listener.check()

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        """Call ``service.method``; return its result.

        :raises DomainError: the service refused; ``code`` and ``details`` are the service's.
        :raises Unavailable: broker or service away, or no answer before the deadline.
        """
        started = time.perf_counter()
        outcome = "unavailable"
        try:
            answer = self._exchange(service, method, payload, context)
            outcome = "ok" if answer.get("error") is None else str(answer["error"]["code"])
        finally:
            metrics.RPC_CALLS.labels(service, method, outcome).observe(time.perf_counter() - started)
        error = answer.get("error")
        if answer.get("repeated"):
            context.told["repeated"] = True
        if error is None:
            return answer.get("result")
        raise _raised(error)

    def _exchange(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> dict[str, Any]:
        if not self._listener.connected.wait(max(0.0, min(LONGEST_CONNECTING, context.remaining()))):
            raise BrokerUnavailable("not connected")
        correlation_id = f"{self._prefix}{next(self._numbers)}"
        pending = self._pending[correlation_id] = _Pending()
        try:
            self._sender.send(
                {"payload": payload, "context": context.to_dict()},
                exchange=RPC_EXCHANGE.name,
                routing_key=f"{service}.{method}",
                deadline=context.deadline,
                reply_to=self._reply_to,
                correlation_id=correlation_id,
            )
            if not pending.wait(context.remaining()):
                raise DeadlineExceeded(f"no answer from {service}")
        finally:
            self._pending.pop(correlation_id, None)
        if pending.answer is None:
            raise BrokerUnavailable("the connection was lost while waiting for the answer")
        return pending.answer

    def _new_reply_queue(self) -> Sequence[Queue]:
        # A new name at each connection: after a crash the broker may still hold the old one for the dead connection.
        return [Queue(f"rpc.reply-{self._name}-{uuid.uuid4().hex}", exclusive=True, auto_delete=True, durable=False)]

    def _on_connected(self, queues: Sequence[Queue]) -> None:
        self._reply_to = queues[0].name

    def _on_lost(self) -> None:
        for pending in list(self._pending.values()):
            pending.end()

    def _on_reply(self, body: Any, message: Any) -> None:
        pending = self._pending.get(message.properties.get("correlation_id", ""))
        if pending is not None and isinstance(body, dict):
            pending.answer = body
            pending.end()


_UNAVAILABLE = frozenset({"service_unavailable", "deadline_exceeded", "busy"})


def _raised(error: dict[str, Any]) -> DomainError:
    if error["code"] in _UNAVAILABLE:
        return Unavailable("said by the service", code=error["code"])
    return from_error(error)
