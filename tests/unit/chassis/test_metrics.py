"""Metrics are named by the rules of Prometheus and of the house, and their labels name no ticket and no person."""

import ast
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from services.chassis import metrics

pytestmark = pytest.mark.unit

HOUSE = Path(__file__).resolve().parents[3]
DECLARED = {name: value for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)}

LABELS = {"service", "method", "outcome", "type", "consumer", "route", "status", "reason", "server", "regency", "channel", "check"}
"""Each has few values. Another label needs a thought about how many values it can have, and a line here."""

WITH_REGENCY = {"mpp_tickets_waiting", "mpp_tickets_longest_wait_seconds"}
"""Where an operator needs to know which regency; 514 times as many series each."""

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
    if "regency" in metric._labelnames:
        assert published_name(metric) in WITH_REGENCY


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
    zero = {
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
