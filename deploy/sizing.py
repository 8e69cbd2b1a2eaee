"""What so many regencies need, calculated from what was measured: ``python -m deploy.sizing`` writes the handbook's table.

Assumed of a regency: one site with the numbers of a busy day, a quarter of them in the busiest hour (deploy/operations/sizes.md says
where that comes from). Measured: processor time of a journey, of a platform at rest, and memory, for the scenario of `make bench`
with that many regencies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[1]
FIGURES = HOUSE / "deploy" / "benchmarks" / "throughput.json"
PAGE = HOUSE / "deploy" / "operations" / "sizes.md"
BEGINS, ENDS = "<!-- table: written by python -m deploy.sizing -->", "<!-- end of table -->"

SCENARIOS = ("base", "fifty", "all")
PROCESSES = ("catalog", "ticketing", "notification", "reporting", "gateway", "rabbitmq", "postgres")
NUMBERS_A_DAY = 450
SHARE_OF_BUSIEST_HOUR = 0.25
PROCESSOR_ROOM = 3
"""Times the average of the busiest hour: its busiest minutes, a replica that is away, a slower machine than the measured one."""

MEMORY_ROOM = 1.5
"""Times what was measured: caches of PostgreSQL and of the operating system."""


def journeys_per_second(regencies: int) -> float:
    """Journeys per second in the busiest hour of all of them together."""
    return regencies * NUMBERS_A_DAY * SHARE_OF_BUSIEST_HOUR / 3600


def needs(scenario: Mapping[str, Any]) -> dict[str, float]:
    """What the regencies of a scenario need: journeys/s, processor cores on average, cores and gigabytes to have."""
    rate = journeys_per_second(scenario["regencies"])
    journey = sum(scenario["steady"]["cost_ms"][process] for process in PROCESSES)
    rest = sum(scenario["idle_ms_per_second"][process] for process in PROCESSES)
    busy = (rate * journey + rest) / 1000
    memory = sum(_memory(scenario["memory_mb"][process]) for process in PROCESSES) / 1000
    return {
        "regencies": scenario["regencies"],
        "numbers a day": scenario["regencies"] * NUMBERS_A_DAY,
        "journeys/s": rate,
        "ms per journey": journey,
        "busy": busy,
        "cores": max(2, math.ceil(busy * PROCESSOR_ROOM)),
        "measured": memory,
        "memory": max(4, math.ceil(memory * MEMORY_ROOM)),
    }


def table(results: Mapping[str, Any]) -> str:
    """The handbook's table."""
    found = [needs(results["scenarios"][name]) for name in SCENARIOS]
    rows = [
        ("regencies, one site each", [f"{each['regencies']:.0f}" for each in found]),
        ("numbers a day", [f"{each['numbers a day']:,.0f}" for each in found]),
        ("journeys/s in the busiest hour", [f"{each['journeys/s']:.2f}" for each in found]),
        ("processor ms per journey, measured", [f"{each['ms per journey']:.0f}" for each in found]),
        ("cores at work in that hour, on average", [f"{each['busy']:.2f}" for each in found]),
        ("memory of all processes, measured", [f"{each['measured']:.1f} GB" for each in found]),
        ("**have at least**", [f"**{each['cores']:.0f} cores, {each['memory']:.0f} GB**" for each in found]),
    ]
    head = [("", [""] * len(found)), ("---", ["---"] * len(found))]
    return "\n".join(f"| {title} | {' | '.join(cells)} |" for title, cells in (*head, *rows))


def with_table(page: str, text: str) -> str:
    """The page with its table replaced."""
    before, _, rest = page.partition(BEGINS)
    _, end, after = rest.partition(ENDS)
    if not end:
        raise ValueError(f"the page has no place for the table: {BEGINS} ... {ENDS}")
    return f"{before}{BEGINS}\n\n{text}\n\n{ENDS}{after}"


def _memory(found: Mapping[str, float | None]) -> float:
    """What a process has for itself and its share of what it shares; else all that it can see."""
    value = found["proportional"] if found["proportional"] is not None else found["resident"]
    return float(value or 0.0)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(), table(json.loads(FIGURES.read_text()))))
