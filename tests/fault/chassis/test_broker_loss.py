"""The broker dies, hangs or loses its disk: nobody waits beyond its deadline, nothing is done twice, no fact is lost."""

import time
from functools import partial

import pytest

from services.chassis.errors import Unavailable
from tests.fault.chassis.replicas import Replicas, alive
from tests.processes import ServiceProcess, eventually

pytestmark = pytest.mark.fault


def reports(process: ServiceProcess, status: int) -> bool:
    """Whether a process answers the question for its readiness with this status."""
    return process.probe("/readyz")[0] == status


def refused_within(probes: Replicas, regency: str, seconds: float) -> None:
    """Assert that a call ends as unavailable, by its deadline; return when that is over: until then it may still be done."""
    started = time.monotonic()
    with pytest.raises(Unavailable):
        probes.add(regency, seconds=seconds)
    assert time.monotonic() - started < seconds + 1.5
    eventually(lambda: time.monotonic() - started > seconds)


def test_a_broker_killed_in_mid_call(probes, regency):
    pids = [process.pid for process in probes.replicas]
    call = probes.later(regency, command_id="k", takes=1.5, seconds=9.0)
    eventually(lambda: probes.asleep() == 1)
    probes.rabbitmq.kill()
    killed = time.monotonic()
    assert isinstance(call.exception(timeout=9), Unavailable)
    assert time.monotonic() - killed < 5, "told at once that the answer cannot come"
    refused_within(probes, regency, 0.5)
    for process in probes.replicas:
        eventually(partial(reports, process, 503))
        assert process.probe("/healthz")[0] == 200
    assert "ledger.rpc" in probes.ledgers[0].probe("/readyz")[1]
    eventually(lambda: probes.entered(regency) == 1, within=5)  # it was done nevertheless

    probes.rabbitmq.start()
    eventually(lambda: all(process.is_ready() for process in probes.replicas), within=30)
    assert [process.pid for process in probes.replicas] == pids, "nobody had to be restarted"
    answer = eventually(lambda: probes.add(regency, command_id="k", takes=1.5))
    assert answer == {"id": 1}, "the stored result"
    assert probes.entered(regency) == 1
    eventually(lambda: probes.mirrored(regency) == 1)


def test_a_broker_that_hangs_and_goes_on(probes, regency):
    probes.add(regency)
    probes.freeze_broker()
    try:
        for seconds in (0.3, 1.0):
            refused_within(probes, regency, seconds)
    finally:
        probes.thaw_broker()
    eventually(lambda: probes.add(regency, "after", seconds=1.0), within=20)
    assert probes.entered(regency) == 1, "what was asked while it hung was too late afterwards"
    eventually(lambda: probes.mirrored(regency, "after") == probes.entered(regency, "after"))


def test_a_broker_that_lost_its_disk(probes, regency):
    """Five events have been confirmed by the broker, nobody has handled them, and then all it knew is gone."""
    probes.add(regency)
    eventually(lambda: probes.mark(regency) == 1)
    pids = [process.pid for process in probes.replicas]
    for mirror in probes.mirrors:
        mirror.freeze()
    for _ in range(5):
        probes.add(regency)
    eventually(lambda: probes.outbox() == 0)
    probes.rabbitmq.kill()
    probes.rabbitmq.wipe()
    for mirror in probes.mirrors:
        mirror.thaw()
    probes.start_broker()
    eventually(lambda: all(process.is_ready() for process in probes.replicas), within=30)
    assert [process.pid for process in probes.replicas] == pids

    eventually(lambda: probes.add(regency, seconds=1.0), within=10)  # queues, exchange and bindings are there again
    eventually(lambda: probes.mirrored(regency) == probes.entered(regency) >= 7, within=30)
    eventually(lambda: probes.mark(regency) == len(probes.sequences(regency)))


def test_queues_deleted_under_their_consumers_are_made_again(probes, regency):
    for queue in ("mirror.ledger", "rpc-ledger"):
        probes.delete(queue)
    eventually(lambda: probes.add(regency, seconds=1.0), within=20)
    eventually(lambda: probes.mirrored(regency) == probes.entered(regency), within=20)
    assert all(alive(process) for process in probes.replicas)
