"""RabbitMQ killed, frozen, restarted, wiped or cut off in the middle of 200 journeys: no fact is lost, none counted twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fault.platform.drill import JOURNEYS, Drills, felt, frozen
from tests.platform.client import Ledger

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]


def test_rabbitmq_killed(drills: Drills, figures: Figures):
    rabbitmq = drills.platform.rabbitmq

    def fault(ledger: Ledger) -> None:
        with felt(ledger):
            rabbitmq.kill()
        rabbitmq.start()

    figures(drills.run(fault, JOURNEYS))


@pytest.mark.thorough
def test_rabbitmq_restarted(drills: Drills, figures: Figures):
    """As by an operator who upgrades it."""
    rabbitmq = drills.platform.rabbitmq

    def fault(ledger: Ledger) -> None:
        with felt(ledger):
            rabbitmq.stop()
        rabbitmq.start()

    figures(drills.run(fault))


@pytest.mark.thorough
def test_rabbitmq_frozen(drills: Drills, figures: Figures):
    """Connections stay open and nobody answers, until commands have met their deadlines."""

    def fault(ledger: Ledger) -> None:
        with frozen(drills.platform.rabbitmq.pid), felt(ledger):
            pass

    figures(drills.run(fault))


def test_rabbitmq_loses_its_disk(drills: Drills, figures: Figures):
    """Queues, users and messages are gone; every fact comes from its owner's log."""

    def fault(ledger: Ledger) -> None:
        drills.wipe_broker()

    figures(drills.run(fault))


def test_the_network_to_the_broker_is_cut(drills: Drills, figures: Figures):
    """Packets vanish and nobody is told; what was on the way when the line is mended is gone."""

    def fault(ledger: Ledger) -> None:
        try:
            with felt(ledger):
                drills.line.cut()
        finally:
            drills.line.mend()

    figures(drills.run(fault))
