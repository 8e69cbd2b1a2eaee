"""Every stream has one contiguous sequence, whatever happens at the same time."""

import random
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import sqlalchemy as sa

from services.chassis.events import read_log, stream_heads
from tests.integration.chassis.conftest import added, schema

pytestmark = pytest.mark.integration


class RolledBack(Exception):
    pass


def source(regency: str, site: str | None = "main") -> str:
    return f"/regencies/{regency}/ledger" + (f"/sites/{site}" if site else "")


def log(database, regency: str, site: str | None = "main"):
    with database.regency_work(regency) as work:
        return read_log(work, source(regency, site), 0, 1000)


def test_sequences_are_contiguous_with_sixteen_writers_some_of_which_fail(database, administration, regency):
    dice = random.Random(7)
    plans = [[(dice.randint(1, 3), dice.random() < 0.3) for _ in range(8)] for _ in range(16)]

    def write(writer: int) -> None:
        for number, (events, fails) in enumerate(plans[writer]):
            try:
                with database.regency_work(regency, timeout=20.0) as work:
                    work.execute(sa.text("INSERT INTO entry (account, amount) VALUES ('a', 1)"))
                    for event in range(events):
                        work.emit(added(f"{writer}-{number}-{event}"))
                    if fails:
                        raise RolledBack
            except RolledBack:
                pass

    with ThreadPoolExecutor(16) as threads:
        done, _ = wait([threads.submit(write, writer) for writer in range(16)])
    assert [future.exception() for future in done if future.exception()] == []

    written = {
        f"{writer}-{number}-{event}"
        for writer, plan in enumerate(plans)
        for number, (events, fails) in enumerate(plan)
        if not fails
        for event in range(events)
    }
    events = log(database, regency)
    assert [event.sequence for event in events] == list(range(1, len(written) + 1))
    assert {event.subject for event in events} == written
    waiting = administration.run(
        "SELECT sequence, event_id::text FROM platform.outbox WHERE regency = :regency ORDER BY id", regency=regency
    )
    assert sorted(map(tuple, waiting)) == [(event.sequence, event.id) for event in events], "log and outbox say the same"


def test_each_site_and_the_regency_itself_are_streams_of_their_own(database, regency):
    with database.regency_work(regency) as work:
        for number in range(2):
            work.emit(added(f"a{number}", site="sukadana"))
            work.emit(added(f"b{number}", site="way-jepara"))
            work.emit(added(f"c{number}", site=None))
    for site, letter in (("sukadana", "a"), ("way-jepara", "b"), (None, "c")):
        assert [(event.sequence, event.subject) for event in log(database, regency, site)] == [(1, f"{letter}0"), (2, f"{letter}1")]
    with database.regency_work(regency) as work:
        assert stream_heads(work) == {source(regency, site): 2 for site in ("sukadana", "way-jepara", None)}


def test_the_stream_is_locked_last_so_a_slow_command_holds_up_nobody(database, regency):
    with database.regency_work(regency) as slow:
        slow.emit(added("slow"))
        with database.regency_work(regency, timeout=1.0) as quick:
            quick.emit(added("quick"))
    assert [event.subject for event in log(database, regency)] == ["quick", "slow"]


def test_commands_that_tell_of_several_streams_do_not_block_each_other(database, regency):
    def write(order: tuple[str, ...]) -> None:
        for _ in range(15):
            with database.regency_work(regency, timeout=10.0) as work:
                for site in order:
                    work.emit(added(site=site))

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(write, order) for order in (("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a"), ("c", "a", "b"))]:
            done.result()
    for site in ("a", "b", "c"):
        assert [event.sequence for event in log(database, regency, site)] == list(range(1, 61))


def test_the_log_is_read_in_pages(database, regency):
    with database.regency_work(regency) as work:
        for number in range(5):
            work.emit(added(str(number)))
    with database.regency_work(regency) as work:
        assert [event.sequence for event in read_log(work, source(regency), 1, 3)] == [2, 3, 4]
        assert [event.sequence for event in read_log(work, source(regency), 4, 3)] == [5]
        assert read_log(work, source(regency), 5, 3) == []
        assert read_log(work, source(regency, "elsewhere"), 0, 3) == []


def test_the_same_names_in_two_regencies_are_different_streams(database, administration, new_regency):
    one, other = new_regency(), new_regency()
    for slug in (one, other, one):
        with database.regency_work(slug) as work:
            work.emit(added())
    assert [len(log(database, slug)) for slug in (one, other)] == [2, 1]
    assert administration.count(f"{schema(other)}.event_log") == 1
