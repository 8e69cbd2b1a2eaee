"""The handbook's table of sizes follows from the figures that were measured."""

import json
import random
from collections import Counter

import pytest

from deploy import sizing
from deploy.simulation.hours import USUAL_HOURS, arrival

pytestmark = pytest.mark.unit


def scenario(regencies: int, cost: float, rest: float, memory: float) -> dict:
    each = len(sizing.PROCESSES)
    return {
        "regencies": regencies,
        "steady": {"cost_ms": dict.fromkeys((*sizing.PROCESSES, "load"), cost / each)},
        "idle_ms_per_second": dict.fromkeys(sizing.PROCESSES, rest / each),
        "memory_mb": {process: {"resident": 9999.0, "proportional": memory / each} for process in sizing.PROCESSES},
    }


def test_load_times_cost_with_room():
    """514 x 450 x 1/4 / 3600 = 16.06 journeys/s; at 40 ms and 100 ms/s at rest 0.74 cores, three times that is 3."""
    needed = sizing.needs(scenario(514, cost=40.0, rest=100.0, memory=3900.0))
    assert needed["journeys/s"] == pytest.approx(16.0625)
    assert needed["busy"] == pytest.approx(0.7425)
    assert (needed["cores"], needed["memory"]) == (3, 6)


def test_nothing_runs_on_less_than_two_cores_and_four_gigabytes():
    needed = sizing.needs(scenario(5, cost=40.0, rest=50.0, memory=800.0))
    assert (needed["cores"], needed["memory"]) == (2, 4)


def test_a_quarter_of_a_simulated_day_comes_in_its_busiest_hour():
    rng = random.Random(1)
    minutes = Counter(int(arrival(USUAL_HOURS, rng)) for _ in range(100_000))
    busiest = max(sum(minutes[start + minute] for minute in range(60)) for start in range(400, 900))
    assert busiest / 100_000 == pytest.approx(sizing.SHARE_OF_BUSIEST_HOUR, abs=0.01)


def test_the_page_shows_what_follows_from_the_published_figures():
    figures = json.loads(sizing.FIGURES.read_text())
    page = sizing.PAGE.read_text()
    assert sizing.with_table(page, sizing.table(figures)) == page, "write it again: python -m deploy.sizing"
