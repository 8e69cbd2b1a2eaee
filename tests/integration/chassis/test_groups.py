"""Events of one regency that are handled in one transaction: each has its effect once, and the guilty one is found."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.database import Database
from services.chassis.errors import Blocked, DatabaseUnavailable, DomainError, PermanentFailure
from services.chassis.events import Envelope, Event, read_log
from services.chassis.handling import DEADLY, MOST_BEGINNINGS
from tests.integration.chassis.conftest import schema
from tests.integration.chassis.consuming import Consumer, copies, event, rows
from tests.messages import first_words, watched

pytestmark = pytest.mark.integration


@pytest.fixture
def consumer(database) -> Consumer:
    return Consumer(database)


def numbered(regency: str, first: int, last: int) -> list[Envelope]:
    return [event(regency, number) for number in range(first, last + 1)]


def only(number: int, action: Callable[[Any, Envelope], None]) -> Callable[[Any, Envelope], None]:
    """Do something for one event alone."""
    return lambda work, current: action(work, current) if current.sequence == number else None


def raising(error: BaseException) -> Callable[[Any, Envelope], None]:
    def act(work: Any, current: Envelope) -> None:
        raise error

    return act


def counted(consumer: Consumer, outcome: str) -> float:
    return metrics.EVENTS_HANDLED.labels(consumer.name, "entry.added", outcome)._value.get()


def test_a_group_has_its_effect_in_one_transaction(consumer, administration, regency, monkeypatch):
    consumer.inbox.receive(event(regency, 21))  # on a connection that is new
    messages = watched(monkeypatch)
    assert consumer.inbox.receive_together(numbered(regency, 1, 20)) == 20
    assert [first_words(message)[-1] for message in messages] == ["WITH", *["INSERT"] * 20, "COMMIT"], "claimed and committed once"
    assert len(copies(administration, regency)) == 21
    assert {row.status for row in rows(administration, regency).values()} == {"handled"}
    assert counted(consumer, "handled") == 21


def test_what_arrived_before_or_stands_twice_in_the_group_is_not_handled_again(consumer, administration, regency):
    consumer.inbox.receive(event(regency, 2))
    given = [event(regency, number) for number in (4, 1, 2, 3, 1, 4, 2)]
    assert consumer.inbox.receive_together(given) == 3
    assert sorted(consumer.calls) == [1, 2, 3, 4]
    assert len(copies(administration, regency)) == 4
    assert (counted(consumer, "handled"), counted(consumer, "duplicate")) == (4, 4)


def test_what_the_mark_has_passed_is_not_handled_again(consumer, database, administration, regency):
    consumer.inbox.receive_together(numbered(regency, 1, 3))
    administration.run(
        f"INSERT INTO {schema(regency)}.stream_mark VALUES (:consumer, :source, 3)", consumer=consumer.name, source=event(regency, 1).source
    )
    administration.run(f"DELETE FROM {schema(regency)}.inbox")
    assert consumer.inbox.receive_together(numbered(regency, 1, 5)) == 2
    assert len(copies(administration, regency)) == 5


def test_events_of_several_streams_go_together(consumer, administration, regency):
    given = [event(regency, number, site=site) for number in (1, 2) for site in ("main", "annex")]
    assert consumer.inbox.receive_together(given) == 4
    assert len(copies(administration, regency)) == 4


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("broken"), "failed"), (PermanentFailure("never"), "dead")])
def test_one_of_twenty_that_fails_is_put_aside_alone(consumer, administration, regency, error, status):
    consumer.after = only(13, raising(error))
    given = numbered(regency, 1, 20)
    assert consumer.inbox.receive_together(given) is None
    assert rows(administration, regency) == {}, "nothing has happened"
    assert copies(administration, regency) == []
    outcomes = [consumer.inbox.receive(each) for each in given]
    assert outcomes == ["handled"] * 12 + [status] + ["handled"] * 7
    assert len(copies(administration, regency)) == 19
    assert [number for number, row in rows(administration, regency).items() if row.status == status] == [13]


def test_a_statement_that_the_database_refuses_is_found_out_like_any_failure(consumer, administration, regency):
    refused = sa.text("INSERT INTO trouble VALUES ('NIK 1807012345678901', NULL)")
    consumer.after = only(2, lambda work, current: work.execute(refused))
    assert consumer.inbox.receive_page(regency, numbered(regency, 1, 5)) == 5
    assert {number: row.status for number, row in rows(administration, regency).items()} == {
        **dict.fromkeys((1, 3, 4, 5), "handled"),
        2: "failed",
    }
    assert len(copies(administration, regency)) == 4
    assert administration.count(f"{schema(regency)}.handling") == 0


def test_two_replicas_with_overlapping_groups_wait_for_each_other_one_way_only(database, ledger_url, administration, regency):
    """Whatever order the events came in: both lock them in the same one, so neither is sent away."""
    another = Database("ledger", ledger_url)
    replicas = [Consumer(each, "mirror.overlapping") for each in (database, another)]
    for first in range(1, 301, 30):
        numbers = list(range(first, first + 30))
        start = threading.Barrier(2)

        def receive(replica: Consumer, order: list[int], start: threading.Barrier = start) -> int | None:
            start.wait(10)
            return replica.inbox.receive_together([event(regency, number) for number in order])

        with ThreadPoolExecutor(2) as threads:
            one = threads.submit(receive, replicas[0], numbers[:25])
            other = threads.submit(receive, replicas[1], numbers[:4:-1])
            results = (one.result(30), other.result(30))
        assert all(results)
        assert sum(result or 0 for result in results) == 30
    another.close()
    assert len(copies(administration, regency)) == len(set(copies(administration, regency))) == 300


def test_the_events_of_one_subject_stand_together_and_in_order(consumer, regency):
    """Two groups lock the subjects in one order, although their events are spread over the stream."""
    subjects = {1: "b", 2: "a", 3: "b", 4: "a", 5: "c"}
    consumer.inbox.receive_together([event(regency, number, subject=subject) for number, subject in subjects.items()])
    assert consumer.calls == [2, 4, 1, 3, 5]


def test_while_the_database_is_away_in_mid_group_nothing_has_happened_and_nobody_is_blamed(consumer, administration, regency):
    def lose_the_database(work, current) -> None:
        pid = work.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        administration.run("SELECT pg_terminate_backend(:pid)", pid=pid)
        work.execute(sa.text("SELECT 1"))

    consumer.after = only(3, lose_the_database)
    given = numbered(regency, 1, 6)
    with pytest.raises(DatabaseUnavailable):
        consumer.inbox.receive_together(given)
    assert rows(administration, regency) == {}
    assert copies(administration, regency) == []
    consumer.after = lambda work, current: None
    assert consumer.inbox.receive_together(given) == 6


def test_a_group_of_a_regency_that_is_not_there_is_refused(consumer):
    with pytest.raises(DomainError, match="regency_unknown"):
        consumer.inbox.receive_together(numbered("nowhere", 1, 3))


def test_a_lock_on_what_one_event_needs_holds_up_only_that_one(consumer, administration, regency, monkeypatch):
    """The group that met it fails as a whole; the next ones go alone for a while."""
    monkeypatch.setattr("services.chassis.inbox.LOCK_SECONDS", 0.1)
    administration.run(f"INSERT INTO {schema(regency)}.trouble VALUES ('locked', 1)")
    locked = sa.text("UPDATE trouble SET failures_left = 2 WHERE account = 'locked'")
    consumer.after = only(2, lambda work, current: work.execute(locked))
    given = numbered(regency, 1, 4)
    with administration.connection() as other:
        other.exec_driver_sql(f"UPDATE {schema(regency)}.trouble SET failures_left = 3")
        with pytest.raises(Blocked):
            consumer.inbox.receive_together(given)
        assert consumer.inbox.receive_together(given) is None
        assert [consumer.inbox.receive(each) for each in given if each.sequence != 2] == ["handled"] * 3
        with pytest.raises(Blocked):
            consumer.inbox.receive(given[1])
    assert consumer.inbox.receive(given[1]) == "handled"
    assert {row.status for row in rows(administration, regency).values()} == {"handled"}


class Death(BaseException):
    """Stands for the end of the process: nothing that comes after is done."""


def test_of_a_page_that_ended_the_process_the_deadly_one_is_found_and_the_others_are_handled(consumer, administration, regency):
    consumer.before = only(70, raising(Death()))
    page, deaths = numbered(regency, 1, 120), 0
    while True:
        try:
            consumer.inbox.receive_page(regency, page)
            break
        except Death:
            deaths += 1
            assert deaths < 20
    assert deaths == MOST_BEGINNINGS + 1
    found = {number: (row.status, row.reason) for number, row in rows(administration, regency).items() if row.status != "handled"}
    assert found == {70: ("dead", DEADLY)}
    assert len(copies(administration, regency)) == 119
    assert administration.count(f"{schema(regency)}.handling") == 0


def test_what_a_group_s_handlers_emit_belongs_to_the_trace_of_its_event(consumer, database, regency):
    consumer.after = lambda work, current: work.emit(Event("copy.made", current.subject, {}, site="main"))
    traces = [f"00-{number:032x}-b7ad6b7169203331-01" for number in (1, 2, 3)]
    consumer.inbox.receive_together([event(regency, number, traceparent=trace) for number, trace in enumerate(traces, start=1)])
    with database.regency_work(regency) as work:
        logged = read_log(work, f"/regencies/{regency}/ledger/sites/main", 0, 10)
    assert {told.subject: told.traceparent for told in logged} == dict(zip(("1", "2", "3"), traces, strict=True))


def test_of_replayed_events_in_a_group_nobody_is_told_again(consumer, database, administration, regency):
    administration.run(
        f"INSERT INTO {schema(regency)}.stream_mark (consumer, source, sequence, replay_until, replay_failed, replay_early)"
        " VALUES (:consumer, :source, 0, 3, '{2}', '{5}')",
        consumer=consumer.name,
        source=event(regency, 1).source,
    )
    seen: dict[int, bool] = {}

    def note(work, current) -> None:
        seen[current.sequence] = current.replayed
        work.emit(Event("copy.made", current.subject, {}, site="main"))

    consumer.after = note
    assert consumer.inbox.receive_together(numbered(regency, 1, 6)) == 6
    assert seen == {1: True, 2: False, 3: True, 4: False, 5: True, 6: False}
    with database.regency_work(regency) as work:
        logged = read_log(work, f"/regencies/{regency}/ledger/sites/main", 0, 10)
    assert sorted(told.subject for told in logged) == ["2", "4", "6"]


def test_what_comes_all_the_time_is_planned_once(consumer, regency):
    seen = []
    consumer.before = lambda work, _: seen.append(work.execute(sa.text("SELECT current_setting('plan_cache_mode')")).scalar_one())
    consumer.inbox.receive(event(regency, 1))
    consumer.inbox.receive_together([event(regency, number) for number in (2, 3)])
    assert seen == ["force_generic_plan"] * 3
