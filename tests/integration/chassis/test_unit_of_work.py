"""State, events, the command's result and its audit row are one transaction, bounded by the caller's deadline."""

import contextlib
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError

from services.chassis import audit, commands, metrics
from services.chassis.context import Actor
from services.chassis.database import Database
from services.chassis.errors import Busy, DatabaseUnavailable, DeadlineExceeded
from services.chassis.events import read_log
from tests.integration.chassis.conftest import NOTHING, added, call, facts, schema
from tests.processes import CHECKOUT, eventually

pytestmark = pytest.mark.integration

INSERT = sa.text("INSERT INTO entry (account, amount) VALUES (:account, 1)")
COUNT = sa.text("SELECT count(*) FROM entry")


def add(database: Database, regency: str, account: str = "a") -> None:
    with database.regency_work(regency) as work:
        work.execute(INSERT, {"account": account})


def add_and_tell(database: Database, regency: str) -> None:
    with database.regency_work(regency) as work:
        work.execute(INSERT, {"account": "a"})
        work.emit(added())


# --- all or nothing


class Failure(Exception):
    pass


def command(database: Database, regency: str, *, fail_at: str = "", seconds: float = 5.0, result: object = None) -> None:
    """A command as the entrypoint runs it, that fails where it is told to."""

    def reach(step: str) -> None:
        if fail_at == step:
            raise Failure(step)

    officer = Actor("officer@x", "officer", regency)
    context = call(regency, seconds=seconds, command_id="k", actor=officer)
    with database.regency_work(regency, context=context) as work:

        def handle() -> dict:
            reach("before anything was done")
            work.execute(INSERT, {"account": "a"})
            reach("after the state was changed")
            work.emit(added(amount=object() if fail_at == "the event cannot be written" else 1))
            reach("after the event was told")
            if fail_at == "the deadline passes in the meantime":
                time.sleep(max(0.0, context.remaining()))
            audit.record(work, "add_entry", {}, {"id": 7})
            return {"id": object() if fail_at == "the result cannot be stored" else 7}

        commands.once(work, "add_entry", {}, handle)
        reach("after the result was stored")


def test_state_event_result_and_audit_row_are_committed_together(database, administration, regency):
    command(database, regency)
    assert facts(administration, regency) == {
        "entries": 1,
        "logged": 1,
        "streams": {f"/regencies/{regency}/ledger/sites/main": 1},
        "commands": 1,
        "audited": 1,
        "outbox": 1,
    }


@pytest.mark.parametrize(
    "fail_at",
    [
        "before anything was done",
        "after the state was changed",
        "the event cannot be written",
        "after the event was told",
        "the result cannot be stored",
        "after the result was stored",
        "the deadline passes in the meantime",
    ],
)
def test_a_command_that_fails_at_any_step_leaves_nothing(database, administration, regency, fail_at):
    with pytest.raises((Failure, TypeError, DeadlineExceeded)):
        command(database, regency, fail_at=fail_at, seconds=0.3 if "deadline" in fail_at else 5.0)
    assert facts(administration, regency) == NOTHING
    command(database, regency)  # and stands in the way of nothing
    assert facts(administration, regency)["streams"] == {f"/regencies/{regency}/ledger/sites/main": 1}


def test_what_the_outbox_refuses_takes_the_state_with_it(database, administration, regency):
    """The last statement before the commit fails in PostgreSQL itself."""
    administration.run(f"ALTER TABLE {schema(regency)}.stream ADD CHECK (sequence < 2)")
    command(database, regency)
    with pytest.raises(IntegrityError):
        add_and_tell(database, regency)
    assert facts(administration, regency)["entries"] == 1


def test_an_attempt_undoes_itself_and_its_events_only(database, regency):
    with database.regency_work(regency) as work:
        work.emit(added("kept"))
        with suppress(Failure), work.attempt():
            work.execute(INSERT, {"account": "undone"})
            work.emit(added("undone"))
            raise Failure
        with work.attempt():
            work.execute(INSERT, {"account": "kept"})
            work.emit(added("kept too"))
    with database.regency_work(regency) as work:
        assert work.execute(sa.text("SELECT account FROM entry")).scalars().all() == ["kept"]
        logged = read_log(work, f"/regencies/{regency}/ledger/sites/main", 0, 10)
    assert [event.subject for event in logged] == ["kept", "kept too"]


def test_the_relay_is_woken_after_commits_with_events_only(database, administration, regency):
    seen = []
    database.committed.append(lambda: seen.append(facts(administration, regency)["outbox"]))
    add(database, regency)
    with suppress(Failure), database.regency_work(regency) as work:
        work.emit(added())
        raise Failure
    assert seen == []
    add_and_tell(database, regency)
    assert seen == [1], "once, and what it is woken for can be seen"


