"""Alive means that the process answers; ready means that everything it needs is there."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from services.chassis import probe_server
from services.chassis.probe_server import ProbeServer
from services.chassis.probes import Probes

pytestmark = pytest.mark.unit


class Away(Exception):
    pass


def away() -> None:
    raise Away("postgresql://ticketing:secret@db/ticketing refused")


def test_without_checks_a_process_is_ready():
    assert Probes().ready() == {}


def test_a_failing_check_is_named_without_its_message_because_that_may_hold_secrets():
    probes = Probes()
    probes.register("ticketing.database", away)
    probes.register("ticketing.rpc", lambda: None)
    assert probes.ready() == {"ticketing.database": "Away"}


def test_every_check_is_asked_even_after_one_failed():
    probes = Probes()
    probes.register("a", away)
    probes.register("b", away)
    assert set(probes.ready()) == {"a", "b"}


def test_a_check_that_was_taken_away_is_not_asked():
    probes = Probes()
    probes.register("a", away)
    probes.unregister("a")
    probes.unregister("never registered")
    assert probes.ready() == {}


@pytest.fixture
def server(monkeypatch) -> Iterator[tuple[str, Probes]]:
    probes = Probes()
    monkeypatch.setattr(probe_server, "PROBES", probes)
    serving = ProbeServer("127.0.0.1", 0)
    serving.start()
    yield f"http://127.0.0.1:{serving.port}", probes
    serving.stop()


def get(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (our own server)
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_readiness_follows_the_checks_and_liveness_does_not(server):
    url, probes = server
    assert get(url + "/readyz")[0] == 200
    probes.register("ticketing.database", away)
    status, kind, body = get(url + "/readyz")
    assert (status, kind) == (503, "application/json")
    assert json.loads(body) == {"status": "not ready", "failing": {"ticketing.database": "Away"}}
    assert get(url + "/healthz")[0] == 200
    probes.unregister("ticketing.database")
    assert get(url + "/readyz")[0] == 200


def test_metrics_are_on_the_same_port(server):
    status, kind, body = get(server[0] + "/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert "mpp_rpc_call_duration_seconds" in body


def test_another_path_tells_which_exist(server):
    status, _, body = get(server[0] + "/status")
    assert status == 404
    assert json.loads(body) == {"paths": ["/healthz", "/readyz", "/metrics"]}
