"""What a journey costs, how many there can be, and how that changes with regencies and with past tickets.

`make bench ARGS="..."`, or `python -m tests.bench.throughput`: each scenario brings its own PostgreSQL (with fsync), RabbitMQ and
platform as processes, measures, and stops by itself.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import reference
from tests.bench.installation import Installation
from tests.bench.measuring import Effort, Scenario
from tests.bench.results import summary


@dataclass(frozen=True)
class Kind:
    """An installation to be measured."""

    regencies: int
    past_tickets: int = 0


SCENARIOS = {
    "base": Kind(5),
    "one": Kind(1),
    "fifty": Kind(50),
    "all": Kind(514),
    "past": Kind(5, 1_000_000),
}
PARTS = ("ticketing", "notification", "reporting", "gateway")


def say(line: str) -> None:
    """Show progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def run(name: str, folder: Path, effort: Effort, replicas: dict[str, int], *, keep: bool, prepare_only: bool) -> dict[str, Any] | None:
    """Prepare and measure one scenario; None when it was only prepared."""
    kind = SCENARIOS[name]
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    installation = Installation(folder, keep=keep)
    say(f"{name}: {kind.regencies} regencies, {kind.past_tickets:,} past tickets")
    with installation.servers() as servers:
        reference.prepare(servers.postgres)
        before = None if prepare_only else reference.measure(servers.postgres, servers.rabbitmq, effort.reference)
        if before:
            say(f"pgbench {before.pgbench_per_second:.0f} transactions/s, RabbitMQ {before.messages_per_second:.0f} messages/s")
        with installation.platform(servers, kind.regencies, replicas, say) as platform:
            if before is None:
                return None
            figures = Scenario(platform, servers, installation, effort, say).measure()
        after = reference.measure(servers.postgres, servers.rabbitmq, effort.reference)
        say(f"pgbench {after.pgbench_per_second:.0f} transactions/s, RabbitMQ {after.messages_per_second:.0f} messages/s")
    return {
        "regencies": kind.regencies,
        "past_tickets": installation.kept.past_tickets,
        "replicas": replicas,
        "effort": asdict(effort),
        "measured_at": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
        "prepared_in_seconds": installation.kept.seconds_of,
        "reference": {"before": asdict(before), "after": asdict(after)},
        **figures,
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(SCENARIOS), help=f"scenarios, separated by commas: {', '.join(SCENARIOS)}")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the two measurements with journeys")
    parser.add_argument("--counters", type=int, default=15, help="at work side by side")
    parser.add_argument("--rate", type=float, default=20.0, help="journeys per second of the steady measurement")
    for part in PARTS:
        parser.add_argument(f"--{part}", type=int, default=1, help=f"replicas of {part}")
    parser.add_argument("--data", type=Path, help="keep the installations in this folder, and use those that are there")
    parser.add_argument("--prepare-only", action="store_true", help="with --data: make the installations and measure nothing")
    parser.add_argument("--merge", type=Path, help="JSON file whose figures of these scenarios are replaced")
    options = parser.parse_args()
    effort = Effort(seconds=options.seconds, counters=options.counters, rate=options.rate)
    replicas = {part: getattr(options, part) for part in PARTS}
    root = options.data or Path(tempfile.mkdtemp(prefix="mpp-bench-"))
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    root.chmod(0o711)
    results = json.loads(options.merge.read_text()) if options.merge and options.merge.exists() else {"scenarios": {}}
    try:
        for name in options.only.split(","):
            measured = run(name, root / name, effort, replicas, keep=bool(options.data), prepare_only=options.prepare_only)
            if measured is not None:
                results["scenarios"][name] = measured
                if options.merge:
                    options.merge.write_text(json.dumps(results, indent=1) + "\n")
            if not options.data:
                shutil.rmtree(root / name)
    finally:
        if not options.data:
            shutil.rmtree(root)
    if results["scenarios"]:
        sys.stdout.write(summary(results))


if __name__ == "__main__":
    main()
