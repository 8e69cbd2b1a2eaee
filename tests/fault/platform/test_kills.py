"""kill -9 in the middle of 200 journeys: nothing is done twice, late or lost, and everything recovers by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.fault.platform.drill import Drills
from tests.platform.checker import DEADLINE_SECONDS
from tests.platform.client import Ledger
from tests.processes import ServiceProcess, eventually

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

FELT = 16
"""An outage lasts until clients have met it so often."""

Figures = Callable[[str], None]


def felt(ledger: Ledger, times: int = FELT) -> None:
    """Wait until the clients have met the outage."""
    since = ledger.refused
    eventually(lambda: ledger.refused >= since + times, within=30.0)


def test_rabbitmq_killed(drills: Drills, figures: Figures):
    rabbitmq = drills.platform.rabbitmq

    def fault(ledger: Ledger) -> None:
        rabbitmq.kill()
        felt(ledger)
        rabbitmq.start()

    figures(drills.run(fault))


def test_ticketing_replica_killed(drills: Drills, figures: Figures):
    replica = drills.platform.ticketing[0]

    def fault(ledger: Ledger) -> None:
        replica.kill()
        replica.start(wait=False)

    figures(drills.run(fault))


def test_postgresql_killed(drills: Drills, figures: Figures):
    postgres = drills.platform.postgres

    def fault(ledger: Ledger) -> None:
        postgres.kill()
        felt(ledger)
        postgres.start()

    figures(drills.run(fault))


def test_gateway_killed(drills: Drills, figures: Figures):
    gateway = drills.platform.gateways[0]

    def fault(ledger: Ledger) -> None:
        gateway.kill()
        felt(ledger, times=4)
        gateway.start(wait=False)

    figures(drills.run(fault))


def test_ticketing_replica_frozen_in_a_transaction(drills: Drills, figures: Figures):
    """Alive for the kernel, with the queue's row locked: the others go on when the server ends its transaction."""
    replica = drills.platform.ticketing[1]

    def fault(ledger: Ledger) -> None:
        try:
            freeze_in_transaction(drills, replica)
            settled = ledger.settled
            eventually(lambda: ledger.settled > settled + len(drills.hall.counters), within=DEADLINE_SECONDS * 3)
        finally:
            replica.thaw()

    figures(drills.run(fault))


def freeze_in_transaction(drills: Drills, replica: ServiceProcess) -> None:
    """Stop a replica at a moment when it holds the lock of the day's row: at once, or thaw and try again."""
    ports = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND client_port = ANY(%s)"
    with psycopg.connect(drills.platform.postgres.url("ticketing"), autocommit=True) as connection:

        def caught() -> bool:
            replica.freeze()
            found = connection.execute(ports, (local_ports(replica.pid),)).fetchone()
            if found and found[0]:
                return True
            replica.thaw()
            return False

        eventually(caught, within=20.0, every=0.003)


def local_ports(pid: int) -> list[int]:
    """Local TCP ports of a process's connections, from /proc."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes]
