"""What machines ask the gateway: alive, ready, metrics."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.language import preferred_language

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
    edge.send("GET", "/v1/some/secret/path")
    edge.send("X" * 30, "/v1/regencies")
    text = edge.send("GET", "/metrics").text
    [family] = [f for f in text_string_to_metric_families(text) if f.name == "mpp_http_request_duration_seconds"]
    counted = {
        tuple(sample.labels[name] for name in ("route", "method", "status")) for sample in family.samples if sample.name.endswith("_count")
    }
    assert ("/v1/{regency}/sites/{id}", "GET", "4xx") in counted
    assert ("unknown", "GET", "4xx") in counted
    assert ("unknown", "other", "4xx") in counted
    assert not any("secret" in label or "sukadana" in label for labels in counted for label in labels)


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
