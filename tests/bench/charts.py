"""Charts of the figures, as SVG files that stand beside their table."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pygal
from pygal.style import Style

from tests.bench.results import COMMANDS, PARTS, PROCESSES, TITLES, Scenario, journeys_per_transaction

# pygal puts a finder for its map plugins on the import path, of a kind that Python has given up: every later import that finds
# nothing would warn.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

AIM_JOURNEYS_PER_TRANSACTION = 0.022
_STYLE = Style(
    background="white",
    plot_background="white",
    font_family="sans-serif",
    guide_stroke_color="#dddddd",
    major_guide_stroke_color="#dddddd",
    colors=("#7f8c8d", "#1f77b4", "#9467bd", "#2ca02c", "#ff7f0e", "#e377c2", "#8c564b"),
    label_font_size=12,
    major_label_font_size=12,
    legend_font_size=12,
    title_font_size=16,
    value_font_size=10,
)
_SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)


def write(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw all charts into a folder; return the files."""
    scenarios: Mapping[str, Scenario] = results["scenarios"]
    charts = {
        "throughput-rate": _rate(scenarios),
        "throughput-cost": _cost(scenarios),
        "throughput-latency": _latency(scenarios),
        "throughput-memory": _memory(scenarios),
    }
    files = []
    for name, chart in charts.items():
        file = folder / f"{name}.svg"
        file.write_text(svg_of(chart))
        files.append(file)
    return files


def svg_of(chart: Any) -> str:
    """Return a chart without the scripts that make it interactive: where such pages are shown, no script runs."""
    return _SCRIPT.sub("", chart.render(is_unicode=True)) + "\n"


def chart_of(kind: type[Any], title: str, labels: Iterable[str], unit: str, **options: Any) -> Any:
    """Return an empty chart in the style of all pages."""
    chart = kind(
        style=_STYLE,
        js=(),
        no_prefix=True,
        width=900,
        height=420,
        legend_at_bottom=True,
        legend_at_bottom_columns=7,
        truncate_label=-1,
        truncate_legend=-1,
        print_zeroes=False,
        y_title=unit,
        **options,
    )
    chart.title = title
    chart.x_labels = list(labels)
    return chart


def _titles(scenarios: Mapping[str, Scenario]) -> list[str]:
    return [TITLES.get(name, name) for name in scenarios]


def _rate(scenarios: Mapping[str, Scenario]) -> Any:
    """Per thousand transactions, so that machines compare."""
    title = "Journeys per 1,000 pgbench transactions of the same run"
    chart = chart_of(pygal.Bar, title, _titles(scenarios), "journeys", formatter=_one_decimal, print_values=True)
    chart.add("measured", [round(journeys_per_transaction(each) * 1000, 2) for each in scenarios.values()])
    chart.add("aim", [AIM_JOURNEYS_PER_TRANSACTION * 1000] * len(scenarios))
    return chart


def _cost(scenarios: Mapping[str, Scenario]) -> Any:
    chart = chart_of(
        pygal.StackedBar,
        "Processor time of a journey at a steady rate",
        _titles(scenarios),
        "ms",
        formatter=_one_decimal,
        print_values=True,
    )
    for process in PROCESSES:
        chart.add(process, [each["steady"]["cost_ms"][process] for each in scenarios.values()])
    return chart


def _latency(scenarios: Mapping[str, Scenario]) -> Any:
    labels = [f"{command}, {share}" for command in COMMANDS for share in ("p50", "p99")] + ["to board, p50", "to board, p99"]
    chart = chart_of(pygal.Bar, f"Answers at a {PARTS['steady']} rate", labels, "ms", x_label_rotation=20, formatter=_whole)
    for name, each in scenarios.items():
        figures = each["steady"]
        delays = [figures["latency_ms"][command][share] for command in COMMANDS for share in ("p50", "p99")]
        board = figures["call_on_board_after_answer_ms"]
        chart.add(TITLES.get(name, name), [*delays, board["p50"], board["p99"]])
    return chart


def _memory(scenarios: Mapping[str, Scenario]) -> Any:
    chart = chart_of(
        pygal.StackedBar, "Memory after the load (shared pages divided)", _titles(scenarios), "MB", formatter=_whole, print_values=True
    )
    for process in PROCESSES:
        chart.add(process, [each["memory_mb"][process]["proportional"] for each in scenarios.values()])
    return chart


def _one_decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
