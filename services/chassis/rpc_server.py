"""Answering calls: requests come out of the service's queue, each is answered in a thread of its own, then acknowledged."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any, Protocol

import structlog
from nameko.extensions import ProviderCollector, SharedExtension

from services.chassis import metrics
from services.chassis.broker import Sender, rpc_queue
from services.chassis.context import CallContext
from services.chassis.errors import BrokerUnavailable, DomainError, as_error
from services.chassis.extensions import STOP_SECONDS, settings
from services.chassis.listener import Listener
from services.chassis.logs import get_logger
from services.chassis.probes import PROBES

log = get_logger(__name__)

PREFETCH = 256
"""Requests one replica takes at a time; the rest stays in the queue for the others. More than twice what one regency
may have waiting at the turnstile."""


class Answers(Protocol):
    """A method that others call."""

    def serve(self, context: CallContext, payload: Any) -> Any:
        """Return the answer to one call; raises what the caller should be told."""
        ...


class RpcServer(ProviderCollector, SharedExtension):
    """Takes the service's requests from its queue and answers them. A failing answer is logged, never fatal."""

    def __init__(self) -> None:
        # Not in ``setup``: nameko sets all extensions up at the same time, and entrypoints register in theirs.
        super().__init__()
        self._methods: dict[str, Answers] = {}
        self._under_way = 0
        self._idle = threading.Event()
        self._idle.set()

    def setup(self) -> None:
        """Prepare queue and connections."""
        url, name = settings().required_broker_url(), self.container.service_name
        self._sender = Sender(url)
        self._listener = Listener(f"{name}.rpc", url, lambda: [rpc_queue(name)], self._take, prefetch=PREFETCH)

    def register_provider(self, provider: Any) -> None:
        """Add an entrypoint."""
        super().register_provider(provider)
        self._methods[provider.method_name] = provider

    def start(self) -> None:
        """Begin to take requests; when the broker is away, as soon as it is back."""
        threading.Thread(target=self._listener.run, name=self._listener.name, daemon=True).start()
        PROBES.register(self._listener.name, self._listener.check)

    def drain(self) -> None:
        """Take no more requests and wait for the answers to those that were taken."""
        PROBES.unregister(self._listener.name)
        self._listener.stop_taking()
        self._idle.wait(STOP_SECONDS)

    def stop(self) -> None:
        """Disconnect."""
        self._listener.close()
        self._listener.finished.wait(STOP_SECONDS)
        self._sender.close()

    def _take(self, body: Any, message: Any) -> None:
        self._under_way += 1
        self._idle.clear()
        self.container.spawn_managed_thread(partial(self._answer, body, message), identifier="rpc")

    def _answer(self, body: Any, message: Any) -> None:
        try:
            context, answer = self._outcome(body, message.delivery_info["routing_key"].rpartition(".")[2])
            self._reply(message, answer, context.deadline if context else time.time() + 1.0)
            self._listener.acknowledge(message)
        finally:
            self._under_way -= 1
            if self._under_way == 0:
                self._idle.set()

    def _reply(self, message: Any, answer: dict[str, Any], deadline: float) -> None:
        """Send an answer. Never raises: a thread that does would end the process."""
        address = message.properties.get("reply_to")
        try:
            if not address:
                raise BrokerUnavailable("no address")
            correlation_id = message.properties.get("correlation_id")
            try:
                self._sender.send(answer, exchange="", routing_key=address, deadline=deadline, correlation_id=correlation_id)
            except (TypeError, ValueError):
                log.exception("answer_is_no_json", service=self.container.service_name)
                fault = {"result": None, "error": as_error(TypeError())}
                self._sender.send(fault, exchange="", routing_key=address, deadline=deadline, correlation_id=correlation_id)
        except Exception as error:  # noqa: BLE001  (the caller's address and properties may be anything)
            log.warning("reply_lost", service=self.container.service_name, reason=type(error).__name__)

    def _outcome(self, body: Any, method: str) -> tuple[CallContext | None, dict[str, Any]]:
        started, outcome, context = time.perf_counter(), "ok", None
        try:
            entrypoint = self._methods.get(method)
            if entrypoint is None:
                raise DomainError("method_unknown")
            context = CallContext.from_dict(body["context"])
            structlog.contextvars.bind_contextvars(regency=context.regency, traceparent=context.traceparent)
            answer = {"result": entrypoint.serve(context, body["payload"]), "error": None, **context.told}
        except Exception as error:
            described = as_error(error)
            outcome = described["code"]
            answer = {"result": None, "error": described}
            if outcome == "unexpected":
                log.exception("call_failed", service=self.container.service_name, method=method)
        finally:
            structlog.contextvars.clear_contextvars()
        metrics.RPC_HANDLED.labels(self.container.service_name, method, outcome).observe(time.perf_counter() - started)
        return context, answer
