"""Metrics are named by the rules of Prometheus and of the house, and their labels name no ticket and no person."""

import ast
import math
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from services.chassis import metrics, metrics_page

pytestmark = pytest.mark.unit

HOUSE = Path(__file__).resolve().parents[3]
DECLARED = {name: value for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)}

LABELS = {"site", "lane"} | {
    "service",
    "method",
    "outcome",
    "type",
    "consumer",
    "route",
    "status",
    "reason",
    "server",
    "regency",
    "channel",
    "check",
    "told",
}
"""Each has few values. Another label needs a thought about how many values it can have, and a line here."""

REGENCIES = 514
PAGE_LINES = 20_000
"""What one process may show with all regencies; see decision 0020 for what it costs."""

WITH_REGENCY: dict[str, dict[str, dict[str, int]]] = {
    "ticketing": {
        "mpp_tickets_waiting": {"lane": 2},
        "mpp_tickets_longest_wait_seconds": {"lane": 2},
        "mpp_tickets_today": {"status": 8},
        "mpp_counters": {},
        "mpp_ticket_wait_seconds": {},
        "mpp_ticket_service_seconds": {},
        "mpp_regency_event_age_seconds": {"consumer": 1},
        "mpp_dead_letters_waiting": {"consumer": 1},
    },
    "notification": {
        "mpp_regency_event_age_seconds": {"consumer": 3},
        "mpp_dead_letters_waiting": {"consumer": 3},
        "mpp_regency_deliveries_total": {"channel": 2, "outcome": 6},
        "mpp_webhooks_paused": {},
    },
    "reporting": {
        "mpp_regency_event_age_seconds": {"consumer": 2},
        "mpp_dead_letters_waiting": {"consumer": 2},
        "mpp_ticket_estimate_error_seconds": {"told": 2},
    },
    "gateway": {"mpp_regency_requests_total": {"outcome": 3}},
}
"""Where an operator needs to know which regency, by part: 514 times as many series each, times the values of the other labels.

A regency has one site; the few that have two pay for two."""

DESIRED = {
    "readiness": "mpp_ready",
    "HTTP duration by route and outcome": "mpp_http_request_duration_seconds",
    "deliveries by channel and outcome": "mpp_deliveries_total",
    "oldest delivery that is due": "mpp_delivery_oldest_due_age_seconds",
    "time to send": "mpp_delivery_duration_seconds",
    "paused webhooks": "mpp_webhooks_paused",
    "RPC duration as called": "mpp_rpc_call_duration_seconds",
    "RPC duration as handled": "mpp_rpc_handled_duration_seconds",
    "events published": "mpp_events_published_total",
    "events handled": "mpp_events_handled_total",
    "age of events": "mpp_event_age_seconds",
    "oldest in the outbox": "mpp_outbox_oldest_age_seconds",
    "inbox failures": "mpp_inbox_failures_total",
    "dead letters": "mpp_dead_letters_total",
    "sequence gaps": "mpp_sequence_gaps_total",
    "tickets waiting": "mpp_tickets_waiting",
    "longest wait": "mpp_tickets_longest_wait_seconds",
    "tickets of the day by state": "mpp_tickets_today",
    "waits": "mpp_ticket_wait_seconds",
    "serving times": "mpp_ticket_service_seconds",
    "errors of estimates": "mpp_ticket_estimate_error_seconds",
    "failing requests by regency": "mpp_regency_requests_total",
    "failing requests by route": "mpp_http_failures_total",
    "dead letters that wait": "mpp_dead_letters_waiting",
    "connections to the database server": "mpp_database_connections",
    "pool use": "mpp_database_pool_in_use",
    "waiters for the pool": "mpp_database_pool_waiters",
    "oldest transaction": "mpp_database_oldest_transaction_age_seconds",
}


def published_name(metric: MetricWrapperBase) -> str:
    return metric._name + ("_total" if isinstance(metric, Counter) else "")


@pytest.mark.parametrize("metric", DECLARED.values(), ids=DECLARED)
def test_a_name_starts_with_the_platform_and_ends_with_a_base_unit(metric):
    name = published_name(metric)
    assert name.startswith("mpp_")
    assert not name.endswith(("_ms", "_milliseconds", "_minutes", "_kb", "_percent", "_count"))
    if isinstance(metric, Histogram):
        assert name.endswith(("_seconds", "_bytes"))
    if any(word in name for word in ("duration", "age", "wait_", "longest")):
        assert name.endswith("_seconds")
    if isinstance(metric, Gauge):
        assert not name.endswith("_total")


