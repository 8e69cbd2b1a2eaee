"""The event log is kept by month: prepared ahead, cut after its retention, and never in the way of what happens."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from services.chassis import commands
from services.chassis.database import Database
from services.chassis.events import read_log
from services.chassis.extensions import upkeep
from tests.integration.chassis.conftest import added, call, schema

pytestmark = pytest.mark.integration


class Calendar:
    """A clock that stands where the test puts it."""

    def __init__(self, *date: int) -> None:
        self.set(*date)

    def set(self, year: int, month: int, day: int = 15) -> None:
        self._now = datetime(year, month, day, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now


@pytest.fixture
def clock() -> Calendar:
    return Calendar(2020, 1)


@pytest.fixture
def timed(ledger_url, regency, clock):
    database = Database("ledger", ledger_url, clock=clock)
    yield database
    database.close()


def rows_by_partition(administration, regency: str) -> dict[str, int]:
    where = schema(regency)
    rows = administration.run(f"SELECT tableoid::regclass::text, count(*) FROM {where}.event_log GROUP BY 1")
    return {name.rpartition(".")[2]: count for name, count in rows}


def partitions(administration, regency: str) -> set[str]:
    where = schema(regency)
    rows = administration.run(f"SELECT relid::regclass::text FROM pg_partition_tree('{where}.event_log') WHERE isleaf")
    return {name.rpartition(".")[2] for (name,) in rows}


def happen(database: Database, regency: str, count: int = 1) -> None:
    with database.regency_work(regency) as work:
        for number in range(count):
            work.emit(added(f"account-{number}"))


def sequences(database: Database, regency: str) -> list[int]:
    with database.regency_work(regency) as work:
        return [event.sequence for event in read_log(work, f"/regencies/{regency}/ledger/sites/main", 0, 1000)]


def test_provisioning_prepares_this_month_and_two_ahead(administration, regency):
    now = datetime.now(UTC)
    months = [now.year * 12 + now.month - 1 + ahead for ahead in (0, 1, 2)]
    names = {f"event_log_{month // 12}{month % 12 + 1:02}" for month in months}
    assert partitions(administration, regency) == names | {"event_log_rest"}


def test_upkeep_prepares_months_ahead_also_over_the_turn_of_the_year(administration, timed, regency, clock):
    clock.set(2019, 12)
    upkeep(timed, 24)
    assert {"event_log_201912", "event_log_202001", "event_log_202002"} <= partitions(administration, regency)
    happen(timed, regency)
    assert rows_by_partition(administration, regency) == {"event_log_201912": 1}


def test_a_month_begins_and_ends_at_midnight_utc(administration, timed, regency, clock):
    upkeep(timed, 24)
    for instant in (
        datetime(2020, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2020, 2, 1, tzinfo=UTC),
    ):
        clock._now = instant
        happen(timed, regency)
    assert rows_by_partition(administration, regency) == {"event_log_202001": 1, "event_log_202002": 1}


def test_upkeep_can_be_repeated(administration, timed, regency):
    upkeep(timed, 24)
    before = partitions(administration, regency)
    upkeep(timed, 24)
    assert partitions(administration, regency) == before


def test_what_happens_in_a_month_that_nobody_prepared_is_kept(administration, timed, regency, clock):
    clock.set(2021, 7)
    happen(timed, regency, 3)
    assert rows_by_partition(administration, regency) == {"event_log_rest": 3}
    assert sequences(timed, regency) == [1, 2, 3]


def test_a_month_prepared_late_takes_what_was_kept_for_it(administration, timed, regency, clock):
    """The default partition must not hold rows of a month that is made, else it could never be made (nor cut)."""
    clock.set(2021, 7)
    happen(timed, regency, 3)
    clock.set(2021, 9)
    happen(timed, regency)
    clock.set(2021, 8)
    upkeep(timed, 24)
    happen(timed, regency)
    assert rows_by_partition(administration, regency) == {"event_log_rest": 3, "event_log_202108": 1, "event_log_202109": 1}
    clock.set(2021, 7)
    upkeep(timed, 24)
    assert rows_by_partition(administration, regency) == {"event_log_202107": 3, "event_log_202108": 1, "event_log_202109": 1}
    assert sequences(timed, regency) == [1, 2, 3, 4, 5]


def test_months_beyond_the_retention_are_cut(administration, timed, regency, clock):
    for month in (1, 2, 3):
        clock.set(2020, month)
        upkeep(timed, 24)
        happen(timed, regency)
    clock.set(2020, 5)
    upkeep(timed, 3)
    assert rows_by_partition(administration, regency) == {"event_log_202002": 1, "event_log_202003": 1}, "three full months and this one"
    assert sequences(timed, regency) == [2, 3]
    happen(timed, regency)
    assert sequences(timed, regency)[-1] == 4, "the stream goes on"


def test_whatever_is_asked_for_this_month_and_the_one_before_are_not_cut(database, regency):
    happen(database, regency)
    with database.platform_work() as work:
        cut = work.execute(sa.text("SELECT platform.cut_event_log(:schema, '2999-01-01')"), {"schema": schema(regency)})
        assert cut.scalar_one() == 0
    assert sequences(database, regency) == [1]


def test_upkeep_forgets_command_ids_after_two_days(administration, timed, regency, clock):
    clock.set(2020, 1, 10)
    with timed.regency_work(regency, context=call(regency, command_id="old")) as work:
        commands.once(work, "add_entry", {}, dict)
    clock.set(2020, 1, 12)
    with timed.regency_work(regency, context=call(regency, command_id="fresh")) as work:
        commands.once(work, "add_entry", {}, dict)
    upkeep(timed, 24)
    assert administration.count(f"{schema(regency)}.command_inbox") == 2, "exactly two days are kept"
    clock._now = clock._now.replace(minute=5)
    upkeep(timed, 24)
    assert administration.run(f"SELECT command_id FROM {schema(regency)}.command_inbox") == [("fresh",)]


def test_upkeep_of_one_regency_does_not_fail_for_the_sake_of_another(administration, timed, new_regency, clock):
    broken, sound = sorted((new_regency(), new_regency()))
    administration.run(f"ALTER TABLE {schema(broken)}.command_inbox RENAME TO command_inbox_away")
    clock.set(2023, 3)
    with pytest.raises(Exception, match=r"."):  # told, after all the others were served
        upkeep(timed, 24)
    assert "event_log_202303" in partitions(administration, sound)
    administration.run(f"ALTER TABLE {schema(broken)}.command_inbox_away RENAME TO command_inbox")


def test_upkeep_does_not_wait_long_for_a_reader_of_the_log(administration, timed, regency, clock):
    """Nor do commands wait behind it: a lock that waits holds up all that come after it."""
    clock.set(2024, 4)
    with administration.connection() as reader:
        reader.exec_driver_sql(f"LOCK TABLE {schema(regency)}.event_log_rest IN ACCESS SHARE MODE")
        happen(timed, regency)
        reasons: list[Any] = []
        try:
            upkeep(timed, 24)
        except Exception as error:  # noqa: BLE001  (either is fine: put off, or done)
            reasons.append(error)
        happen(timed, regency)
    upkeep(timed, 24)
    assert rows_by_partition(administration, regency) == {"event_log_202404": 2}
