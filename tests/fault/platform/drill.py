"""One drill: a hall at work, something failing in the middle of it, and the books audited when all were served."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kombu import Queue, binding

from deploy.servers.process import descendants, send_signal
from services.chassis.broker import EVENT_EXCHANGE, connect
from tests.platform import checker, detours
from tests.platform.client import CommandRecord, Ledger
from tests.platform.deliveries import check_letters, check_webhook
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import Day, Hall
from tests.platform.line import Line
from tests.processes import ServiceProcess, eventually
from tests.receivers import HttpReceiver, Mailbox

JOURNEYS = 200
FEWER = 64
"""Of the short form, where the fault alone takes most of the time."""

DISTURBED_AT = 0.25
"""Share of the journeys after which the fault comes."""

RECOVERY_SECONDS = 40.0

LETTER_EVERY = 8
"""One citizen in so many wants a letter when served."""


FELT = 16
"""An outage lasts until clients have met it so often."""


@contextmanager
def felt(ledger: Ledger, times: int = FELT) -> Iterator[None]:
    """Wait, after what is done in the context, until the clients have met the outage."""
    since = ledger.refused
    yield
    eventually(lambda: ledger.refused >= since + times, within=60.0)


@contextmanager
def frozen(pid: int | None) -> Iterator[None]:
    """Stop a server with all its processes (SIGSTOP) while the context is open."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # first, so that it starts no other child meanwhile
    stopped = [*descendants(pid), pid]
    for each in stopped:
        send_signal(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in stopped:
            send_signal(each, signal.SIGCONT)


class Observer:
    """A consumer outside the platform, with a durable queue of its own, which is looked into after each drill."""

    def __init__(self, url: str, pattern: str) -> None:
        self._url = url
        arguments = {"x-queue-type": "quorum"}
        self._queue = Queue("observer", bindings=[binding(EVENT_EXCHANGE, routing_key=pattern)], queue_arguments=arguments)
        self.received: list[dict[str, Any]] = []
        self.listen()

    def listen(self) -> None:
        """Declare the queue, again after the broker lost it."""
        with connect(self._url) as connection:
            self._queue(connection.default_channel).declare()

    def fill(self, log: list[dict[str, Any]]) -> None:
        """Fetch from the owner's log what did not arrive, as a consumer does that lost its queue."""
        known = {(event["source"], event["sequence"]) for event in self.look()}
        self.received += [event for event in log if (event["source"], event["sequence"]) not in known]

    def look(self) -> list[dict[str, Any]]:
        """Take what has arrived; return everything received so far."""
        with connect(self._url) as connection:
            queue = self._queue(connection.default_channel)
            while (message := queue.get(accept=["json", "cloudevents"])) is not None:
                self.received.append(message.decode())
                message.ack()
        return self.received


class Drills:
    """The platform, its hall, and what was noted from drill to drill."""

    def __init__(self, platform: DeployedPlatform, hall: Hall, line: Line, receiver: HttpReceiver, mailbox: Mailbox, journeys: int) -> None:
        self.platform = platform
        self.hall = hall
        self.line = line
        self.receiver = receiver
        self.mailbox = mailbox
        self.journeys = journeys
        self.subscribed: dict[str, str] = {}
        self.records: list[CommandRecord] = []
        """All commands of all drills until now."""
        self.observer = Observer(platform.rabbitmq.url, f"{hall.regency}.#")
        self.queues_lost = False
        """Whether the broker lost its disk in the drill under way."""
        webhook = platform.client(f"admin@{hall.regency}").command(f"{hall.path}/webhooks", {"url": receiver.url, "events": ["ticket.*"]})
        assert webhook.status == 201, webhook

    def run(self, fault: Callable[[Ledger], None], journeys: int = 0) -> str:
        """Play the journeys with the fault in their middle, audit everything, and return the figures."""
        self._watch_boards()
        day = Day(self.platform, self.hall, journeys or self.journeys, letter_every=LETTER_EVERY, detours=True)
        day.begin()
        try:
            before = day.wait_served(DISTURBED_AT)
            try:
                fault(day.ledger)
            finally:
                day.raise_error()  # rather than that the fault found nobody at work any more
            during, working = len(day.completed), day.under_way
            day.end()
        finally:
            day.abort()
            self.records += day.ledger.answered
        assert working, "all journeys were over before the fault was"
        recovery = self.platform.wait_ready(RECOVERY_SECONDS)
        story = f"{before} of {day.journeys} journeys done before, {during} when the fault was over; all ready {recovery:.1f} s later"
        return "; ".join([story, *self.audit(day)])

    def _watch_boards(self) -> None:
        """Have every gateway show the hall's board, so that it lives through the fault."""
        for number in range(len(self.platform.http_ports)):
            self.platform.client(gateway=number).get(f"{self.hall.path}/sites/{self.hall.site}/board")

    def process(self, part: str) -> ServiceProcess:
        """The first replica of a part."""
        replicas: dict[str, ServiceProcess] = {
            "catalog": self.platform.catalog,
            "ticketing": self.platform.ticketing[0],
            "notification": self.platform.notification[0],
            "reporting": self.platform.reporting[0],
        }
        return replicas[part]

    def wipe_broker(self) -> None:
        """Give RabbitMQ an empty disk: queues, messages and users are gone."""
        self.platform.rabbitmq.kill()
        self.platform.rabbitmq.wipe()
        self.platform.rabbitmq.start()
        self.observer.listen()
        self.queues_lost = True

    def audit(self, day: Day) -> list[str]:
        """Check everything that the day has left behind; return the figures."""
        checker.check_only_outages(day.ledger)
        checker.check_deadlines(day.ledger)
        assert len(day.issued) == day.journeys
        assert sorted([*day.completed, *day.transferred]) == sorted(day.numbers), "somebody was served twice, or not at all"
        latest = checker.check_not_late(day.ledger.records, checker.commit_times(self.platform, self.hall))
        before = self.tickets()
        repeated = checker.check_repeats(self.platform, day.ledger)
        tickets = self.tickets()
        assert tickets == before, "repeating commands changed tickets"
        checker.check_tickets(tickets)
        changes = detours.check_effects(self.records, tickets)
        ends = {ticket["id"]: ticket["status"] for ticket in tickets}
        assert {ends[ticket] for ticket in day.completed} == {"completed"}
        assert {ends[ticket] for ticket in day.transferred} == {"transferred"}
        figures = [
            day.ledger.figures(),
            f"latest commit {latest:.2f} s after its request",
            f"{repeated} repeats agree",
            f"{changes} changes of {len(tickets)} tickets since the beginning, each once",
        ]
        return [*figures, self._audit_events(day, tickets), checker.check_boards(self.platform, self.hall)]

    def _audit_events(self, day: Day, tickets: list[dict[str, Any]]) -> str:
        log = checker.check_log(self.platform, self.hall, tickets)
        several = detours.check_visits(tickets, log)
        checker.check_published(self.platform, self.hall, log)
        if self.queues_lost:
            self.observer.fill(log)
            self.queues_lost = False
        twice = checker.check_received(self.observer.look(), log[0]["source"], len(log))
        checker.check_reports(self.platform, self.hall, tickets)
        checker.check_notices(self.platform, self.hall, log)
        again = check_webhook(self.platform, self.hall, log, self.receiver)
        self.subscribed.update(day.subscribed)
        uncertain = check_letters(self.platform, self.hall, self.mailbox, self.subscribed, tickets)
        return (
            f"log of {len(log)} events contiguous, {several} visits of several tickets;"
            f" until now {twice} published twice, {again} posted again under their id,"
            f" {len(self.subscribed)} citizens wrote down for a letter, {uncertain} of them uncertain"
        )

    def tickets(self) -> list[dict[str, Any]]:
        """All tickets of the regency, as its auditor sees them."""
        return self.platform.client(f"auditor@{self.hall.regency}").pages(f"{self.hall.path}/tickets")