def test_one_instant_holds_for_the_whole_unit(ledger_url, provisioner, regency):
    class Clock:
        def now(self) -> datetime:
            return datetime.now(UTC)

    database = Database("ledger", ledger_url, clock=Clock())
    with database.regency_work(regency, context=call(regency, traceparent="00-a-b-01")) as work:
        instant = work.now
        time.sleep(0.002)
        assert work.now == instant
        assert instant.tzinfo is UTC
        work.emit(added())
    with database.regency_work(regency) as work:
        (event,) = read_log(work, f"/regencies/{regency}/ledger/sites/main", 0, 10)
    database.close()
    assert (event.time, event.traceparent) == (instant, "00-a-b-01")


def test_a_query_cannot_write(database, regency):
    with pytest.raises(InternalError, match="read-only"), database.regency_work(regency, read_only=True) as work:
        work.execute(INSERT, {"account": "a"})
    for _ in range(6):  # none of the connections remembers it
        add(database, regency)


# --- in time


def test_a_unit_of_work_whose_deadline_is_over_does_not_begin(database, regency):
    with pytest.raises(DeadlineExceeded), database.regency_work(regency, context=call(regency, seconds=-0.1)):
        raise AssertionError("began")


def took(action) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def test_a_slow_statement_ends_at_the_deadline(database, regency):
    def slow() -> None:
        with pytest.raises(DeadlineExceeded), database.regency_work(regency, context=call(regency, seconds=0.4)) as work:
            work.execute(sa.text("SELECT pg_sleep(20)"))

    assert took(slow) < 2


def test_waiting_for_a_lock_ends_at_the_deadline(database, regency):
    add(database, regency)

    def blocked() -> None:
        with pytest.raises(DeadlineExceeded), database.regency_work(regency, context=call(regency, seconds=0.4)) as work:
            work.execute(sa.text("UPDATE entry SET amount = 2"))

    with database.regency_work(regency) as holder:
        holder.execute(sa.text("UPDATE entry SET amount = 3"))
        assert took(blocked) < 2


def test_the_time_limit_of_one_unit_is_not_that_of_the_next(ledger_url, provisioner, regency):
    database = Database("ledger", ledger_url, pool_size=1)
    with pytest.raises(DeadlineExceeded), database.regency_work(regency, context=call(regency, seconds=0.2)) as work:
        work.execute(sa.text("SELECT pg_sleep(20)"))
    with database.regency_work(regency, context=call(regency, seconds=9)) as work:
        limits = work.execute(sa.text("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")).one()
    assert {limit.removesuffix("ms").removesuffix("s") for limit in limits} <= {"9", *map(str, range(8000, 9001))}
    with database.platform_work() as platform:
        assert platform.execute(sa.text("SELECT current_setting('lock_timeout')")).scalar_one() != "0", "no lock is waited for for ever"
    database.close()


def test_transactions_that_block_each_other_end_as_busy_not_as_a_fault(database, regency):
    for account in ("a", "b"):
        add(database, regency, account)
    change = sa.text("UPDATE entry SET amount = amount + 1 WHERE account = :account")
    both_hold = threading.Barrier(2)

    def cross(first: str, second: str) -> str:
        try:
            with database.regency_work(regency) as work:
                work.execute(change, {"account": first})
                both_hold.wait(5)
                work.execute(change, {"account": second})
        except Busy:
            return "busy"
        return "done"

    with ThreadPoolExecutor(2) as threads:
        outcomes = [threads.submit(cross, "a", "b"), threads.submit(cross, "b", "a")]
        assert sorted(outcome.result() for outcome in outcomes) == ["busy", "done"]


# --- connections


@pytest.fixture
def exhausted(ledger_url, provisioner, regency):
    """A pool whose only connection is in use."""
    database = Database("ledger", ledger_url, pool_size=1)
    with database.regency_work(regency):
        yield database
    database.close()


def test_without_a_free_connection_work_is_refused_as_busy_within_its_deadline(exhausted, regency):
    def refused() -> None:
        with pytest.raises(Busy), exhausted.regency_work(regency, context=call(regency, seconds=0.3)):
            pass

    assert took(refused) < 2.5


def test_who_waits_for_a_connection_gets_it_when_it_is_free_and_is_counted_meanwhile(ledger_url, provisioner, regency):
    database = Database("ledger", ledger_url, pool_size=1)
    waiters = metrics.DATABASE_POOL_WAITERS.labels("ledger")._value
    with ThreadPoolExecutor(3) as threads:
        with database.regency_work(regency):
            waiting = [threads.submit(add, database, regency) for _ in range(3)]
            eventually(lambda: waiters.get() == 3)
        for done in waiting:
            done.result(5)
    assert waiters.get() == 0
    database.close()


