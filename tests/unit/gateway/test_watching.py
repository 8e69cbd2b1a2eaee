"""What machines ask the gateway: alive, ready, metrics."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from gateway.language import preferred_language
from gateway.readiness import RecentReadiness
from services.chassis.errors import DatabaseUnavailable, DomainError

pytestmark = pytest.mark.unit


def test_alive(edge):
    response = edge.send("GET", "/healthz")
    assert (response.status_code, response.json) == (200, {"status": "alive"})


def test_ready(edge):
    assert edge.send("GET", "/readyz").json == {"status": "ready"}


def test_not_ready_names_what_fails(edge, problem_of):
    edge.probes.failing["gateway.replies"] = "BrokerUnavailable"
    response = edge.send("GET", "/readyz")
    assert response.status_code == 503
    assert problem_of(response)["failing"] == ["gateway.replies"]


def test_requests_are_measured_by_route_and_never_by_address(edge):
    edge.send("GET", "/v1/lampung-timur/sites/sukadana?surprise=1")
    edge.send("GET", "/v1/some/hidden/path")
    edge.send("X" * 30, "/v1/regencies")
    text = edge.send("GET", "/metrics").text
    [family] = [f for f in text_string_to_metric_families(text) if f.name == "mpp_http_request_duration_seconds"]
    counted = {
        tuple(sample.labels[name] for name in ("route", "method", "status")) for sample in family.samples if sample.name.endswith("_count")
    }
    assert ("/v1/{regency}/sites/{id}", "GET", "4xx") in counted
    assert ("unknown", "GET", "4xx") in counted
    assert ("unknown", "other", "4xx") in counted
    assert not any("hidden" in label or "sukadana" in label for labels in counted for label in labels)


def shown(edge, name, **labels):
    families = text_string_to_metric_families(edge.send("GET", "/metrics").text)
    return next((s.value for family in families for s in family.samples if s.name == name and s.labels == labels), None)


def test_failures_of_every_route_stand_at_zero_before_the_first(edge):
    failed = {"name": "mpp_http_failures_total", "route": "/v1/{regency}/sites/{id}", "method": "GET"}
    before = shown(edge, **failed)
    assert before is not None
    edge.services.answers["get_site"] = DatabaseUnavailable("away")
    assert edge.send("GET", "/v1/lampung-timur/sites/sukadana").status_code == 503
    assert shown(edge, **failed) == before + 1


def test_requests_are_counted_for_regencies_that_are_known_to_exist(edge):
    requests = "mpp_regency_requests_total"
    edge.services.answers["get_site"] = DomainError("regency_unknown")
    assert edge.send("GET", "/v1/invented/sites/sukadana").status_code == 404
    edge.services.answers["get_site"] = DatabaseUnavailable("away")
    edge.send("GET", "/v1/invented/sites/sukadana")
    assert shown(edge, requests, regency="invented", outcome="failed") is None
    del edge.services.answers["get_site"]
    assert edge.send("GET", "/v1/kutai-timur/sites/sukadana").status_code == 200
    assert [shown(edge, requests, regency="kutai-timur", outcome=outcome) for outcome in ("ok", "refused", "failed")] == [1, 0, 0]
    edge.services.answers["get_site"] = DatabaseUnavailable("away")
    edge.send("GET", "/v1/kutai-timur/sites/sukadana")
    edge.send("GET", "/v1/kutai-timur/sites/sukadana?surprise=1")
    assert [shown(edge, requests, regency="kutai-timur", outcome=outcome) for outcome in ("ok", "refused", "failed")] == [1, 1, 1]


class CountedProbes:
    """Says how often it was asked."""

    def __init__(self, seconds=0.0):
        self.asked, self.seconds, self.failing = 0, seconds, {}

    def ready(self):
        self.asked += 1
        time.sleep(self.seconds)
        return dict(self.failing)


def test_readiness_is_asked_for_once_a_second():
    probes, clock = CountedProbes(), [0.0]
    recent = RecentReadiness(probes, lambda: clock[0])
    assert [recent.ready() for _ in range(5)] == [{}] * 5
    probes.failing["gateway.replies"] = "BrokerUnavailable"
    assert (recent.ready(), probes.asked) == ({}, 1)
    clock[0] = 1.0
    assert [recent.ready() for _ in range(5)] == [probes.failing] * 5
    assert probes.asked == 2


def test_many_who_ask_for_readiness_at_once_cause_one_look():
    probes = CountedProbes(seconds=0.1)
    recent = RecentReadiness(probes)
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda _: recent.ready(), range(16))) == [{}] * 16
    assert probes.asked == 1


def test_a_request_is_logged_with_its_trace(edge):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    edge.services.answers["list_sites"] = RuntimeError("a fault")
    with capture_logs() as logged:
        edge.send("GET", "/v1/lampung-timur/sites", headers={"traceparent": trace, "Request-Id": "req-12345"})
    assert {line["event"] for line in logged} == {"http_fault", "http_request"}
    assert {(line["traceparent"], line["request_id"]) for line in logged} == {(trace, "req-12345")}


@pytest.mark.parametrize("path", ["/healthz", "/v1/regencies", "/nothing", "/metrics"])
def test_every_answer_is_safe_in_a_browser(edge, path):
    headers = edge.send("GET", path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers
    assert headers["Request-Id"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "id"), ("", "id"), ("id", "id"), ("en", "en"), ("en-US,en;q=0.9,id;q=0.8", "en"), ("id-ID,en;q=0.5", "id"),
        ("fr", "id"), ("fr,en;q=0.1", "en"), ("*", "id"), ("en;q=0", "id"), ("id;q=0.1,en;q=0.2", "en"), ("EN", "en"),
        (";;;,,=", "id"), ("en;q=abc", "id"), ("x" * 5000, "id"), ("\xff", "id"),
    ],
)  # fmt: skip
def test_the_language_is_the_callers_or_indonesian(header, language):
    assert preferred_language(header) == language
