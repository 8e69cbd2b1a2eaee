"""Things are done side by side: as many as there are lanes, and of each key one at a time."""

import threading

import pytest

from services.chassis.lanes import Lanes

pytestmark = pytest.mark.unit


def test_with_no_lane_it_is_done_at_once():
    done: list[int] = []
    assert Lanes("test", 0).offer("a", lambda: done.append(threading.get_ident()))
    assert done == [threading.get_ident()]


def test_as_many_at_a_time_as_there_are_lanes_and_no_key_twice():
    lanes, go_on = Lanes("test", 2), threading.Event()

    def wait() -> None:
        go_on.wait(10)

    assert lanes.offer("a", wait)
    assert not lanes.offer("a", wait), "it is under way"
    assert lanes.offer("b", wait)
    assert not lanes.offer("c", wait), "all lanes are taken"
    assert not lanes.wait(0.01)
    go_on.set()
    assert lanes.wait(10)
    assert lanes.offer("c", wait)
    assert lanes.wait(10)


def test_a_lane_is_free_again_after_something_that_raised():
    lanes = Lanes("test", 1)
    problems: list[object] = []
    hook, threading.excepthook = threading.excepthook, problems.append
    try:
        lanes.offer("a", lambda: 1 / 0)
        assert lanes.wait(10)
    finally:
        threading.excepthook = hook
    assert lanes.offer("a", lambda: None)
    assert lanes.wait(10)
    assert len(problems) == 1