@pytest.mark.parametrize("metric", DECLARED.values(), ids=DECLARED)
def test_a_metric_explains_itself_in_a_sentence(metric):
    assert metric._documentation.endswith(".")


@pytest.mark.parametrize("metric", DECLARED.values(), ids=DECLARED)
def test_labels_have_few_values_and_name_nobody(metric):
    assert set(metric._labelnames) <= LABELS
    counted = [of_part[published_name(metric)] for of_part in WITH_REGENCY.values() if published_name(metric) in of_part]
    assert bool(counted) == ("regency" in metric._labelnames)
    for values in counted:
        assert {"regency", *values} == set(metric._labelnames) - {"site"}


def lines_of(metric: MetricWrapperBase) -> int:
    """Lines that one set of labels takes on the page."""
    if isinstance(metric, Histogram):
        return len(metric._upper_bounds) + 2
    return 2 if isinstance(metric, Summary) else 1


@pytest.mark.parametrize("part", WITH_REGENCY)
def test_all_regencies_of_the_country_are_not_too_much_for_a_process(part):
    named = {published_name(metric): metric for metric in DECLARED.values()}
    lines = sum(REGENCIES * lines_of(named[name]) * math.prod(values.values()) for name, values in WITH_REGENCY[part].items())
    assert 1_000 < lines <= PAGE_LINES


@pytest.mark.parametrize("name", DESIRED.values(), ids=DESIRED)
def test_what_an_operator_needs_is_measured(name):
    assert name in {published_name(metric) for metric in DECLARED.values()}


def test_no_metric_is_declared_anywhere_else():
    elsewhere = []
    for folder in ("services", "gateway", "deploy"):
        for module in (HOUSE / folder).rglob("*.py"):
            if module == Path(metrics.__file__):
                continue
            names = {
                alias.name
                for node in ast.walk(ast.parse(module.read_text()))
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus_client")
                for alias in node.names
            }
            elsewhere += [f"{module}: {name}" for name in names & {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}]
    assert elsewhere == []


def test_what_alerts_look_at_is_there_before_anything_has_happened():
    metrics.begin_publisher("begun", ["thing.made"])
    metrics.begin_consumer("begun.owner", ["thing.made"])
    metrics.begin_deliveries(["pigeon"])
    metrics.begin_routes([("/v1/begun", "GET")])
    metrics.begin_regency("begun")
    zero = {
        "mpp_http_failures_total": {"route": "/v1/begun", "method": "GET"},
        "mpp_regency_requests_total": {"regency": "begun", "outcome": "failed"},
        "mpp_relay_failures_total": {"service": "begun"},
        "mpp_events_unroutable_total": {"service": "begun", "type": "thing.made"},
        "mpp_sequence_gaps_total": {"consumer": "begun.owner"},
        "mpp_event_age_seconds_count": {"consumer": "begun.owner"},
        "mpp_inbox_failures_total": {"consumer": "begun.owner", "type": "thing.made"},
        "mpp_dead_letters_total": {"consumer": "begun.owner", "type": "thing.made"},
        "mpp_deliveries_total": {"channel": "pigeon", "outcome": "uncertain"},
    }
    assert {name: REGISTRY.get_sample_value(name, labels) for name, labels in zero.items()} == dict.fromkeys(zero, 0.0)
    unreadable = {"consumer": "begun.owner", "type": "unknown", "outcome": "rejected"}
    assert REGISTRY.get_sample_value("mpp_events_handled_total", unreadable) == 0.0


def test_the_page_holds_all_that_is_measured_and_lets_others_work_between_two_metrics(monkeypatch):
    paused: list[float] = []
    monkeypatch.setattr("services.chassis.metrics_page.time.sleep", paused.append)
    page = metrics_page.metrics_page()
    assert [line for line in page.splitlines() if line.startswith(b"# TYPE mpp_")] == [
        line for line in generate_latest(REGISTRY).splitlines() if line.startswith(b"# TYPE mpp_")
    ]
    assert len(paused) > len(DECLARED)
    assert b"_created" not in page
