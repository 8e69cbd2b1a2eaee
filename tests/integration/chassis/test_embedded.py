"""Both services in one process over the in-process broker: the same calls and events as over RabbitMQ."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.chassis.settings import EMBEDDED_BROKER
from tests.probe.deployment import ProbeDeployment
from tests.processes import CHECKOUT, eventually

pytestmark = pytest.mark.integration


class EmbeddedProbes:
    """The one process, spoken to over its standard input and output."""

    def __init__(self, deployment: ProbeDeployment) -> None:
        environment = {**os.environ, **deployment.environment, "MPP_PROBE_PORT": "0"}
        self._log = (deployment.folder / "embedded.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.probe.embedded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=CHECKOUT,
            env=environment,
            text=True,
        )

    def call(self, method: str, payload: dict[str, Any], regency: str, **options: Any) -> dict[str, Any]:
        service, _, name = method.partition(".")
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"service": service, "method": name, "payload": payload, "regency": regency, **options}), file=self.process.stdin)
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(20)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            if stream is not None:
                stream.close()


@pytest.fixture(scope="module")
def deployment(postgres_server, tmp_path_factory) -> Iterator[ProbeDeployment]:
    with ProbeDeployment(tmp_path_factory.mktemp("embedded"), postgres_server, EMBEDDED_BROKER) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def regency(deployment) -> str:
    return deployment.new_regency()


@pytest.fixture(scope="module")
def embedded(deployment, regency) -> Iterator[EmbeddedProbes]:
    embedded = EmbeddedProbes(deployment)
    yield embedded
    embedded.close()


def test_calls_and_events_work_in_one_process(deployment, embedded, regency):
    assert embedded.call("ledger.add_entry", {"account": "a", "amount": 5}, regency, seconds=20.0) == {"results": [{"id": 1}]}
    eventually(lambda: deployment.mirrored(regency) == 1)
    eventually(lambda: deployment.mark(regency) == 1)


def test_a_refusal_arrives_with_its_code(embedded, regency):
    refused = embedded.call("ledger.add_entry", {"account": "a", "amount": 0}, regency)
    assert refused == {"error": {"code": "amount_zero", "details": {"account": "a"}}}


def test_the_same_command_eight_times_at_once_is_done_once(deployment, embedded, regency):
    answers = embedded.call("ledger.add_entry", {"account": "once", "amount": 1}, regency, times=8, command_id="k")["results"]
    assert answers == [answers[0]] * 8
    assert deployment.entered(regency, "once") == 1


def test_a_call_without_an_answer_ends_at_its_deadline(embedded, regency):
    started = time.monotonic()
    refused = embedded.call("reporting.anything", {}, regency, seconds=0.4)
    assert refused["error"]["code"] == "deadline_exceeded"
    assert time.monotonic() - started < 1.5


def test_many_calls_at_once_are_quick(embedded, regency, figures):
    """The in-process transport that comes with the library polls once a second."""
    started = time.monotonic()
    for _ in range(4):
        answers = embedded.call("ledger.total", {"account": "once"}, regency, times=75, seconds=20.0)["results"]
        assert answers == [{"count": 1, "amount": 1}] * 75
    seconds = time.monotonic() - started
    figures(f"{300 / seconds:.0f} calls/s in one process")
    assert seconds < 6


def test_what_was_told_but_not_handled_before_a_crash_is_fetched_after_the_next_start(deployment, embedded, regency):
    """The in-process broker forgets everything; the log does not. Last: this ends the module's process."""
    with deployment.administrator("mirror") as handlers_wait:
        handlers_wait.exec_driver_sql(f"LOCK TABLE {regency.replace('-', '_')}.inbox IN SHARE MODE")
        for _ in range(2):
            embedded.call("ledger.add_entry", {"account": "told", "amount": 1}, regency)
        eventually(lambda: deployment.outbox() == 0)
        embedded.process.send_signal(signal.SIGKILL)
        embedded.process.wait()
    assert deployment.mirrored(regency, "told") == 0
    again = EmbeddedProbes(deployment)
    try:
        eventually(lambda: deployment.mirrored(regency, "told") == 2, within=30)
        assert again.end() == 0
    finally:
        again.close()
