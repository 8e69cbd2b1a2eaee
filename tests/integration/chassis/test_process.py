"""The life of a process as a supervisor or load balancer sees it."""

from __future__ import annotations

import json
import signal

import pytest

from tests.probe.gate import FILE
from tests.processes import ServiceProcess, eventually

pytestmark = pytest.mark.integration


def says(asked: ServiceProcess, status: int, **failing: str) -> bool:
    found, body = asked.probe("/readyz")
    return (found, json.loads(body)["failing"]) == (status, failing)


def test_it_is_ready_from_the_last_start_to_the_first_stop_and_alive_before_and_after(tmp_path):
    """Else callers would be sent to a gateway that does not listen yet, or does not any more."""
    gate = tmp_path / "gate"
    process = ServiceProcess.of_probe(["gate"], {FILE: str(gate)}, tmp_path / "gate.log")
    process.start(wait=False)
    try:
        eventually(lambda: says(process, 503, process="Starting"))
        assert process.probe("/healthz")[0] == 200
        gate.touch()
        eventually(lambda: says(process, 200))
        process.send(signal.SIGTERM)
        eventually(lambda: says(process, 503, process="Stopping"))
        assert process.probe("/healthz")[0] == 200
        gate.unlink()
        eventually(process.has_ended)
    finally:
        status = process.stop()
    assert status == 0
