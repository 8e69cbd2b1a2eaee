"""A regency is served by the connection that knows its tables, but nobody waits long for it."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy.engine import Engine

from services.chassis import connections, metrics
from services.chassis.connections import FEW, ConnectionPool
from services.chassis.errors import Busy
from tests.processes import eventually

pytestmark = pytest.mark.unit

LONG = 3600.0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def pool() -> ConnectionPool:
    """Two connections, which are made when somebody uses them: nobody does."""
    return ConnectionPool("postgresql://nobody@127.0.0.1:1/nothing", "pool-test", 2)


def serve(pool: ConnectionPool, scope: str, seconds: float = 5.0) -> Engine:
    with pool.turn(seconds, scope) as engine:
        return engine


def well_read(pool: ConnectionPool) -> list[str]:
    """Serve more regencies than connections learn by the way; return them."""
    regencies = [f"regency-{number}" for number in range(2 * FEW)]
    for regency in regencies:
        serve(pool, regency)
    return regencies


def in_line(pool: ConnectionPool, threads: ThreadPoolExecutor, scope: str) -> Future[Engine]:
    before = waiting_now()
    waiter = threads.submit(serve, pool, scope)
    eventually(lambda: waiting_now() == before + 1, within=5)
    return waiter


def waiting_now() -> float:
    return metrics.DATABASE_POOL_WAITERS.labels("pool-test")._value.get()


def test_regencies_spread_over_the_connections_and_stay(pool):
    regencies = well_read(pool)
    homes = {regency: serve(pool, regency) for regency in regencies}
    assert sorted(list(homes.values()).count(engine) for engine in set(homes.values())) == [FEW, FEW]
    assert {regency: serve(pool, regency) for regency in reversed(regencies)} == homes


def test_where_there_are_few_nobody_waits_while_a_connection_is_free(pool, monkeypatch):
    monkeypatch.setattr(ConnectionPool, "_wait", None)
    for regency in ("a", "b"):
        with pool.turn(5.0, regency) as first, pool.turn(5.0, regency) as second:
            assert first is not second


def test_the_connection_that_knows_is_waited_for_although_another_is_free(pool, threads, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", LONG)
    regency, *_ = well_read(pool)
    with pool.turn(5.0, regency) as home:
        waiter = in_line(pool, threads, regency)
        assert serve(pool, "new") is not home, "another is free all the while"
        assert not waiter.done()
    assert waiter.result(5) is home


def test_it_is_not_waited_for_long_and_another_learns_the_tables(pool, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0.01)
    regency, *_ = well_read(pool)
    with pool.turn(5.0, regency) as home:
        other = serve(pool, regency)
        assert other is not home
        monkeypatch.setattr(ConnectionPool, "_wait", None)
        assert serve(pool, regency) is other


@pytest.mark.parametrize("regency", ["regency-0", "new"])
def test_who_waits_for_any_gets_the_first_that_is_given_back(pool, threads, monkeypatch, regency):
    monkeypatch.setattr(connections, "PATIENCE", 0.0)
    well_read(pool)
    with ExitStack() as both:
        taken = [both.enter_context(pool.turn(5.0, scope)) for scope in ("regency-0", "regency-1")]
        waiters = [in_line(pool, threads, regency) for _ in range(3)]
        assert pool.in_use() == 2
    assert {waiter.result(5) for waiter in waiters} <= set(taken)
    eventually(lambda: pool.in_use() == 0, within=5)


def test_without_any_in_time_it_is_busy(pool):
    with pool.turn(5.0, "a"), pool.turn(5.0, "b"):
        for seconds, scope in ((0.0, "a"), (0.01, "b"), (-1.0, "c")):
            with pytest.raises(Busy):
                serve(pool, scope, seconds)
    assert pool.in_use() == 0
    assert serve(pool, "a", 0.0) is not None


def test_who_gives_up_in_the_line_keeps_nothing(pool, monkeypatch):
    """A thread may be killed while it waits, also after it was given a connection that it does not know of yet."""
    given = connections._Waiter

    class Killed(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    class Late(Killed):
        def wait(self, timeout: float | None = None) -> bool:
            first.close()
            return super().wait(timeout)

    for event in (Killed, Late):
        monkeypatch.setattr(connections, "_Waiter", lambda scope, choosy, event=event: given(scope, choosy, given=event()))
        with ExitStack() as first, ExitStack() as second:
            first.enter_context(pool.turn(5.0, "a"))
            second.enter_context(pool.turn(5.0, "b"))
            with pytest.raises(KeyboardInterrupt):
                serve(pool, "c")
        assert pool.in_use() == 0
        assert not pool._line
