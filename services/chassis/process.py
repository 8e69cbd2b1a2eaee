"""One operating-system process: one service, or all of them in embedded mode.

``SIGTERM`` and ``SIGINT`` finish what was taken and give back the rest; a second one ends at once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import eventlet
from eventlet.event import Event
from eventlet.hubs import get_hub
from nameko import config
from nameko.runners import ServiceRunner

from services.chassis import logs
from services.chassis.broker import Subscription
from services.chassis.extensions import SETTINGS_KEY, SUBSCRIPTIONS_KEY
from services.chassis.probe_server import ProbeServer
from services.chassis.probes import PROBES
from services.chassis.settings import Settings

MAX_WORKERS = 200
STOP_LIMIT_SECONDS = 30.0

PROCESS = "process"
"""The check that says that a process is not ready while it starts or stops, whatever its parts say by then."""

log = logs.get_logger(__name__)


class Starting(Exception):
    """Not everything has been started yet."""


class Stopping(Exception):
    """The end has begun: nothing new should come here."""


def run(
    services: Sequence[type],
    settings: Settings,
    subscriptions: Iterable[Subscription],
    *,
    probe_server: bool = True,
    when_started: Callable[[], None] = lambda: None,
    beside: Callable[[], None] | None = None,
) -> int:
    """Run nameko services until a signal ends them; return the process's exit status.

    The caller has already called ``eventlet.monkey_patch()``.

    :param subscriptions: the queues of all consumers of the platform, declared before anything is published.
    :param when_started: called in a thread of its own once everything has been started.
    :param beside: runs in a thread of its own until the end begins; what it raises ends the services, and is raised here.
    """
    logs.configure(settings)
    config.setup({SETTINGS_KEY: settings, SUBSCRIPTIONS_KEY: tuple(subscriptions), "max_workers": MAX_WORKERS, "AMQP_URI": ""})
    finished = Event()
    _on_signals(finished)
    runner = ServiceRunner()
    for service in services:
        runner.add_service(service)
    PROBES.register(PROCESS, _raise_starting)
    probes = ProbeServer(settings.probe_host, settings.probe_port) if probe_server else None
    if probes is not None:
        probes.start()
    eventlet.spawn(_supervise, runner, when_started, finished)
    companion = Companion(beside, finished)
    status: int = finished.wait()
    companion.end()
    PROBES.register(PROCESS, _raise_stopping)
    log.info("stopping", services=sorted(runner.service_names))
    with eventlet.Timeout(STOP_LIMIT_SECONDS, False):
        if status == 0:
            runner.stop()
        else:
            runner.kill()  # what did not start cannot be stopped politely
    if probes is not None:
        probes.stop()
    if companion.error is not None:
        raise companion.error
    return status


class Companion:
    """What runs beside the services: it ends with them, and they with it when it raises."""

    def __init__(self, work: Callable[[], None] | None, finished: Event) -> None:
        self.error: Exception | None = None
        self._finished = finished
        self._thread = None if work is None else eventlet.spawn(self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self.error = error
            if not self._finished.ready():
                self._finished.send(1)

    def end(self) -> None:
        """End it, wherever it is; its `finally` and `except BaseException` clauses are run."""
        if self._thread is not None:
            self._thread.kill()


def _supervise(runner: ServiceRunner, when_started: Callable[[], None], finished: Event) -> None:
    """Start everything; end the process when a service dies of something unforeseen (a supervisor restarts it)."""
    try:
        runner.start()
        if finished.ready():
            return
        PROBES.unregister(PROCESS)
        log.info("started", services=sorted(runner.service_names))
        eventlet.spawn(when_started).link(_end_if_raised, finished)
        runner.wait()
    except Exception:
        log.exception("service_died")
        if not finished.ready():
            finished.send(1)


def _raise_starting() -> None:
    raise Starting


def _raise_stopping() -> None:
    raise Stopping


def _end_if_raised(thread: Any, finished: Event) -> None:
    try:
        thread.wait()
    except Exception:
        log.exception("start_failed")
        if not finished.ready():
            finished.send(1)


def _on_signals(finished: Event) -> None:
    received: list[int] = []

    def handle(number: int, _frame: Any) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        get_hub().schedule_call_global(0, lambda: None if finished.ready() else finished.send(0))

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
