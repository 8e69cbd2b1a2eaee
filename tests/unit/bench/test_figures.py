"""How the bench's figures are calculated and shown."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.bench import charts, results
from tests.bench.telling import Metrics, at_share, quantile
from tests.bench.throughput import SCENARIOS, parse

pytestmark = pytest.mark.unit

AGE = "mpp_event_age_seconds"


def shares(p50: float, p99: float) -> dict[str, float]:
    return {"p50": p50, "p99": p99}


def scenario(journeys_per_second: float = 30.0, cost: float = 40.0, tps: tuple[float, float] = (1000.0, 2000.0)) -> dict[str, Any]:
    part = {
        "journeys_per_second": journeys_per_second,
        "cost_ms": {**dict.fromkeys(results.PROCESSES, 5.0), "platform": cost, "load": 0.5, "audience": 0.7},
        "postgres_ms_by_database": {"ticketing": 3.0},
        "latency_ms": dict.fromkeys(results.COMMANDS, shares(10, 20)),
        "call_on_board_after_answer_ms": shares(5, 9),
        "event_lag_ms": {"reporting.ticketing": shares(11, 12)},
        "drain_seconds": 0.2,
        "other_work": 0.01,
        "late": 0,
        "refused": 0,
    }
    before, after = ({"pgbench_per_second": each, "messages_per_second": 9.0} for each in tps)
    return {
        "regencies": 5,
        "past_tickets": 1_000_000,
        "reference": {"before": before, "after": after},
        "closed": part,
        "steady": deepcopy(part),
        "board_reads": {name: {"reads_per_second": 3000.0, "gateway_ms": 0.3} for name in ("plain", "not_modified")},
        "boards_watched": 5,
        "idle_ms_per_second": dict.fromkeys(results.PROCESSES, 10.0),
        "memory_mb": {name: {"resident": 100.0, "proportional": None} for name in results.PROCESSES},
    }


def test_throughput_is_compared_with_the_mean_of_the_references() -> None:
    assert results.journeys_per_transaction(scenario(30.0, tps=(1000.0, 2000.0))) == pytest.approx(0.02)


def test_costs_are_compared_with_the_base() -> None:
    found = {"scenarios": {"base": scenario(cost=40.0), "all": scenario(cost=50.0)}}
    lines = results.summary(found).splitlines()
    compared = next(line for line in lines if line.startswith("| cost compared with base, steady"))
    assert [cell.strip() for cell in compared.split("|")[2:4]] == ["1.00", "1.25"]
    assert len({line.count("|") for line in lines}) == 1


def test_without_a_base_nothing_is_compared() -> None:
    text = results.summary({"scenarios": {"all": scenario()}})
    assert "compared" not in text
    assert "1,000,000" in text


def test_a_page_keeps_all_but_its_table() -> None:
    page = f"# Title\n\n{results.TABLE_BEGINS}\nold\n{results.TABLE_ENDS}\n\n## Rest\n"
    once = results.with_table(page, "| new |\n")
    assert once == f"# Title\n\n{results.TABLE_BEGINS}\n\n| new |\n\n{results.TABLE_ENDS}\n\n## Rest\n"
    assert results.with_table(once, "| new |\n") == once
    with pytest.raises(ValueError, match="no place"):
        results.with_table("# Title\n", "| new |\n")


def test_charts_show_every_scenario_and_hold_no_script(tmp_path: Path) -> None:
    files = charts.write({"scenarios": {"base": scenario(), "all": scenario()}}, tmp_path)
    assert len(files) == 4
    for file in files:
        text = file.read_text()
        assert "514 regencies" in text
        assert "<script" not in text
        assert "href=" not in text


def test_the_quantile_of_a_histogram_is_taken_between_two_readings() -> None:
    before = {0.1: 100.0, 0.2: 100.0, float("inf"): 100.0}
    after = {0.1: 150.0, 0.2: 190.0, float("inf"): 200.0}
    assert quantile(0.25, before, after) == pytest.approx(0.05)
    assert quantile(0.7, before, after) == pytest.approx(0.15)
    assert quantile(0.99, before, after) == 0.2
    assert quantile(0.5, after, after) is None


def test_metrics_are_summed_over_processes_by_the_labels_asked_for() -> None:
    samples = [
        ("handled", {"consumer": "a", "type": "x"}, 1.0),
        ("handled", {"consumer": "a", "type": "y"}, 2.0),
        ("handled", {"consumer": "a", "type": "x"}, 4.0),
        ("handled", {"consumer": "b", "type": "x"}, 8.0),
        (f"{AGE}_bucket", {"consumer": "a", "le": "0.5"}, 3.0),
        (f"{AGE}_bucket", {"consumer": "a", "le": "+Inf"}, 4.0),
        (f"{AGE}_bucket", {"consumer": "a", "le": "0.5"}, 5.0),
    ]
    told = Metrics(samples)
    assert told.total("handled", consumer="a") == 7.0
    assert told.total("handled", type="x") == 13.0
    assert told.buckets(AGE, consumer="a") == {0.5: 8.0, float("inf"): 4.0}


def test_shares_of_delays() -> None:
    ordered = [float(each) for each in range(1, 101)]
    assert (at_share(ordered, 0.5), at_share(ordered, 0.99), at_share([7.0], 0.99)) == (51.0, 100.0, 7.0)


def test_all_scenarios_are_published_and_single_ones_are_not() -> None:
    assert (parse([]).names, parse([]).merge.name) == (list(SCENARIOS), "throughput.json")
    assert (parse(["--only", "base,all"]).names, parse(["--only", "base"]).merge) == (["base", "all"], None)


@pytest.mark.parametrize("arguments", [["--only", "bse"], ["--prepare-only"]])
def test_options_that_make_no_sense_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert "make bench: error" in capsys.readouterr().err
