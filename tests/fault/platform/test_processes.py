"""A process of the platform killed or frozen in the middle of 200 journeys: nothing is done twice, late or lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.fault.platform.drill import JOURNEYS, Drills, felt
from tests.platform.checker import DEADLINE_SECONDS
from tests.platform.client import Ledger
from tests.processes import ServiceProcess, eventually

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

FROZEN_COMMANDS = 120
"""A process stays frozen until so many commands have been answered without it."""

Figures = Callable[[str], None]


@pytest.mark.parametrize(
    "part",
    ["ticketing", "notification", "reporting", pytest.param("catalog", marks=pytest.mark.thorough)],
)
def test_service_killed(drills: Drills, figures: Figures, part: str):
    process = drills.process(part)

    def fault(ledger: Ledger) -> None:
        process.kill()
        process.start(wait=False)

    figures(drills.run(fault, JOURNEYS if part == "ticketing" else 0))


def test_gateway_killed(drills: Drills, figures: Figures):
    gateway = drills.platform.gateways[0]

    def fault(ledger: Ledger) -> None:
        with felt(ledger, times=4):
            gateway.kill()
        gateway.start(wait=False)

    figures(drills.run(fault))


@pytest.mark.thorough
@pytest.mark.parametrize("part", ["catalog", "ticketing", "notification", "reporting"])
def test_service_frozen(drills: Drills, figures: Figures, part: str):
    """The other replica takes over what the broker gives it; what the frozen one held is done later, once, or not at all."""
    process = drills.process(part)

    def fault(ledger: Ledger) -> None:
        settled = ledger.settled
        process.freeze()
        try:
            eventually(lambda: ledger.settled >= settled + FROZEN_COMMANDS, within=60.0)
        finally:
            process.thaw()

    figures(drills.run(fault))


@pytest.mark.thorough
def test_gateway_frozen(drills: Drills, figures: Figures):
    """Its clients hang with it, so it thaws before their patience ends; those of the other gateway notice nothing."""
    gateway = drills.platform.gateways[0]

    def fault(ledger: Ledger) -> None:
        thaw_at, settled = time.monotonic() + DEADLINE_SECONDS * 0.6, ledger.settled
        gateway.freeze()
        try:
            eventually(lambda: ledger.settled >= settled + FROZEN_COMMANDS or time.monotonic() > thaw_at)
        finally:
            gateway.thaw()

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
