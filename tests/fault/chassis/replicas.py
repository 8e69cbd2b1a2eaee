"""Two replicas of ledger and of mirror, and servers that can be taken away and brought back."""

from __future__ import annotations

import os
import signal
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from services.chassis.errors import Unavailable
from services.chassis.events import Envelope
from tests.probe.deployment import QUEUE, ProbeDeployment, new_virtual_host
from tests.processes import ServiceProcess, eventually

HOST = "replicas"


class Replicas(ProbeDeployment):
    """The probe deployment with two processes per service."""

    def __init__(self, folder: Path, postgres: PostgresServer, rabbitmq: RabbitMQServer) -> None:
        super().__init__(folder, postgres, new_virtual_host(rabbitmq, HOST))
        self.postgres, self.rabbitmq = postgres, rabbitmq
        self.ledgers = [self.process("ledger", MPP_LOG_LEVEL="DEBUG") for _ in range(2)]
        self.mirrors = [self.process("mirror", MPP_LOG_LEVEL="DEBUG") for _ in range(2)]
        self._threads = ThreadPoolExecutor(96)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        super().__exit__(kind, error, trace)
        self._threads.shutdown(cancel_futures=True)

    @property
    def replicas(self) -> list[ServiceProcess]:
        """All four processes."""
        return [*self.ledgers, *self.mirrors]

    def make_whole(self) -> None:
        """Bring back what a test took away: servers first, then processes."""
        self.postgres.start()
        self.start_broker()
        for process in self.replicas:
            process.thaw()
            if not alive(process):
                process.start(wait=False)
        for process in self.replicas:
            process.wait_ready(within=60)
        eventually(lambda: self.client.check() is None or True, within=30)  # type: ignore[func-returns-value]

    def revive_mirrors(self) -> int:
        """Start the mirrors that have ended, as a supervisor does; return how many had."""
        ended = [mirror for mirror in self.mirrors if not alive(mirror)]
        for mirror in ended:
            mirror.start(wait=False)
        return len(ended)

    def start_broker(self) -> None:
        """Start the broker when it does not run; after a wipe it has to be given its virtual host again, as by an operator."""
        self.rabbitmq.start()
        new_virtual_host(self.rabbitmq, HOST)

    def freeze_broker(self) -> None:
        """The broker is alive for the kernel and dead for everyone else."""
        os.kill(self.rabbitmq.pid or 0, signal.SIGSTOP)

    def thaw_broker(self) -> None:
        """It goes on."""
        os.kill(self.rabbitmq.pid or 0, signal.SIGCONT)

    def later(self, regency: str, account: str = "a", **options: Any) -> Future[dict[str, Any]]:
        """Add an entry in another thread."""
        return self._threads.submit(self.add, regency, account, **options)

    def insist(self, regency: str, command_id: str, account: str = "a") -> Future[dict[str, Any]]:
        """Add an entry in another thread, repeating with the same command id until there is an answer."""

        def repeat() -> dict[str, Any]:
            answers: list[dict[str, Any]] = []

            def done() -> bool:
                with suppress(Unavailable):
                    answers.append(self.add(regency, account, command_id=command_id, seconds=2.0))
                return bool(answers)

            eventually(done, within=60)
            return answers[0]

        return self._threads.submit(repeat)

    def has_mirrored(self, regency: str, count: int) -> bool:
        """Whether the mirror has so many entries, all in a row."""
        return self.mirrored(regency) == self.mark(regency) == count

    def has_mirrored_all(self, regency: str, account: str, count: int) -> bool:
        """Whether the mirror has so many entries of an account, and its mark stands there."""
        return self.mirrored(regency, account) == self.mark(regency) == count

    def asleep(self, service: str = "ledger") -> int:
        """How many slow commands or handlers are in their middle."""
        slow = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%' AND usename = :login"
        login = self.urls[service].partition("//")[2].partition(":")[0]
        return int(self.query(service, slow, login=login)[0][0])

    def handled(self, outcome: str) -> float:
        """How many events the living mirrors took with an outcome."""
        name = "mpp_events_handled_total"
        return sum(mirror.metric(name, consumer=QUEUE, outcome=outcome) for mirror in self.mirrors if alive(mirror))


def alive(process: ServiceProcess) -> bool:
    """Whether a process was started and has not ended."""
    return process._process is not None and process._process.poll() is None


def by_hand(regency: str, sequence: int, account: str) -> Envelope:
    """An event on a stream that has no log: only the queue can bring it."""
    return Envelope(
        str(uuid.uuid4()),
        f"/regencies/{regency}/ledger/sites/by-hand",
        "entry.added",
        str(sequence),
        datetime.now(UTC),
        regency,
        sequence,
        {"account": account, "amount": 1},
    )
