"""At the turnstile a few pass, some wait, and more are refused; one regency does not hold up another."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from services.chassis import metrics
from services.chassis.errors import Busy, DeadlineExceeded
from services.chassis.turnstile import PERMITS, Turnstile
from tests.processes import eventually

pytestmark = pytest.mark.unit


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as executor:
        yield executor


@pytest.fixture
def turnstile() -> Turnstile:
    return Turnstile("turnstile-test", longest_queue=3)


def full(turnstile: Turnstile, key: str) -> ExitStack:
    """Take all permits of a key; closing gives them back."""
    taken = ExitStack()
    for _ in range(PERMITS):
        taken.enter_context(turnstile.turn(key, 1.0))
    return taken


def waiters(
    turnstile: Turnstile, key: str, threads: ThreadPoolExecutor, count: int, then: Callable[[], None] = lambda: None
) -> list[Future[None]]:
    def wait_for_turn() -> None:
        with turnstile.turn(key, 10.0):
            then()

    waiting = [threads.submit(wait_for_turn) for _ in range(count)]
    eventually(lambda: waiting_now() == count, within=5)
    return waiting


def waiting_now() -> float:
    return metrics.TURNSTILE_WAITERS.labels("turnstile-test")._value.get()


def test_no_more_than_the_permits_pass_at_a_time(threads):
    turnstile, inside, most = Turnstile("turnstile-test"), [], []
    pause = threading.Event()

    def pass_through() -> None:
        with turnstile.turn("a", 10.0):
            inside.append(1)
            most.append(len(inside))
            pause.wait(0.005)
            inside.pop()

    for future in [threads.submit(pass_through) for _ in range(32)]:
        future.result()
    assert max(most) == PERMITS
    assert len(most) == 32


def test_who_waits_gets_the_next_turn(turnstile, threads):
    with full(turnstile, "a"):
        waiting = waiters(turnstile, "a", threads, 3)
        assert not any(future.done() for future in waiting)
    for future in waiting:
        future.result(timeout=5)


def test_one_more_than_the_queue_holds_is_refused_at_once(turnstile, threads):
    with full(turnstile, "a"):
        waiting = waiters(turnstile, "a", threads, 3)
        with pytest.raises(Busy), turnstile.turn("a", 60.0):
            pass
    for future in waiting:
        future.result(timeout=5)
    with turnstile.turn("a", 1.0):
        pass


def test_nobody_waits_longer_than_its_deadline(turnstile):
    with full(turnstile, "a"):
        for timeout in (0.02, 0.0, -1.0):
            with pytest.raises(DeadlineExceeded), turnstile.turn("a", timeout):
                pass


def test_a_full_regency_does_not_hold_up_another(turnstile):
    with full(turnstile, "a"), turnstile.turn("b", 0.0):
        pass


def test_a_turn_ends_also_when_the_command_fails(turnstile):
    for _ in range(PERMITS + 1):
        with pytest.raises(RuntimeError), turnstile.turn("a", 0.1):
            raise RuntimeError
    with full(turnstile, "a"):
        pass


def test_nothing_is_kept_of_regencies_that_rest(turnstile):
    with pytest.raises(RuntimeError), turnstile.turn("failing", 0.1):
        raise RuntimeError
    with full(turnstile, "full"):
        for _ in range(3):
            with pytest.raises(DeadlineExceeded), turnstile.turn("full", 0.0):
                pass
    assert turnstile._gates == {}
    assert waiting_now() == 0
