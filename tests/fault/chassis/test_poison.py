"""Events that end the process which handles them, and a regency whose tables are locked: the others go on."""

import time
from collections.abc import Callable
from functools import partial

import pytest

from services.chassis.handling import DEADLY, MOST_BEGINNINGS
from services.chassis.subscribing import PREFETCH
from tests.fault.chassis.replicas import Replicas, by_hand
from tests.processes import eventually

pytestmark = [pytest.mark.fault, pytest.mark.slow]


def schema(regency: str) -> str:
    return regency.replace("-", "_")


def reviving(probes: Replicas, condition: Callable[[], bool]) -> int:
    """Start mirrors again whenever they have ended, until something is so; return how many ended meanwhile."""
    ended = 0

    def supervised() -> bool:
        nonlocal ended
        ended += probes.revive_mirrors()
        return condition()

    eventually(supervised, within=150, every=0.2)
    return ended


def has_mirrored(probes: Replicas, regency: str, count: int) -> bool:
    return probes.mirrored(regency) == count


def given_up(probes: Replicas, regency: str) -> bool:
    return [(row.status, row.reason) for row in probes.inbox(regency) if row.status != "handled"] == [("dead", DEADLY)]


def test_an_event_that_ends_its_consumer_whenever_the_broker_brings_it(probes, regency):
    """Of a stream without a log: it is the broker that brings it again and again."""
    for number, account in enumerate(("a", "deadly", "a", "a"), start=1):
        probes.publish(by_hand(regency, number, account), f"{regency}.entry.added")
    ended = reviving(probes, partial(given_up, probes, regency))
    assert MOST_BEGINNINGS < ended <= 2 * MOST_BEGINNINGS + 2, "not for ever, and not at the first"
    probes.make_whole()
    eventually(lambda: probes.mirrored(regency) == 3)
    assert probes.waiting() == 0


def test_an_event_that_ends_its_consumer_whenever_it_is_fetched_from_the_log(probes, regency):
    for mirror in probes.mirrors:
        mirror.kill()
    for account in ("a", "a", "deadly", "a", "a"):
        probes.add(regency, account)
    eventually(lambda: probes.outbox() == 0)
    eventually(lambda: probes.purge() == 5)
    ended = reviving(probes, partial(given_up, probes, regency))
    assert ended > MOST_BEGINNINGS
    probes.make_whole()
    eventually(lambda: probes.mirrored(regency) == 4 and probes.mark(regency) == 5, within=30)
    probes.add(regency)
    eventually(lambda: probes.mirrored(regency) == 5)


def test_consumers_that_are_killed_with_many_events_in_hand_lose_none_and_blame_none(probes, regency):
    """The broker brings all of them again; who was only near a death is no suspect for long."""
    accounts = ["slow" if number % 10 == 0 else "a" for number in range(1, 41)]
    for number, account in enumerate(accounts, start=1):
        probes.publish(by_hand(regency, number, account), f"{regency}.entry.added")
    eventually(lambda: probes.asleep("mirror") >= 1)
    for mirror in probes.mirrors:
        mirror.kill()
    probes.make_whole()
    eventually(lambda: (probes.mirrored(regency, "a"), probes.mirrored(regency, "slow")) == (36, 4), within=60)
    assert {row.status for row in probes.inbox(regency)} == {"handled"}
    eventually(lambda: probes.waiting() == 0)


def test_a_regency_whose_tables_are_locked_holds_up_no_other(probes, figures):
    """Far more of its events wait than a consumer takes at a time."""
    locked, free = probes.new_regency(), probes.new_regency()
    for regency in (locked, free):
        probes.add(regency)
        eventually(partial(probes.has_mirrored, regency, 1))
    with probes.administrator("mirror") as lock:
        lock.exec_driver_sql(f"LOCK TABLE {schema(locked)}.inbox, {schema(locked)}.stream_mark")
        waiting = len(probes.mirrors) * PREFETCH + 12
        for _ in range(waiting):
            probes.add(locked)
        eventually(lambda: probes.waiting() == 0, within=15)  # none of them keeps its place in the queue
        slowest = 0.0
        for number in range(2, 22):
            started = time.monotonic()
            probes.add(free)
            eventually(partial(has_mirrored, probes, free, number), within=3, every=0.01)
            slowest = max(slowest, time.monotonic() - started)
    figures(f"slowest of 20 events of a free regency while another's tables are locked: {slowest:.2f} s")
    assert probes.handled("left") > 0
    eventually(partial(probes.has_mirrored, locked, waiting + 1), within=60)
    assert {row.status for row in probes.inbox(locked)} == {"handled"}, "a lock is nobody's failure"


def test_retries_of_one_regency_go_on_while_another_s_tables_are_locked(probes):
    locked, free = probes.new_regency(), probes.new_regency()
    for regency in (locked, free):
        probes.call("mirror.expect_trouble", {"account": "thrice", "failures": 2}, regency)
        probes.add(regency, "thrice")
        eventually(partial(probes.inbox, regency))
    with probes.administrator("mirror") as lock:
        lock.exec_driver_sql(f"LOCK TABLE {schema(locked)}.copy, {schema(locked)}.inbox")
        eventually(lambda: probes.mirrored(free, "thrice") == 1, within=30)
    eventually(lambda: probes.mirrored(locked, "thrice") == 1, within=90)


def test_where_the_log_was_cut_a_wiped_mirror_comes_to_the_same_balances(probes, regency):
    for _ in range(30):
        probes.add(regency, "b", amount=7)
    eventually(partial(probes.has_mirrored_all, regency, "b", 30))
    known = probes.query("mirror", f"SELECT * FROM {schema(regency)}.balance ORDER BY entry")
    for mirror in probes.mirrors:
        mirror.kill()
    probes.query("ledger", f"DELETE FROM {schema(regency)}.event_log WHERE sequence < 20")
    for table in ("balance", "copy", "inbox", "stream_mark"):
        probes.query("mirror", f"DELETE FROM {schema(regency)}.{table}")
    probes.revive_mirrors()
    eventually(lambda: probes.query("mirror", f"SELECT * FROM {schema(regency)}.balance ORDER BY entry") == known, within=60)
    eventually(lambda: probes.mark(regency) == 30)
    assert probes.mirrored(regency, "b") == 11, "what was still logged was news, what the snapshot told was none"
