"""A consumer finds out by itself that it missed an event, and fetches it from the owner's log."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from services.chassis import metrics
from services.chassis.catch_up import PAGE
from services.chassis.database import Database
from services.chassis.errors import BrokerUnavailable, DeadlineExceeded, DomainError, PermanentFailure
from services.chassis.events import Envelope
from services.chassis.gaps import GapFinder
from services.chassis.marks import stream_marks
from tests.integration.chassis.conftest import schema
from tests.integration.chassis.consuming import Consumer, SteppedClock, copies, event, rows
from tests.integration.chassis.owner import Owner
from tests.processes import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def stepped(ledger_url, provisioner, clock) -> Iterator[Database]:
    database = Database("ledger", ledger_url, clock=clock)
    yield database
    database.close()


@pytest.fixture
def consumer(stepped) -> Consumer:
    return Consumer(stepped)


@pytest.fixture
def owner() -> Owner:
    return Owner()


def watching(consumer: Consumer, owner: Owner, *, grace: float = 0.0) -> GapFinder:
    """A finder whose grace is over at once, unless the test says otherwise."""
    return GapFinder(consumer.inbox, owner, grace=grace)


@pytest.fixture
def finder(consumer, owner) -> GapFinder:
    return watching(consumer, owner)


def deliver(consumer: Consumer, finder: GapFinder, *events: Envelope) -> None:
    for each in events:
        consumer.inbox.receive(each)
        finder.arrived([each])


def marks(database: Database, regency: str) -> dict[str, int]:
    with database.regency_work(regency) as work:
        return {row["source"].rpartition("/")[2]: row["sequence"] for row in stream_marks(work)}


def numbered(regency: str, first: int, last: int, **fields: Any) -> list[Envelope]:
    return [event(regency, number, **fields) for number in range(first, last + 1)]


def ids(events: list[Envelope]) -> list[str]:
    return sorted(each.id for each in events)


# --- the mark


def test_the_mark_is_the_end_of_what_arrived_without_a_hole(stepped, consumer, owner, regency):
    finder = watching(consumer, owner, grace=60)
    deliver(consumer, finder, *numbered(regency, 1, 3), event(regency, 5), event(regency, 1, site="annex"), event(regency, 7, site="late"))
    finder.sweep()
    assert marks(stepped, regency) == {"main": 3, "annex": 1}
    deliver(consumer, finder, event(regency, 4))
    finder.sweep()
    assert marks(stepped, regency) == {"main": 5, "annex": 1}
    assert owner.reads == []


def test_events_in_any_order_are_no_gap(stepped, consumer, owner, administration, regency):
    finder = watching(consumer, owner, grace=60)
    for number in (3, 1, 5, 4, 2):
        deliver(consumer, finder, event(regency, number))
        finder.sweep()
    assert marks(stepped, regency) == {"main": 5}
    assert owner.reads == []
    assert len(copies(administration, regency)) == 5


def test_what_was_given_up_or_dropped_has_arrived_too(stepped, consumer, finder, owner, regency):
    consumer.fail_times(1, PermanentFailure())
    deliver(consumer, finder, event(regency, 1))
    consumer.fail_times(1, RuntimeError())
    deliver(consumer, finder, event(regency, 2), event(regency, 3))
    finder.sweep()
    assert marks(stepped, regency) == {"main": 3}


def test_an_event_below_the_mark_is_a_duplicate_when_its_row_is_long_gone(stepped, consumer, finder, clock, administration, regency):
    deliver(consumer, finder, *numbered(regency, 1, 4))
    finder.sweep()
    clock.advance(3600)
    consumer.fail_times(1, PermanentFailure())
    deliver(consumer, finder, event(regency, 5))
    finder.sweep()
    assert list(rows(administration, regency)) == [5], "the dead letter stays"
    clock.advance(3600)
    deliver(consumer, finder, event(regency, 6))
    finder.sweep()
    assert [row.status for row in rows(administration, regency).values()] == ["dead", "handled"]
    assert [consumer.inbox.receive(each) for each in numbered(regency, 1, 6)] == ["duplicate"] * 6


# --- a hole


def test_a_hole_is_given_time_to_close_by_itself_and_then_fetched(stepped, consumer, owner, administration, regency):
    finder = watching(consumer, owner, grace=0.3)
    everything = numbered(regency, 1, 6)
    owner.has(*everything)
    deliver(consumer, finder, *everything[:2], *everything[4:])
    finder.sweep()
    assert owner.reads == []

    def asked() -> bool:
        finder.sweep()
        return bool(owner.reads)

    eventually(asked, within=5)
    finder.sweep()
    assert marks(stepped, regency) == {"main": 6}
    assert copies(administration, regency) == ids(everything)
    assert consumer.calls.count(5) == 1, "what had arrived early was not handled again"


def test_a_fetched_hole_is_counted(consumer, finder, owner, regency):
    gaps, fetched = (metric.labels(consumer.name)._value for metric in (metrics.SEQUENCE_GAPS, metrics.EVENTS_CAUGHT_UP))
    before = gaps.get(), fetched.get()
    owner.has(*numbered(regency, 1, 4))
    deliver(consumer, finder, event(regency, 1), event(regency, 4))
    finder.sweep()
    assert (gaps.get() - before[0], fetched.get() - before[1]) == (1, 2)


def test_one_that_arrives_while_it_is_fetched_is_handled_once(consumer, finder, owner, administration, regency):
    everything = numbered(regency, 1, 3)
    owner.has(*everything)
    deliver(consumer, finder, everything[0], everything[2])

    delivered: list[threading.Thread] = []

    def late_delivery(work, current) -> None:
        if current.sequence == 2 and not delivered:
            delivered.append(threading.Thread(target=consumer.inbox.receive, args=(everything[1],)))
            delivered[0].start()

    consumer.after = late_delivery
    finder.sweep()
    delivered[0].join(5)
    assert copies(administration, regency) == ids(everything)


def test_a_fetched_event_that_fails_is_put_aside_and_the_next_ones_follow(stepped, consumer, finder, owner, administration, regency):
    owner.has(*numbered(regency, 1, 3))
    consumer.fail_times(2, RuntimeError())  # in its page, and then alone
    finder.compare()
    finder.sweep()
    finder.sweep()
    assert [row.status for row in rows(administration, regency).values()] == ["failed", "handled", "handled"]
    assert marks(stepped, regency) == {"main": 3}


# --- comparison with the owner's heads


def test_what_never_arrived_is_fetched_at_the_first_comparison(stepped, consumer, owner, administration, regency):
    finder = watching(consumer, owner, grace=60)
    everything = numbered(regency, 1, PAGE + 1) + numbered(regency, 1, 2, site="annex")
    owner.has(*everything)
    finder.compare()
    finder.sweep()
    finder.sweep()
    assert copies(administration, regency) == ids(everything)
    assert marks(stepped, regency) == {"main": PAGE + 1, "annex": 2}


def test_at_a_later_comparison_what_is_under_way_is_given_time(consumer, owner, regency):
    finder = watching(consumer, owner, grace=60)
    finder.compare()
    owner.has(event(regency, 1))
    finder.compare()
    finder.sweep()
    assert owner.reads == []


def test_a_consumer_that_has_everything_asks_for_nothing(consumer, finder, owner, regency):
    owner.has(*numbered(regency, 1, 3))
    deliver(consumer, finder, *numbered(regency, 1, 3))
    finder.compare()
    finder.sweep()
    assert owner.reads == []


def test_a_new_process_knows_what_the_former_one_had(stepped, consumer, owner, regency):
    deliver(consumer, watching(consumer, owner), *numbered(regency, 1, 3))
    owner.has(*numbered(regency, 1, 3))
    fresh = watching(consumer, owner)
    fresh.compare()
    fresh.sweep()
    assert owner.reads == []
    assert marks(stepped, regency) == {"main": 3}


# --- an owner that lacks something itself


def test_where_the_owner_s_log_was_cut_the_consumer_goes_on_behind_the_cut(stepped, consumer, finder, owner, administration, regency):
    deliver(consumer, finder, *numbered(regency, 1, 2))
    owner.has(*numbered(regency, 6, 8))
    finder.compare()
    finder.sweep()
    finder.sweep()
    assert marks(stepped, regency) == {"main": 8}
    assert len(copies(administration, regency)) == 5
    assert consumer.inbox.receive(event(regency, 4)) == "duplicate"


def test_where_the_whole_log_was_cut_the_consumer_goes_on_behind_it(stepped, consumer, finder, owner, regency):
    deliver(consumer, finder, event(regency, 1))
    owner.heads_by_hand = [{"source": event(regency, 1).source, "regency": regency, "sequence": 9}]
    for _ in range(3):
        finder.compare()
        finder.sweep()
    assert marks(stepped, regency) == {"main": 9}
    assert len(owner.reads) == 2, "before the snapshot and behind it, not for ever"
    assert len(owner.snapshots) == 1
    owner.heads_by_hand = []
    deliver(consumer, finder, event(regency, 10))
    finder.sweep()
    assert marks(stepped, regency) == {"main": 10}


def test_a_number_that_the_owner_never_gave_does_not_move_the_mark(stepped, consumer, finder, owner, regency):
    """Else one forged event would make duplicates of all that follow."""
    owner.has(*numbered(regency, 1, 2))
    deliver(consumer, finder, event(regency, 1_000_000))
    for _ in range(3):
        finder.sweep()
    assert marks(stepped, regency) == {"main": 2}
    assert consumer.inbox.receive(event(regency, 3)) == "handled"


@pytest.mark.parametrize("reason", [DeadlineExceeded(), BrokerUnavailable("away")])
def test_while_the_owner_is_away_a_gap_stays_open_and_is_closed_when_it_is_back(stepped, consumer, finder, owner, regency, reason):
    owner.has(*numbered(regency, 1, 3))
    deliver(consumer, finder, event(regency, 1), event(regency, 3))
    owner.away = reason
    for _ in range(3):
        with pytest.raises(type(reason)):
            finder.sweep()
    owner.away = None
    for _ in range(2):
        finder.sweep()
    assert marks(stepped, regency) == {"main": 3}


def test_a_stream_that_cannot_be_read_does_not_hold_up_the_others(stepped, consumer, owner, finder, new_regency):
    broken, sound = new_regency(), new_regency()
    owner.has(event(broken, 1), event(sound, 1))
    healthy_page = owner.log_page

    def page(regency: str, *rest: Any) -> list[Envelope]:
        if regency == broken:
            raise DomainError("regency_unknown")
        return healthy_page(regency, *rest)

    owner.log_page = page
    finder.compare()
    finder.sweep()
    finder.sweep()
    assert marks(stepped, sound) == {"main": 1}


def test_a_regency_that_only_the_owner_has_is_passed_over_until_it_is_here_too(stepped, consumer, finder, owner, provisioner, regency):
    elsewhere = regency + "-elsewhere"
    owner.has(event(elsewhere, 1), event(regency, 1))
    for _ in range(2):
        finder.compare()
        finder.sweep()
        finder.sweep()
    assert marks(stepped, regency) == {"main": 1}
    provisioner.add_regency(elsewhere, {})
    finder.compare()
    finder.sweep()
    finder.sweep()
    assert marks(stepped, elsewhere) == {"main": 1}


# --- the running watch


@pytest.fixture
def running(consumer, owner, monkeypatch) -> Iterator[GapFinder]:
    monkeypatch.setattr("services.chassis.gaps.SWEEP_SECONDS", 0.02)
    monkeypatch.setattr("services.chassis.gaps.LOOK_SECONDS", 0.0)
    finder = GapFinder(consumer.inbox, owner, grace=0.05, compare_every=0.1)
    threading.Thread(target=finder.run, daemon=True).start()
    yield finder
    finder.stop()
    assert finder.finished.wait(5)


def test_the_watch_fetches_what_is_missing_even_in_a_quiet_evening(stepped, running, owner, administration, regency):
    owner.has(*numbered(regency, 1, 3))
    eventually(lambda: marks(stepped, regency) == {"main": 3})
    owner.has(event(regency, 4))
    eventually(lambda: marks(stepped, regency) == {"main": 4})


def test_where_there_are_more_regencies_than_turns_in_a_round_all_are_caught_up_and_a_hole_is_closed(
    stepped, consumer, owner, new_regency, monkeypatch
):
    monkeypatch.setattr("services.chassis.gaps.SWEEP_SECONDS", 0.02)
    monkeypatch.setattr("services.chassis.rota.MOST_IN_A_ROUND", 2)
    monkeypatch.setattr("services.chassis.rota.CALM_IN_A_ROUND", 1)
    regencies = [new_regency() for _ in range(4)]
    for regency in regencies:
        owner.has(*numbered(regency, 1, 2))
    finder = GapFinder(consumer.inbox, owner, grace=0.05, compare_every=3600, lanes=2)
    threading.Thread(target=finder.run, daemon=True).start()
    try:
        eventually(lambda: all(marks(stepped, regency) == {"main": 2} for regency in regencies))
        owner.has(*numbered(regencies[-1], 3, 4))
        for regency in regencies[:-1]:
            deliver(consumer, finder, *numbered(regency, 3, 4))
        deliver(consumer, finder, event(regencies[-1], 4))  # no comparison comes: the hole itself shows
        eventually(lambda: all(marks(stepped, regency) == {"main": 4} for regency in regencies))
    finally:
        finder.stop()
    assert finder.finished.wait(5)


def test_what_a_restored_database_lacks_is_fetched_although_it_had_arrived(stepped, consumer, finder, owner, administration, regency):
    owner.has(*numbered(regency, 1, 4))
    deliver(consumer, finder, *numbered(regency, 1, 2))
    finder.sweep()
    deliver(consumer, finder, *numbered(regency, 3, 4))
    for table in ("inbox WHERE sequence > 2", f"copy WHERE event_id <> ALL(ARRAY{ids(numbered(regency, 1, 2))})"):
        administration.run(f"DELETE FROM {schema(regency)}.{table}")
    finder.sweep()
    finder.compare()
    finder.sweep()
    finder.sweep()
    assert marks(stepped, regency) == {"main": 4}
    assert len(copies(administration, regency)) == 4


def test_the_watch_survives_everything_and_goes_on(stepped, running, owner, regency):
    asked, healthy = threading.Event(), owner.heads
    for trouble in (BrokerUnavailable("away"), KeyError("heads"), DomainError("unexpected")):

        def fail(trouble: Exception = trouble) -> list[dict[str, Any]]:
            asked.set()
            raise trouble

        asked.clear()
        owner.heads = fail
        assert asked.wait(5)
    owner.heads = healthy
    owner.has(*numbered(regency, 1, 3))
    eventually(lambda: marks(stepped, regency) == {"main": 3})


def test_retries_go_on_while_the_owner_is_away(running, consumer, owner, clock, administration, regency):
    owner.has(*numbered(regency, 1, 3))
    owner.away = BrokerUnavailable("away")
    consumer.fail_times(1, RuntimeError())
    consumer.inbox.receive(event(regency, 1))
    clock.advance(10)
    eventually(lambda: rows(administration, regency)[1].status == "handled")


def test_retries_of_one_regency_go_on_while_the_tables_of_another_are_in_repair(running, consumer, clock, administration, new_regency):
    broken, sound = new_regency(), new_regency()
    consumer.fail_times(2, RuntimeError())
    for slug in (broken, sound):
        consumer.inbox.receive(event(slug, 1))
    administration.run(f"ALTER TABLE {schema(broken)}.inbox RENAME TO inbox_away")
    clock.advance(10)
    eventually(lambda: rows(administration, sound)[1].status == "handled")
    administration.run(f"ALTER TABLE {schema(broken)}.inbox_away RENAME TO inbox")
    eventually(lambda: rows(administration, broken)[1].status == "handled")


def test_a_retry_is_found_by_a_process_that_did_not_see_the_failure(running, consumer, stepped, clock, administration, regency):
    other = Consumer(stepped, consumer.name)
    other.fail_times(1, RuntimeError())
    other.inbox.receive(event(regency, 1))
    clock.advance(10)
    eventually(lambda: rows(administration, regency)[1].status == "handled")
    assert consumer.calls == [1]


def test_a_long_catch_up_can_be_stopped(consumer, owner, regency):
    finder = GapFinder(consumer.inbox, owner, grace=0.0)
    owner.has(*numbered(regency, 1, 3 * PAGE))
    consumer.after = lambda work, current: finder.stop() if current.sequence == 3 else None
    finder.run()
    assert len(consumer.calls) <= PAGE
    assert finder.finished.is_set()
