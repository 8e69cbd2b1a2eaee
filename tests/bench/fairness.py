"""Waits by lane under different policies, over simulated days: ``python -m tests.bench.fairness [--publish]``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, quantiles

from services.ticketing.domain import QueuePolicy
from tests.bench.virtual_hall import Seen, play

DAYS = 20
PER_DESK = 26
"""Citizens for each counter on a busy day: more than the morning can serve, hardly more than the day."""

PRIORITY_SHARES = (0.15, 0.4)
POLICIES: Mapping[str, QueuePolicy] = {
    "strict priority": QueuePolicy(),
    "strict, nobody overtaken after 60 min": QueuePolicy(ageing_cap_minutes=60),
    "3 regular per priority": QueuePolicy(regular_per_priority=3),
    "1 regular per priority": QueuePolicy(regular_per_priority=1),
    "1 regular per priority, cap 60 min": QueuePolicy(regular_per_priority=1, ageing_cap_minutes=60),
}
PAGE = Path(__file__).parents[2] / "deploy" / "benchmarks" / "fairness.md"
BEGIN, END = "<!-- table: written by python -m tests.bench.fairness --publish -->\n\n", "\n<!-- end of table -->"


@dataclass(frozen=True)
class Waits:
    """Minutes from the number to the call, of one lane over all days."""

    mean: float
    p90: float
    longest: float

    @classmethod
    def of(cls, seen: Sequence[Seen]) -> Waits:
        """Sum up the waits of some citizens."""
        waited = [each.waited for each in seen]
        return cls(fmean(waited), quantiles(waited, n=10)[-1], max(waited))


@dataclass(frozen=True)
class Outcome:
    """What a policy did to the lanes."""

    regular: Waits
    priority: Waits
    overtaken_after_cap: int


def outcome(policy: QueuePolicy, priority_share: float, days: int = DAYS) -> Outcome:
    """Play days under a policy; everybody who came was called, or this raises."""
    seen = [each for day in range(days) for each in play(day, policy, per_desk=PER_DESK, priority_share=priority_share)]
    lanes = {lane: Waits.of([each for each in seen if each.ticket.lane == lane]) for lane in ("regular", "priority")}
    return Outcome(lanes["regular"], lanes["priority"], sum(each.overtaken_after_cap for each in seen))


def table() -> str:
    """Return the comparison as Markdown."""
    lines = [
        "| priority | policy | regular: mean / p90 / longest | priority: mean / p90 / longest | overtaken after the cap |",
        "| --- | --- | --- | --- | --- |",
    ]
    for share in PRIORITY_SHARES:
        for name, policy in POLICIES.items():
            result = outcome(policy, share)
            waits = [f"{lane.mean:.0f} / {lane.p90:.0f} / {lane.longest:.0f}" for lane in (result.regular, result.priority)]
            overtaken = "no cap" if policy.ageing_cap_minutes is None else str(result.overtaken_after_cap)
            lines.append(f"| {share:.0%} | {name} | {waits[0]} | {waits[1]} | {overtaken} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, or write it into its page."""
    made = table()
    if "--publish" not in sys.argv:
        print(made, end="")  # noqa: T201 - its purpose
        return
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + BEGIN + made + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
