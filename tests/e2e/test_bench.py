"""The processes with which `make bench` measures, against the running platform for a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.servers.ports import free_port
from tests.bench.accounting import Books
from tests.bench.load import COMMANDS, Journeys, Post, Reads, plan_document
from tests.bench.measuring import Child
from tests.bench.telling import Metrics
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR, empty

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("not_at_midnight")]

WORKERS = 2


def posts(platform: DeployedPlatform) -> list[list[Post]]:
    token = platform.token(f"officer@{OKU_TIMUR.regency}")
    return [[Post(OKU_TIMUR.regency, OKU_TIMUR.site, counter, OKU_TIMUR.services[0], token)] for counter in OKU_TIMUR.counters[:WORKERS]]


@pytest.mark.parametrize("rate", [0.0, 8.0])
def test_journeys_are_done_and_every_call_is_seen_on_the_board(deployed_platform: DeployedPlatform, tmp_path: Path, rate: float) -> None:
    platform = deployed_platform
    empty(platform, [OKU_TIMUR])
    path = f"{OKU_TIMUR.path}/sites/{OKU_TIMUR.site}/board/stream"
    listening = {"webhook_port": free_port(), "mail_port": free_port(), "seconds": 60, "output": str(tmp_path / "audience.json")}
    audience = Child("audience", {"ports": platform.http_ports, "streams": [path], **listening}, tmp_path)
    work = Journeys(platform.http_ports, posts(platform), rate=rate)
    load = Child("load", plan_document(work, warm_up=0.0, seconds=1.0, output=tmp_path / "load.json"), tmp_path)
    try:
        audience.wait_line(30)
        load.wait_line(30)
        books, before = Books({"ticketing": [process.pid for process in platform.ticketing]}), Metrics.of(platform.ticketing)
        load.go()
        seen = load.result(60)
        platform.wait_followed("reporting", "ticketing", OKU_TIMUR.regency)
        published = Metrics.of(platform.ticketing).total("mpp_events_published_total") - before.total("mpp_events_published_total")
        log = platform.event_log(OKU_TIMUR.regency, f"/regencies/{OKU_TIMUR.regency}/ticketing/sites/{OKU_TIMUR.site}")
        audience.go(json.dumps({path: int(log[-1]["sequence"])}))
        heard = audience.result(30)
    finally:
        load.close()
        audience.close()
    assert seen["journeys"] >= WORKERS
    assert (seen["empty"], seen["refused"], len(seen["called"])) == (0, 0, seen["journeys"])
    if rate:
        assert seen["journeys"] == 8
    assert {name: len(seen["seconds_of"][name]) for name in COMMANDS} == dict.fromkeys(COMMANDS, seen["journeys"])
    assert published >= 4 * seen["journeys"]
    assert books.spent()["ticketing"] > 0
    shown = [sequence for sequence, _ in heard["received"][path]]
    assert shown[-1] == int(log[-1]["sequence"])
    assert (sorted(shown), heard["lost"]) == (shown, [])


@pytest.mark.parametrize("conditional", [False, True])
def test_boards_are_read(deployed_platform: DeployedPlatform, tmp_path: Path, conditional: bool) -> None:
    work = Reads(deployed_platform.http_ports, [f"{OKU_TIMUR.path}/sites/{OKU_TIMUR.site}/board"], 2, conditional)
    load = Child("load", plan_document(work, warm_up=0.0, seconds=0.3, output=tmp_path / "load.json"), tmp_path)
    try:
        load.wait_line(30)
        load.go()
        assert load.result(30)["reads"] > 2
    finally:
        load.close()


def test_a_plan_that_cannot_be_followed_fails_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    work = Reads([free_port()], ["/v1/nowhere/board"], 1, False)
    load = Child("load", plan_document(work, warm_up=0.0, seconds=0.3, output=tmp_path / "load.json"), tmp_path)
    try:
        load.wait_line(30)
        load.go()
        with pytest.raises(RuntimeError, match="has failed"):
            load.result(30)
    finally:
        load.close()
    assert "ConnectionRefusedError" in capfd.readouterr().err
    assert json.loads((tmp_path / "load.plan.json").read_text())["kind"] == "Reads"
