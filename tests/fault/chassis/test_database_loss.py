"""The database is away for ten seconds: consuming pauses, calls are refused in time, and afterwards all is as if it had not been."""

import time

import pytest

from services.chassis.errors import Unavailable
from services.chassis.subscribing import PREFETCH
from tests.fault.chassis.replicas import by_hand
from tests.processes import eventually

pytestmark = pytest.mark.fault

AWAY_SECONDS = 10.0


def test_a_database_that_is_away_for_ten_seconds(probes, regency):
    probes.add(regency)
    pids = [process.pid for process in probes.replicas]
    unanswered = probes.later(regency, "mid-command", takes=3.0, command_id="k", seconds=9.0)
    eventually(lambda: probes.asleep() == 1)
    probes.postgres.kill()
    came_back = time.monotonic() + AWAY_SECONDS
    assert isinstance(unanswered.exception(timeout=9), Unavailable)

    published = len(probes.mirrors) * PREFETCH + 8  # more than all consumers together take at a time
    for sequence in range(1, published + 1):
        probes.publish(by_hand(regency, sequence, "by-hand"), f"{regency}.entry.added")
    while time.monotonic() < came_back:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            probes.add(regency, "refused", seconds=1.0)
        assert time.monotonic() - started < 2.5
        for process in probes.replicas:
            status, body = process.probe("/readyz", timeout=6.0)
            assert status == 503
            assert ".database" in body
            assert process.probe("/healthz")[0] == 200
    assert probes.waiting() > 0, "consuming pauses: what cannot be handled stays with the broker"

    probes.postgres.start()
    eventually(lambda: all(process.is_ready() for process in probes.replicas), within=20)
    assert [process.pid for process in probes.replicas] == pids
    assert probes.add(regency, "mid-command", takes=3.0, command_id="k", seconds=9.0), "rolled back, and done now"
    eventually(lambda: probes.mirrored(regency, "by-hand") == published, within=30)
    eventually(lambda: probes.mirrored(regency) == probes.mirrored(regency, "mid-command") == 1)
    assert probes.entered(regency, "refused") == 0
    assert probes.sequences(regency) == [1, 2]
    eventually(lambda: (probes.outbox(), probes.waiting()) == (0, 0))
    assert {row.status for row in probes.inbox(regency)} == {"handled"}, "an outage is nobody's failure"
    assert all(row.attempts == 0 for row in probes.inbox(regency))


def test_a_database_that_restarts_politely_is_not_even_noticed_by_most(probes, regency):
    probes.add(regency)
    probes.postgres.stop()
    probes.postgres.start()
    eventually(lambda: probes.add(regency, seconds=2.0), within=10)
    eventually(lambda: probes.mirrored(regency) == probes.entered(regency))
