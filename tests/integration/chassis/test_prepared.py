"""Statements are planned once for a connection and a regency, and what was planned is never a reason to fail."""

import pytest
import sqlalchemy as sa

from services.chassis.database import Database
from services.chassis.errors import DatabaseUnavailable
from services.chassis.round_trips import BatchingConnection
from tests.integration.chassis.conftest import schema
from tests.messages import first_words, watched

pytestmark = pytest.mark.integration

INSERT = sa.text("INSERT INTO entry (account, amount) VALUES (:account, :amount)")
ALL = sa.text("SELECT * FROM entry WHERE account = :account")
PID = sa.text("SELECT pg_backend_pid()")
PLANS = sa.text("SELECT statement, custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE '%entry%account%'")
PREPARED = sa.text("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time")


@pytest.fixture
def narrow(provisioner, ledger_url):
    """A database with one connection."""
    database = Database("ledger", ledger_url, pool_size=1)
    yield database
    database.close()


def entries(database: Database, regency: str) -> list[str]:
    with database.regency_work(regency) as work:
        return [row.account for row in work.execute(ALL, {"account": "a"})]


def prepared(database: Database, regency: str) -> list[str]:
    with database.regency_work(regency) as work:
        return list(work.execute(PREPARED).scalars())


def test_a_statement_is_prepared_once_for_each_regency(narrow, new_regency):
    first, second = new_regency(), new_regency()
    for _ in range(3):
        for regency in (first, second):
            assert entries(narrow, regency) == []
    assert prepared(narrow, first).count("SELECT * FROM entry WHERE account = $1") == 2


def test_what_names_no_tables_is_prepared_once_for_all(narrow, new_regency):
    regencies = [new_regency() for _ in range(3)]
    for regency in regencies:
        entries(narrow, regency)
        with narrow.regency_work(regency) as work:
            work.execute(INSERT, {"account": "b", "amount": 1})
    with narrow.platform_work():
        pass
    statements = prepared(narrow, regencies[0])
    for text in ("BEGIN", "COMMIT"):
        assert statements.count(text) == 1
    assert len([text for text in statements if "set_config" in text]) == 2, "one for regencies, one for the platform"


def test_what_every_regency_does_all_the_time_is_planned_once(narrow, regency):
    for _ in range(3):
        with narrow.regency_work(regency, plan_once=True) as work:
            work.execute(INSERT, {"account": "a", "amount": 1})
        entries(narrow, regency)
    with narrow.regency_work(regency) as work:
        plans = {row.statement.split()[0]: (row.custom_plans, row.generic_plans) for row in work.execute(PLANS)}
    assert plans == {"INSERT": (0, 3), "SELECT": (3, 0)}


def test_who_is_stopped_in_the_middle_of_a_message_leaves_no_trace(narrow, regency, monkeypatch, caplog):
    def stopped(driver, *_):
        driver.pgconn.enter_pipeline_mode()
        driver.pgconn.send_query_params(b"SELECT pg_sleep(0.1)", None)
        driver.pgconn.pipeline_sync()
        driver.pgconn.flush()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(BatchingConnection, "run", stopped)
        with pytest.raises(KeyboardInterrupt):
            entries(narrow, regency)
    assert caplog.records == []
    assert entries(narrow, regency) == []


def test_each_regency_stays_with_a_connection_that_knows_it(provisioner, ledger_url, new_regency):
    database, regencies = Database("ledger", ledger_url, pool_size=3), [new_regency() for _ in range(3)]

    def backend(regency: str) -> int:
        with database.regency_work(regency) as work:
            return int(work.execute(PID).scalar_one())

    try:
        first = [backend(regency) for regency in regencies]
        assert len(set(first)) == 3
        assert [backend(regency) for regency in (*regencies, *reversed(regencies))] == [*first, *reversed(first)]
        with database.regency_work(regencies[0]), database.regency_work(regencies[0]) as beside:
            assert int(beside.execute(PID).scalar_one()) != first[0], "a connection that is taken serves nobody else"
    finally:
        database.close()


def test_a_connection_keeps_only_so_many(narrow, regency, monkeypatch):
    monkeypatch.setattr("services.chassis.round_trips.PREPARED_AT_MOST", 3)
    with narrow.regency_work(regency) as work:
        work.execute(INSERT, {"account": "a", "amount": 1})
    assert entries(narrow, regency) == entries(narrow, regency) == ["a"]
    assert len(prepared(narrow, regency)) == 3


def test_a_statement_that_fails_leaves_nothing_behind_that_fails(narrow, regency, monkeypatch):
    wrong = sa.text("SELECT nothing FROM entry")
    messages = watched(monkeypatch)

    def fail() -> None:
        with narrow.regency_work(regency) as work:
            work.later(INSERT, {"account": "a", "amount": 1})
            work.later(wrong, {})
            work.later(INSERT, {"account": "a", "amount": 2})
            work.flush()

    for _ in range(2):
        with pytest.raises(sa.exc.ProgrammingError):
            fail()
    assert first_words(messages[-1])[-4:] == ["INSERT", "SELECT", "INSERT", "SELECT"]
    assert entries(narrow, regency) == []


def test_numbers_of_any_size_meet_the_same_column(narrow, regency):
    amounts = (1, 40_000, 2_000_000_000)
    with narrow.regency_work(regency) as work:
        work.execute(INSERT, [{"account": "a", "amount": amount} for amount in amounts])
        assert [row.amount for row in work.execute(ALL, {"account": "a"})] == list(amounts)


def test_a_migration_under_way_disturbs_nobody_who_has_just_begun(narrow, administration, regency):
    assert entries(narrow, regency) == entries(narrow, regency) == []
    administration.run(f"ALTER TABLE {schema(regency)}.entry ADD COLUMN more text")
    assert entries(narrow, regency) == []


def test_a_migration_in_the_middle_means_try_again(narrow, administration, regency):
    assert entries(narrow, regency) == []

    def overtaken() -> None:
        with narrow.regency_work(regency) as work:
            work.execute(PID)
            administration.run(f"ALTER TABLE {schema(regency)}.entry ADD COLUMN more text")
            work.execute(ALL, {"account": "a"})

    with pytest.raises(DatabaseUnavailable):
        overtaken()
    assert entries(narrow, regency) == []


def test_a_regency_gets_the_connection_that_served_it_last(database, new_regency):
    first, second = new_regency(), new_regency()
    with database.regency_work(first) as one, database.regency_work(second) as other:
        served = {first: one.execute(PID).scalar_one(), second: other.execute(PID).scalar_one()}
    assert served[first] != served[second]
    for regency in (first, second, second, first):
        with database.regency_work(regency) as work:
            assert work.execute(PID).scalar_one() == served[regency]
