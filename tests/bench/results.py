"""Figures of scenarios as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Scenario = Mapping[str, Any]
PROCESSES = ("catalog", "ticketing", "notification", "reporting", "gateway", "rabbitmq", "postgres")
DATABASES = ("ticketing", "notification", "reporting")
COMMANDS = ("issue", "call-next", "start", "complete")
TITLES = {"base": "5 regencies", "one": "1 regency", "fifty": "50 regencies", "all": "514 regencies", "past": "5, 1M past tickets"}
"""Scenarios as charts call them."""
TABLE_BEGINS, TABLE_ENDS = "<!-- table: written by make bench -->", "<!-- end of table -->"
PARTS = {"closed": "closed loop", "steady": "steady"}


def transactions_per_second(scenario: Scenario) -> float:
    """pgbench's figure of the same run: the mean of before and after."""
    found = scenario["reference"]
    return float(found["before"]["pgbench_per_second"] + found["after"]["pgbench_per_second"]) / 2


def journeys_per_transaction(scenario: Scenario) -> float:
    """Journeys per second in a closed loop by pgbench's transactions per second."""
    return float(scenario["closed"]["journeys_per_second"]) / transactions_per_second(scenario)


def cost_ratio(scenario: Scenario, base: Scenario, part: str) -> float:
    """Processor time of a journey compared with another scenario's."""
    return float(scenario[part]["cost_ms"]["platform"]) / float(base[part]["cost_ms"]["platform"])


def table(scenario: Scenario, base: Scenario | None) -> list[tuple[str, str]]:
    """All figures of a scenario, each with what it is."""
    rows = [
        ("regencies", f"{scenario['regencies']}"),
        ("past tickets", f"{scenario['past_tickets']:,}"),
        ("pgbench transactions/s, before / after", _before_after(scenario, "pgbench_per_second")),
        ("RabbitMQ messages/s, before / after", _before_after(scenario, "messages_per_second")),
        ("journeys/s, closed loop", f"{scenario['closed']['journeys_per_second']:.1f}"),
        ("journeys per pgbench transaction", f"{journeys_per_transaction(scenario):.4f}"),
    ]
    for part in PARTS:
        rows += _of_part(scenario, base, part)
    reads = scenario["board_reads"]
    rows += [
        ("board reads/s, whole / 304", " / ".join(f"{reads[name]['reads_per_second']:,.0f}" for name in ("plain", "not_modified"))),
        ("gateway ms per board read, whole / 304", " / ".join(f"{reads[name]['gateway_ms']:.2f}" for name in ("plain", "not_modified"))),
        ("boards watched", f"{scenario['boards_watched']}"),
        ("processor ms per second, idle", f"{sum(scenario['idle_ms_per_second'][process] for process in PROCESSES):.0f}"),
    ]
    rows += [(f"memory of {process}, RSS / PSS MB", _memory(scenario["memory_mb"][process])) for process in PROCESSES]
    return rows


def _of_part(scenario: Scenario, base: Scenario | None, part: str) -> list[tuple[str, str]]:
    figures, name = scenario[part], PARTS[part]
    cost, databases = figures["cost_ms"], figures["postgres_ms_by_database"]
    rows = [(f"processor ms per journey, {name}", f"{cost['platform']:.1f}")]
    rows += [(f"- {process}", f"{cost[process]:.2f}") for process in PROCESSES]
    rows += [(f"  - for {database}", f"{databases.get(database, 0.0):.2f}") for database in DATABASES]
    if base is not None:
        rows.append((f"cost compared with base, {name}", f"{cost_ratio(scenario, base, part):.2f}"))
    rows += [
        (f"load and audience besides, ms per journey, {name}", f"{cost['load'] + cost['audience']:.1f}"),
        (f"other work on the machine, {name}", f"{figures['other_work'] * 100:.0f} %"),
    ]
    rows += [(f"{command}, {name}, p50 / p99 ms", _pair(figures["latency_ms"][command])) for command in COMMANDS]
    rows += [
        (f"call-next answered to board, {name}, p50 / p99 ms", _pair(figures["call_on_board_after_answer_ms"])),
        (f"event to reporting, {name}, p50 / p99 ms", _pair(figures["event_lag_ms"]["reporting.ticketing"])),
        (f"until all was handled, {name}, s", f"{figures['drain_seconds']:.1f}"),
        (f"begun over 1 s late, refused, {name}", f"{figures['late']}, {figures['refused']}"),
    ]
    return rows


def summary(results: Mapping[str, Any]) -> str:
    """A table in Markdown, which a terminal shows as well."""
    scenarios = results["scenarios"]
    columns = [table(scenario, scenarios.get("base")) for scenario in scenarios.values()]
    # The rows of all, in the order of the longest: a scenario measured without base lacks the comparison.
    titles = [title for title, _ in max(columns, key=len)]
    lines = [["", *scenarios], *([titles[row], *(column[row][1] for column in columns)] for row in range(len(titles)))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([_line(lines[0], widths), rule, *(_line(line, widths) for line in lines[1:])]) + "\n"


def with_table(page: str, text: str) -> str:
    """A page with its table replaced."""
    before, _, rest = page.partition(TABLE_BEGINS)
    _, end, after = rest.partition(TABLE_ENDS)
    if not end:
        raise ValueError(f"the page has no place for the table: {TABLE_BEGINS} ... {TABLE_ENDS}")
    return f"{before}{TABLE_BEGINS}\n\n{text}\n{TABLE_ENDS}{after}"


def _line(cells: list[str], widths: list[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def _before_after(scenario: Scenario, name: str) -> str:
    return " / ".join(f"{scenario['reference'][when][name]:,.0f}" for when in ("before", "after"))


def _pair(shares: Mapping[str, float | None]) -> str:
    return " / ".join("-" if shares[name] is None else f"{shares[name]:.0f}" for name in ("p50", "p99"))


def _memory(found: Mapping[str, float | None]) -> str:
    return " / ".join("-" if found[name] is None else f"{found[name]:.0f}" for name in ("resident", "proportional"))
