"""PostgreSQL killed, frozen or restarted in the middle of 200 journeys: what was answered is committed, once and in time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fault.platform.drill import JOURNEYS, Drills, felt, frozen
from tests.platform.client import Ledger

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]


def test_postgresql_killed(drills: Drills, figures: Figures):
    postgres = drills.platform.postgres

    def fault(ledger: Ledger) -> None:
        with felt(ledger):
            postgres.kill()
        postgres.start()

    figures(drills.run(fault, JOURNEYS))


@pytest.mark.thorough
def test_postgresql_restarted(drills: Drills, figures: Figures):
    """As by an operator who changes a setting."""
    postgres = drills.platform.postgres

    def fault(ledger: Ledger) -> None:
        with felt(ledger):
            postgres.stop()
        postgres.start()

    figures(drills.run(fault))


@pytest.mark.thorough
def test_postgresql_frozen(drills: Drills, figures: Figures):
    """Statements hang until commands have met their deadlines; none of them is committed late."""

    def fault(ledger: Ledger) -> None:
        with frozen(drills.platform.postgres.pid), felt(ledger):
            pass

    figures(drills.run(fault))
