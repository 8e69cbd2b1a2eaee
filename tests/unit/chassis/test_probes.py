"""Alive means that the process answers; ready means that everything it needs is there."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from services.chassis import probe_server
from services.chassis.probe_server import ProbeServer
from services.chassis.probes import Probes
from tests.processes import eventually

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


def shown(check: str) -> float | None:
    return REGISTRY.get_sample_value("mpp_ready", {"check": check})


def test_what_checks_say_is_a_metric_as_long_as_they_are_asked():
    probes = Probes()
    probes.register("shown.bad", away)
    probes.register("shown.good", lambda: None)
    probes.ready()
    assert (shown("shown.bad"), shown("shown.good")) == (0.0, 1.0)
    probes.register("shown.bad", lambda: None)
    probes.unregister("shown.good")
    probes.ready()
    assert (shown("shown.bad"), shown("shown.good")) == (1.0, None)
    probes.unregister("shown.bad")


def test_a_check_that_is_taken_away_while_it_is_asked_leaves_no_metric_behind():
    probes = Probes()
    probes.register("shown.gone", lambda: probes.unregister("shown.gone"))
    probes.ready()
    assert shown("shown.gone") is None


def test_a_check_that_hangs_counts_as_failing_and_holds_up_no_metrics():
    probes, hanging = Probes(), threading.Event()
    probes.register("shown.swift", lambda: None)
    probes.register("shown.hanging", lambda: None if hanging.wait(30) else away())
    probes.register("shown.behind", lambda: None)
    try:
        probes.measure(within=0.1)
        assert (shown("shown.swift"), shown("shown.hanging"), shown("shown.behind")) == (1.0, 0.0, None), "whose fault it is not"
        probes.measure(within=0.1)  # and is not asked a second time meanwhile
        assert [thread.name for thread in threading.enumerate()].count("probes-measuring") == 1
    finally:
        hanging.set()
    eventually(lambda: shown("shown.hanging") == 1.0)
    for name in ("shown.swift", "shown.hanging", "shown.behind"):
        probes.unregister(name)


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


def test_metrics_tell_readiness_of_the_moment_they_are_read(server):
    url, probes = server
    probes.register("scraped", away)
    assert 'mpp_ready{check="scraped"} 0.0' in get(f"{url}/metrics")[2]
    probes.unregister("scraped")
