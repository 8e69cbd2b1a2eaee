"""Replicas compete, die, freeze and stop at the worst moment; everything is done once, and on time or not at all."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from services.chassis.errors import Unavailable
from services.chassis.rpc_server import PREFETCH
from tests.fault.chassis.replicas import Replicas, alive, by_hand
from tests.processes import ServiceProcess, eventually

pytestmark = pytest.mark.fault


def schema(regency: str) -> str:
    return regency.replace("-", "_")


def test_a_relay_killed_between_publishing_and_deleting_publishes_twice_what_is_handled_once(probes, regency):
    """The lock keeps the relay from finishing the transaction in which it published."""
    relay, other = probes.ledgers
    other.freeze()
    before = probes.handled("duplicate")
    with probes.administrator("ledger") as lock:
        lock.exec_driver_sql("LOCK TABLE platform.stream_head IN SHARE MODE")
        probes.insist(regency, "k").result(timeout=30)  # some requests go to the frozen one
        eventually(lambda: probes.mirrored(regency) == 1)
        assert probes.outbox() == 1, "published, and not yet deleted"
        relay.kill()
    other.thaw()
    eventually(lambda: probes.outbox() == 0)
    eventually(lambda: probes.handled("duplicate") > before)
    assert probes.mirrored(regency) == 1


def test_replicas_that_compete_and_are_killed_do_everything_once(probes):
    regencies = [probes.new_regency() for _ in range(3)]
    calls = [probes.insist(regencies[number % 3], f"command-{number}") for number in range(150)]
    ledger, mirror = probes.ledgers[0], probes.mirrors[0]
    eventually(lambda: sum(probes.entered(regency) for regency in regencies) > 20)
    ledger.kill()
    mirror.kill()
    eventually(lambda: sum(probes.entered(regency) for regency in regencies) > 60, within=60)
    for process in (ledger, mirror):
        process.start(wait=False)
    identities = [call.result(timeout=60)["id"] for call in calls]
    for index, regency in enumerate(regencies):
        assert probes.entered(regency) == len(set(identities[index::3])) == 50
        assert probes.sequences(regency) == list(range(1, 51))
        eventually(partial(probes.has_mirrored, regency, 50), within=30)
        assert {row.status for row in probes.inbox(regency)} == {"handled"}


def test_all_replicas_of_a_service_get_work(probes, regency):
    def done() -> list[float]:
        by_ledgers = [each.metric("mpp_rpc_handled_duration_seconds_count", method="add_entry", outcome="ok") for each in probes.ledgers]
        by_mirrors = [each.metric("mpp_events_handled_total", outcome="handled") for each in probes.mirrors]
        return by_ledgers + by_mirrors

    before = done()
    for call in [probes.later(regency, seconds=20.0) for _ in range(40)]:
        call.result(timeout=20)
    eventually(lambda: probes.mirrored(regency) == 40)
    assert all(after > earlier for earlier, after in zip(before, done(), strict=True))


def test_a_consumer_killed_in_the_middle_of_a_handler(probes, regency):
    """Of a stream without a log: only the broker, which was told nothing, can bring the event again."""
    probes.publish(by_hand(regency, 1, "slow"), f"{regency}.entry.added")
    eventually(lambda: probes.asleep("mirror") == 1)
    for mirror in probes.mirrors:
        mirror.kill()
    assert probes.mirrored(regency, "slow") == 0
    probes.mirrors[1].start()
    eventually(lambda: probes.mirrored(regency, "slow") == 1)


def test_a_service_told_to_stop_in_the_middle_of_commands_finishes_and_answers_them(probes, regency):
    """All replicas stop at once: nobody else could answer, neither those in their middle nor those that wait for their turn."""
    calls = [probes.later(regency, takes=0.5, seconds=15.0) for _ in range(12)]
    eventually(lambda: probes.asleep() > 1)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(ServiceProcess.stop, probes.ledgers)) == [0, 0]
    assert {call.result(timeout=1)["id"] for call in calls} == set(range(1, 13))
    assert probes.entered(regency) == 12


def test_a_service_told_to_stop_gives_back_what_it_did_not_begin(probes, regency):
    """More requests than one replica takes at a time; all are answered by one or the other, and done once."""
    stopping, staying = probes.ledgers
    calls = [probes.later(regency, takes=0.05, seconds=25.0) for _ in range(PREFETCH + 16)]
    eventually(lambda: probes.entered(regency) > 4)
    assert stopping.stop() == 0
    assert len({call.result(timeout=25)["id"] for call in calls}) == len(calls)
    assert probes.entered(regency) == len(calls)
    assert alive(staying)


def test_a_consumer_told_to_stop_finishes_what_it_began_and_gives_back_the_rest(probes, regency):
    for _ in range(24):
        probes.add(regency, "slow", seconds=9.0)
    eventually(lambda: probes.mirrored(regency, "slow") > 1)
    failures = probes.handled("failed")
    stopping, staying = probes.mirrors
    started = time.monotonic()
    assert stopping.stop() == 0
    assert time.monotonic() - started < 12
    eventually(lambda: probes.mirrored(regency, "slow") == 24, within=30)
    assert probes.handled("failed") <= failures
    assert staying.is_ready()


def outcome(call: Future[dict[str, Any]]) -> str:
    error = call.exception(timeout=9)
    if error is None:
        return "done"
    assert isinstance(error, Unavailable), error
    return error.code


def test_a_frozen_replica_costs_its_callers_their_deadline_and_nobody_else_anything(probes, regency):
    frozen, _ = probes.ledgers
    frozen.freeze()
    started = time.monotonic()
    calls = [probes.later(regency, seconds=2.0) for _ in range(20)]
    outcomes = [outcome(call) for call in calls]
    assert time.monotonic() - started < 6
    assert outcomes.count("done") >= 8, "the other goes on"
    assert set(outcomes) <= {"done", "deadline_exceeded"}
    frozen.thaw()
    eventually(frozen.is_ready)
    probes.add(regency, "after")
    assert probes.entered(regency) == outcomes.count("done"), "the frozen one does nothing late"


def test_what_was_lost_while_nobody_listened_is_fetched_at_the_start(probes, regency):
    for mirror in probes.mirrors:
        mirror.kill()
    for _ in range(3):
        probes.add(regency)
    eventually(lambda: probes.outbox() == 0)
    purged = 0
    while purged < 3:
        purged += eventually(probes.purge)
    probes.mirrors[0].start()
    eventually(lambda: probes.mirrored(regency) == 3, within=8)
    eventually(lambda: probes.mark(regency) == 3)


def test_a_service_that_cannot_start_says_why_and_ends_so_that_a_supervisor_notices(probes: Replicas):
    process = probes.process("ledger", MPP_BROKER_URL="")
    process.start(wait=False)
    eventually(lambda: not alive(process), within=20)
    assert process.stop() == 1
    (line,) = [line for line in process.log_entries() if line["event"] == "service_died"]
    assert "MPP_BROKER_URL is not set" in str(line["exception"])
    assert "AttributeError" not in process.log.read_text()