def test_a_pool_serves_many_regencies_with_few_connections(ledger_url, provisioner, administration, new_regency):
    database = Database("ledger", ledger_url)
    regencies = [new_regency() for _ in range(8)]
    with ThreadPoolExecutor(24) as threads:
        for done in [threads.submit(add, database, regencies[number % 8]) for number in range(96)]:
            done.result(10)
    # Those of the test before are just leaving; the pool's own are kept.
    connections = "SELECT count(*) FROM pg_stat_activity WHERE usename = :login"
    eventually(lambda: administration.value(connections, login=sa.make_url(ledger_url).username) <= 5, within=5)
    database.close()


def terminate(administration, ledger_url: str) -> None:
    """End all connections of the service, as a restart or an impatient administrator does."""
    login = sa.make_url(ledger_url).username
    administration.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :login", login=login)
    eventually(lambda: administration.value("SELECT count(*) FROM pg_stat_activity WHERE usename = :login", login=login) == 0)


def test_connections_that_died_in_the_pool_are_replaced_without_anybody_noticing(database, administration, ledger_url, regency):
    meet = threading.Barrier(5)

    def use() -> None:
        with database.regency_work(regency) as work:
            meet.wait(5)
            work.execute(INSERT, {"account": "a"})

    with ThreadPoolExecutor(5) as threads:
        for _ in range(2):
            for done in [threads.submit(use) for _ in range(5)]:
                done.result()
            terminate(administration, ledger_url)
    add(database, regency)
    assert facts(administration, regency)["entries"] == 11


def test_a_connection_that_dies_at_work_means_unavailable_and_leaves_nothing(database, administration, ledger_url, regency):
    def work_while_connections_end(*, go_on: bool) -> None:
        with database.regency_work(regency) as work:
            work.execute(INSERT, {"account": "a"})
            terminate(administration, ledger_url)
            if go_on:  # else it is noticed at the commit only
                work.execute(INSERT, {"account": "b"})

    for go_on in (True, False):
        with pytest.raises(DatabaseUnavailable):
            work_while_connections_end(go_on=go_on)
    add(database, regency)
    assert facts(administration, regency)["entries"] == 1


def test_a_server_that_is_not_there_means_unavailable(regency):
    database = Database("ledger", "postgresql://ledger:x@127.0.0.1:1/ledger")
    for work in (database.regency_work(regency), database.platform_work()):
        with pytest.raises(DatabaseUnavailable), work:
            pass
    with pytest.raises(DatabaseUnavailable):
        database.check()


def test_one_statement_serves_regencies_whose_tables_differ_during_a_migration(ledger_url, provisioner, administration, new_regency):
    """A statement that was prepared for both would fail here: "cached plan must not change result type"."""
    database = Database("ledger", ledger_url, pool_size=1)
    old, new = new_regency(), new_regency()
    administration.run(f"ALTER TABLE {schema(new)}.entry ALTER COLUMN amount TYPE text")
    for slug in (old, new):
        with database.regency_work(slug) as work:
            work.execute(sa.text("INSERT INTO entry (account, amount) VALUES ('a', '1')"))
    seen = []
    for _ in range(12):
        for slug in (old, new):
            with database.regency_work(slug) as work:
                seen.append(work.execute(sa.text("SELECT amount FROM entry WHERE account = :account"), {"account": "a"}).scalar_one())
    database.close()
    assert seen == [1, "1"] * 12


def test_green_threads_that_wait_for_the_same_row_do_not_stop_the_process(ledger_url, regency):
    """psycopg's own wait would block the event loop, and with it the holder of the lock, for good."""
    program = f"""
import eventlet
eventlet.monkey_patch()
import sqlalchemy as sa
from services.chassis.database import Database

database = Database("ledger", {ledger_url!r})

def change(number):
    with database.regency_work({regency!r}, timeout=8.0) as work:
        work.execute(sa.text("INSERT INTO trouble VALUES ('row', 0) ON CONFLICT (account) DO UPDATE SET failures_left = 1"))
        eventlet.sleep(0.05)
    return number

threads = [eventlet.spawn(change, number) for number in range(4)]
import psycopg.waiting
print(sum(thread.wait() for thread in threads), psycopg.waiting.wait.__module__)
"""
    command_line = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command_line, cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.strip() == "6 services.chassis.green_waiting", done.stderr


def test_a_driver_s_error_that_is_a_broken_rule_stays_one(database, regency):
    with pytest.raises(DBAPIError), database.regency_work(regency) as work:
        work.execute(sa.text("INSERT INTO entry (account) VALUES (NULL)"))


def test_only_what_is_committed_is_measured(database, regency):
    shown: list[str] = []

    def give_up() -> None:
        raise RuntimeError

    with database.regency_work(regency) as work:
        work.measured.append(lambda: shown.append("before it began anew"))
        work.restart()
        with contextlib.suppress(RuntimeError), work.attempt():
            work.measured.append(lambda: shown.append("given up"))
            give_up()
        work.measured.append(lambda: shown.append("done"))
        assert shown == []
    assert shown == ["done"]
