"""An event has its effect once, whatever the broker does; a handler that fails is tried again, and not for ever."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.database import Database
from services.chassis.dead_letters import replay_dead_letter
from services.chassis.errors import Blocked, Busy, DatabaseUnavailable, DomainError, PermanentFailure
from services.chassis.events import Envelope, Event, read_log
from services.chassis.handling import DEADLY, MOST_BEGINNINGS
from services.chassis.outcomes import FIRST_PAUSE, MAX_ATTEMPTS
from tests.integration.chassis.conftest import schema
from tests.integration.chassis.consuming import Consumer, SteppedClock, copies, event, rows
from tests.messages import first_words, watched

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


def counted(consumer: Consumer, outcome: str) -> float:
    return metrics.EVENTS_HANDLED.labels(consumer.name, "entry.added", outcome)._value.get()


def test_an_event_that_comes_twice_has_its_effect_once(consumer, administration, regency):
    first, again = consumer.inbox.receive(event(regency, 1)), consumer.inbox.receive(event(regency, 1))
    assert (first, again) == ("handled", "duplicate")
    assert consumer.calls == [1]
    assert copies(administration, regency) == [event(regency, 1).id]


def test_an_event_that_comes_eight_times_at_once_has_its_effect_once(consumer, administration, regency):
    start = threading.Barrier(8)

    def deliver(_: int) -> str:
        start.wait(10)
        return consumer.inbox.receive(event(regency, 1))

    with ThreadPoolExecutor(8) as threads:
        outcomes = sorted(threads.map(deliver, range(8)))
    assert outcomes == ["duplicate"] * 7 + ["handled"]
    assert len(copies(administration, regency)) == 1


def test_order_does_not_matter(consumer, administration, regency):
    assert {consumer.inbox.receive(event(regency, number)) for number in (3, 1, 4, 2)} == {"handled"}
    assert len(copies(administration, regency)) == 4


def test_two_consumers_of_one_service_each_get_every_event(stepped, administration, regency):
    one, other = Consumer(stepped), Consumer(stepped)
    for each in (one, other, one, other):
        each.inbox.receive(event(regency, 1))
    assert len(copies(administration, regency)) == 2


def test_the_same_number_in_another_stream_is_another_event(consumer, administration, regency):
    assert {consumer.inbox.receive(event(regency, 1, site=site)) for site in ("main", "annex")} == {"handled"}


def test_a_handler_that_fails_leaves_no_effect_but_a_row_to_try_again_from(consumer, administration, clock, regency):
    consumer.fail_times(1, RuntimeError("no such thing: 1807..."))
    given = event(regency, 1)
    assert consumer.inbox.receive(given) == "failed"
    assert copies(administration, regency) == []
    row = rows(administration, regency)[1]
    assert (row.status, row.attempts, str(row.event_id)) == ("failed", 1, given.id)
    assert row.payload == given.to_cloudevent()
    assert timedelta(0) < row.next_attempt_at - clock.now() <= timedelta(seconds=FIRST_PAUSE)
    assert consumer.inbox.receive(given) == "duplicate", "the broker's next delivery changes nothing"


def test_the_reason_is_kept_without_values_that_may_be_personal(consumer, administration, regency):
    consumer.after = lambda work, event: work.execute(sa.text("INSERT INTO trouble VALUES ('NIK 1807012345678901', NULL)")) and None
    consumer.inbox.receive(event(regency, 1))
    consumer.fail_times(1, DomainError("site_unknown", site="x"))
    consumer.inbox.receive(event(regency, 2))
    reasons = {number: row.reason for number, row in rows(administration, regency).items()}
    assert reasons == {1: "IntegrityError: ", 2: "site_unknown"}


def retry_after(consumer: Consumer, clock: SteppedClock, regency: str, seconds: float) -> int:
    clock.advance(seconds)
    return consumer.inbox.retry(regency)


def test_a_handler_that_fails_thrice_succeeds_the_fourth_time_and_has_its_effect_once(consumer, administration, clock, regency):
    consumer.fail_times(3, RuntimeError())
    assert consumer.inbox.receive(event(regency, 1)) == "failed"
    assert consumer.inbox.troubled == {regency}
    assert retry_after(consumer, clock, regency, 0) == 1
    assert consumer.calls == [1], "not before its time"
    assert retry_after(consumer, clock, regency, 1) == 1
    assert rows(administration, regency)[1].attempts == 2
    assert retry_after(consumer, clock, regency, 2) == 1
    assert retry_after(consumer, clock, regency, 4) == 0
    row = rows(administration, regency)[1]
    assert (row.status, row.attempts, row.payload, row.reason) == ("handled", 4, None, None)
    assert copies(administration, regency) == [event(regency, 1).id]


def test_a_handler_that_always_fails_is_given_up_after_the_last_attempt(consumer, administration, clock, regency):
    given_up = metrics.DEAD_LETTERS.labels(consumer.name, "entry.added")._value
    before = given_up.get()
    consumer.fail_times(float("inf"), ValueError("never"))
    consumer.inbox.receive(event(regency, 1))
    for _ in range(MAX_ATTEMPTS + 2):
        retry_after(consumer, clock, regency, 1000)
    row = rows(administration, regency)[1]
    assert (row.status, row.attempts, row.next_attempt_at, row.reason) == ("dead", MAX_ATTEMPTS, None, "ValueError: never")
    assert row.payload == event(regency, 1, time=row.received_at).to_cloudevent() | {"time": row.payload["time"]}
    assert consumer.calls == [1] * MAX_ATTEMPTS
    assert given_up.get() == before + 1


def test_a_permanent_failure_is_given_up_at_once(consumer, administration, regency):
    consumer.fail_times(1, PermanentFailure("cannot be mirrored"))
    assert consumer.inbox.receive(event(regency, 1)) == "dead"
    row = rows(administration, regency)[1]
    assert (row.status, row.attempts, row.reason) == ("dead", 1, "PermanentFailure: cannot be mirrored")
    assert consumer.inbox.retry(regency) == 0, "nothing is left to try"


def test_a_permanent_failure_in_a_retry_is_given_up_at_once_too(consumer, administration, clock, regency):
    consumer.fail_times(1, RuntimeError())
    consumer.inbox.receive(event(regency, 1))
    consumer.fail_times(1, PermanentFailure())
    assert retry_after(consumer, clock, regency, 1) == 0
    assert rows(administration, regency)[1].status == "dead"


def test_one_that_goes_on_failing_does_not_hold_up_the_others(consumer, administration, clock, regency):
    consumer.fail_times(3, RuntimeError())
    for number in (1, 2, 3):
        consumer.inbox.receive(event(regency, number))

    def fail_for_the_first(work, event) -> None:
        if event.sequence == 1:
            work.execute(sa.text("INSERT INTO trouble VALUES ('x', NULL)"))

    consumer.after = fail_for_the_first
    assert retry_after(consumer, clock, regency, 1) == 1
    assert {number: row.status for number, row in rows(administration, regency).items()} == {1: "failed", 2: "handled", 3: "handled"}


def test_replicas_that_retry_at_once_try_it_once(stepped, administration, clock, regency):
    replicas = [Consumer(stepped, "mirror.replicated") for _ in range(3)]
    replicas[0].fail_times(1, RuntimeError())
    replicas[0].inbox.receive(event(regency, 1))
    clock.advance(1)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda replica: replica.inbox.retry(regency), replicas))
    assert sum(len(replica.calls) for replica in replicas) == 2
    assert len(copies(administration, regency)) == 1


def test_while_the_database_is_away_nothing_is_counted_as_an_attempt(consumer, administration, clock, regency):
    def lose_the_database(work, _event) -> None:
        pid = work.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        administration.run("SELECT pg_terminate_backend(:pid)", pid=pid)
        work.execute(sa.text("SELECT 1"))

    consumer.before = lose_the_database
    with pytest.raises(DatabaseUnavailable):
        consumer.inbox.receive(event(regency, 1))
    assert rows(administration, regency) == {}

    consumer.before = lambda work, event: None
    consumer.fail_times(1, RuntimeError())
    consumer.inbox.receive(event(regency, 1))
    consumer.before = lose_the_database
    with pytest.raises(DatabaseUnavailable):
        retry_after(consumer, clock, regency, 1)
    assert rows(administration, regency)[1].attempts == 1

    consumer.before = lambda work, event: None
    assert consumer.inbox.retry(regency) == 0
    assert len(copies(administration, regency)) == 1


def test_a_deadlock_is_nobody_s_fault_and_no_attempt(consumer, administration, regency):
    def deadlock(work, _event) -> None:
        work.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$"))

    consumer.before = deadlock
    with pytest.raises(Busy):
        consumer.inbox.receive(event(regency, 1))
    assert rows(administration, regency) == {}


def test_an_event_of_a_regency_that_is_not_here_is_told_apart(consumer):
    with pytest.raises(DomainError, match="regency_unknown"):
        consumer.inbox.receive(event("not-provisioned", 1))


def test_what_a_handler_tells_is_committed_with_it_and_carries_the_trace(consumer, stepped, administration, regency):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    def tell(work, event) -> None:
        work.emit(Event("copy.made", event.subject, {}))
        if event.sequence == 2:
            raise PermanentFailure

    consumer.after = tell
    for number in (1, 2):
        consumer.inbox.receive(event(regency, number, traceparent=trace))
    with stepped.regency_work(regency) as work:
        told = read_log(work, f"/regencies/{regency}/ledger", 0, 10)
    assert [(each.subject, each.traceparent) for each in told] == [("1", trace)]
    assert administration.count(f"{schema(regency)}.copy") == 1


def test_every_outcome_is_counted(consumer, regency):
    consumer.inbox.receive(event(regency, 1))
    consumer.inbox.receive(event(regency, 1))
    consumer.fail_times(1, RuntimeError())
    consumer.inbox.receive(event(regency, 2))
    consumer.fail_times(1, PermanentFailure())
    consumer.inbox.receive(event(regency, 3))
    outcomes = ("handled", "duplicate", "failed", "dead")
    assert {outcome: counted(consumer, outcome) for outcome in outcomes} == dict.fromkeys(outcomes, 1)


# --- what PostgreSQL refuses to keep


def unstorable(regency: str, number: int) -> Envelope:
    """An event with a text in it that JSON knows and PostgreSQL does not."""
    return event(regency, number, amount=1, account="nul \x00 character")


def test_an_event_that_cannot_even_be_put_aside_is_dead_without_its_payload(consumer, administration, regency):
    before = metrics.DEAD_LETTERS.labels(consumer.name, "entry.added")._value.get()
    assert consumer.inbox.receive(unstorable(regency, 1)) == "dead"
    row = rows(administration, regency)[1]
    assert (row.status, row.payload, row.attempts, row.next_attempt_at) == ("dead", None, 1, None)
    assert row.reason.startswith("its payload cannot be stored (UntranslatableCharacter); ")
    assert "nul" not in row.reason
    assert metrics.DEAD_LETTERS.labels(consumer.name, "entry.added")._value.get() == before + 1
    assert consumer.inbox.receive(unstorable(regency, 1)) == "duplicate"


def test_it_does_not_stop_those_behind_it_in_the_log(consumer, administration, regency):
    assert consumer.inbox.receive_page(regency, [event(regency, 1), unstorable(regency, 2), event(regency, 3)]) == 3
    assert {number: row.status for number, row in rows(administration, regency).items()} == {1: "handled", 2: "dead", 3: "handled"}


def test_a_payload_that_cannot_be_read_stops_no_retries(consumer, administration, clock, regency):
    consumer.fail_times(2, RuntimeError())
    for number in (1, 2):
        consumer.inbox.receive(event(regency, number))
    administration.run(f"UPDATE {schema(regency)}.inbox SET payload = '{{}}', next_attempt_at = '2020-01-01' WHERE sequence = 1")
    assert retry_after(consumer, clock, regency, 1) == 0
    assert {number: row.status for number, row in rows(administration, regency).items()} == {1: "dead", 2: "handled"}


# --- what ends the process


class Death(BaseException):
    """As far as the database is concerned, the end of the process."""


def die(work, event) -> None:
    raise Death


def deaths(consumer: Consumer, receive: Callable[[], object], most: int = 20) -> int:
    """How often a consumer dies of something until it goes on."""
    for count in range(most):
        try:
            receive()
        except Death:
            continue
        return count
    raise AssertionError(f"still dying after {most} times")


def test_an_event_that_ends_the_process_each_time_the_broker_brings_it_is_given_up(consumer, administration, regency):
    consumer.before = die
    with pytest.raises(Death):
        consumer.inbox.receive(event(regency, 1))
    assert administration.count(f"{schema(regency)}.handling") == 0, "the first time costs nothing"
    assert deaths(consumer, lambda: consumer.inbox.receive(event(regency, 1), again=True)) == MOST_BEGINNINGS
    row = rows(administration, regency)[1]
    assert (row.status, row.reason, row.payload["subject"]) == ("dead", DEADLY, "1")
    assert administration.count(f"{schema(regency)}.handling") == 0


def test_an_event_that_ends_the_process_each_time_it_is_fetched_is_given_up_and_no_other(consumer, administration, regency):
    events = [event(regency, number) for number in range(1, 6)]
    consumer.before = lambda work, current: die(work, current) if current.sequence == 3 else None
    assert deaths(consumer, lambda: consumer.inbox.receive_page(regency, events)) == MOST_BEGINNINGS + 1
    assert {number: row.status for number, row in rows(administration, regency).items()} == {
        **dict.fromkeys((1, 2, 4, 5), "handled"),
        3: "dead",
    }
    assert len(copies(administration, regency)) == 4
    assert administration.count(f"{schema(regency)}.handling") == 0


def test_an_event_that_ends_the_process_in_a_retry_is_given_up(consumer, administration, clock, regency):
    consumer.fail_times(1, RuntimeError())
    consumer.inbox.receive(event(regency, 1))
    consumer.before = die

    def later() -> int:
        clock.advance(60)  # the retry belongs to the dead one for a while
        return consumer.inbox.retry(regency)

    assert deaths(consumer, later) == MOST_BEGINNINGS
    row = rows(administration, regency)[1]
    assert (row.status, row.reason) == ("dead", DEADLY)
    assert administration.count(f"{schema(regency)}.handling") == 0


def test_one_that_was_given_up_for_that_can_be_replayed(consumer, stepped, administration, clock, regency):
    consumer.before = die
    deaths(consumer, lambda: consumer.inbox.receive(event(regency, 1), again=True))
    consumer.before = lambda work, current: None
    with stepped.regency_work(regency) as work:
        assert replay_dead_letter(work, event(regency, 1).id) == 1
    clock.advance(1)
    assert consumer.inbox.retry(regency) == 0
    assert copies(administration, regency) == [event(regency, 1).id]


def test_while_one_dies_in_a_retry_no_other_begins_it(stepped, administration, clock, regency):
    dying, other = Consumer(stepped, "mirror.leased"), Consumer(stepped, "mirror.leased")
    dying.fail_times(1, RuntimeError())
    dying.inbox.receive(event(regency, 1))
    dying.before = die
    clock.advance(1)
    with pytest.raises(Death):
        dying.inbox.retry(regency)
    assert other.inbox.retry(regency) == 1
    assert other.calls == []
    clock.advance(60)
    assert other.inbox.retry(regency) == 0
    assert len(copies(administration, regency)) == 1


def test_an_absent_database_is_not_taken_for_a_death(consumer, administration, regency):
    def lose_the_database(work, _event) -> None:
        pid = work.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        administration.run("SELECT pg_terminate_backend(:pid)", pid=pid)
        work.execute(sa.text("SELECT 1"))

    consumer.before = lose_the_database
    for _ in range(2 * MOST_BEGINNINGS):
        with pytest.raises(DatabaseUnavailable):
            consumer.inbox.receive(event(regency, 1), again=True)
    consumer.before = lambda work, current: None
    assert consumer.inbox.receive(event(regency, 1), again=True) == "handled"


def test_one_that_is_still_being_handled_elsewhere_is_not_given_up(stepped, administration, regency):
    """The broker lost the connection of who has it, and hands it out again and again; the first is only slow."""
    slow, others = Consumer(stepped, "mirror.slow"), Consumer(stepped, "mirror.slow")
    begun, go_on = threading.Event(), threading.Event()

    def take_time(work, current) -> None:
        begun.set()
        go_on.wait(10)

    slow.before = take_time
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(slow.inbox.receive, event(regency, 1))
        assert begun.wait(10)
        for _ in range(MOST_BEGINNINGS + 1):
            with pytest.raises(Busy):
                others.inbox.receive(event(regency, 1), again=True)
        go_on.set()
        assert first.result(10) == "handled"
    assert others.inbox.receive(event(regency, 1), again=True) == "duplicate"
    assert administration.count(f"{schema(regency)}.handling") == 0


def test_an_event_on_its_first_way_costs_one_statement_beside_its_handler(consumer, regency, monkeypatch):
    consumer.inbox._handler = lambda work, event: None
    consumer.inbox.receive(event(regency, 1))  # on a connection that is new
    messages = watched(monkeypatch)
    consumer.inbox.receive(event(regency, 2))
    assert [first_words(message) for message in messages] == [["BEGIN", "SELECT", "INSERT"], ["COMMIT"]], (
        "the regency is entered with the claim"
    )


# --- a lock that somebody keeps


def test_a_locked_table_is_nobody_s_failure_and_holds_a_connection_for_seconds_only(consumer, administration, regency, monkeypatch):
    monkeypatch.setattr("services.chassis.inbox.LOCK_SECONDS", 0.1)
    with administration.connection() as other:
        other.exec_driver_sql(f"LOCK TABLE {schema(regency)}.copy")
        with pytest.raises(Blocked):
            consumer.inbox.receive(event(regency, 1))
    assert rows(administration, regency) == {}
    assert consumer.inbox.receive(event(regency, 1)) == "handled"
