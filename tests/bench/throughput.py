"""What a journey costs, how many there can be, and how that changes with regencies and with past tickets.

`make bench ARGS="..."`, or `python -m tests.bench.throughput`: each scenario brings its own PostgreSQL (with fsync), RabbitMQ and
platform as processes, measures, and stops by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.bench import charts, reference
from tests.bench.installation import Installation, Kind
from tests.bench.measuring import Effort, Scenario
from tests.bench.results import summary, with_table
from tests.processes import CHECKOUT

SCENARIOS = {
    "one": Kind(1),
    "base": Kind(5),
    "fifty": Kind(50),
    "all": Kind(514),
    "past": Kind(5, 1_000_000),
}
PUBLISHED = Path("deploy/benchmarks/throughput.json")
WARM_UP_PER_REGENCY = 0.4
"""Seconds: each regency is served more than once before it counts. The first time, every backend learns its tables."""
MANY_REGENCIES, ROUND_SECONDS = 500, 60.0
"""Where there are many, rest is measured for as long as a round through all of them takes."""
PARTS = ("ticketing", "notification", "reporting", "gateway")


def machine() -> dict[str, Any]:
    """On what it was measured."""
    model = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processors": os.cpu_count(),
        "model": model[0] if model else os.uname().machine,
        "memory_gib": round(memory, 1),
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
    }


def revision() -> str | None:
    """Which code is measured; ends with -dirty when files have been changed since. None outside a git checkout."""
    git = shutil.which("git")
    described = git and subprocess.run([git, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, cwd=CHECKOUT)
    return described.stdout.strip() or None if described else None


def say(line: str) -> None:
    """Show progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def run(name: str, folder: Path, effort: Effort, replicas: dict[str, int], *, keep: bool, prepare_only: bool) -> dict[str, Any] | None:
    """Prepare and measure one scenario; None when it was only prepared."""
    kind = SCENARIOS[name]
    effort = replace(effort, warm_up=max(effort.warm_up, WARM_UP_PER_REGENCY * kind.regencies))
    if kind.regencies >= MANY_REGENCIES:
        effort = replace(effort, idle=ROUND_SECONDS)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    installation = Installation(folder, keep=keep)
    say(f"{name}: {kind.regencies} regencies, {kind.past_tickets:,} past tickets")
    with installation.servers() as servers:
        installation.prepare(servers, kind, replicas, say)
        reference.prepare(servers.postgres)
        if prepare_only:
            return None
        before = reference.measure(servers.postgres, servers.rabbitmq, effort.reference)
        say(f"pgbench {before.pgbench_per_second:.0f} transactions/s, RabbitMQ {before.messages_per_second:.0f} messages/s")
        with installation.platform(servers, kind.regencies, replicas, say) as platform:
            figures = Scenario(platform, servers, installation, effort, say).measure()
        after = reference.measure(servers.postgres, servers.rabbitmq, effort.reference)
        say(f"pgbench {after.pgbench_per_second:.0f} transactions/s, RabbitMQ {after.messages_per_second:.0f} messages/s")
    return {
        "regencies": kind.regencies,
        "past_tickets": installation.kept.past_tickets,
        "replicas": replicas,
        "effort": asdict(effort),
        "revision": revision(),
        "measured_at": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
        "prepared_in_seconds": installation.kept.seconds_of,
        "reference": {"before": asdict(before), "after": asdict(after)},
        **figures,
    }


def publish(results: dict[str, Any], file: Path) -> None:
    """Write the figures into a JSON file, and beside it the charts and, into the page of that name, the table."""
    ordered = {name: results["scenarios"][name] for name in SCENARIOS if name in results["scenarios"]}
    results = {"machine": machine(), **results, "scenarios": ordered}
    file.write_text(json.dumps(results, indent=1) + "\n")
    charts.write(results, file.parent)
    page = file.with_suffix(".md")
    if page.exists():
        page.write_text(with_table(page.read_text(), summary(results)))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", help=f"scenarios, separated by commas: {', '.join(SCENARIOS)}; default: all, and the result is published")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the two measurements with journeys")
    parser.add_argument("--counters", type=int, default=15, help="at work side by side")
    parser.add_argument("--rate", type=float, default=20.0, help="journeys per second of the steady measurement")
    for part in PARTS:
        parser.add_argument(f"--{part}", type=int, default=1, help=f"replicas of {part}")
    parser.add_argument("--data", type=Path, help="keep the installations in this folder, and use those that are there")
    parser.add_argument("--prepare-only", action="store_true", help="with --data: make the installations and measure nothing")
    parser.add_argument("--merge", type=Path, metavar="JSON", help=f"publish: replace these scenarios' figures in this file ({PUBLISHED})")
    parser.add_argument("--render", action="store_true", help="measure nothing: table and charts of the published figures again")
    options = parser.parse_args(arguments)
    if options.merge is None and (options.only is None or options.render):
        options.merge = PUBLISHED
    options.names = list(SCENARIOS) if options.only is None else options.only.split(",")
    unknown = set(options.names) - SCENARIOS.keys()
    if unknown:
        parser.error(f"unknown scenarios: {', '.join(sorted(unknown))}")
    if options.prepare_only and not options.data:
        parser.error("--prepare-only needs --data")
    return options


def main() -> None:
    """Measure, and print a table."""
    options = parse()
    results = _published(options.merge)
    if options.render:
        publish(results, options.merge)
    else:
        _measure(options, results)
    if results["scenarios"]:
        sys.stdout.write(summary(results))


def _published(file: Path | None) -> dict[str, Any]:
    if file is None or not file.exists():
        return {"scenarios": {}}
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _measure(options: argparse.Namespace, results: dict[str, Any]) -> None:
    effort = Effort(seconds=options.seconds, counters=options.counters, rate=options.rate)
    replicas = {part: getattr(options, part) for part in PARTS}
    root = options.data or Path(tempfile.mkdtemp(prefix="mpp-bench-"))
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    root.chmod(0o711)
    try:
        for name in options.names:
            measured = run(name, root / name, effort, replicas, keep=bool(options.data), prepare_only=options.prepare_only)
            if measured is not None:
                results["scenarios"][name] = measured
                if options.merge:
                    # Read again: another run may have merged its own scenario meanwhile.
                    published = _published(options.merge)
                    published["scenarios"][name] = measured
                    publish(published, options.merge)
            if not options.data:
                shutil.rmtree(root / name)
    finally:
        if not options.data:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
