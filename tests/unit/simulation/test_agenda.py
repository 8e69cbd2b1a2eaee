"""What is planned is done in the order of the day, once, and to a polite end."""

import threading

import pytest

from deploy.simulation.agenda import Agenda

pytestmark = pytest.mark.unit


def test_without_a_speed_nobody_waits_and_the_order_of_the_day_is_kept():
    agenda, done = Agenda(0, None), []

    def ring(at):
        done.append(at)
        if at < 3:
            agenda.add(at + 1.5, ring)

    for minute in (1000.0, 2.0, 1.0):
        agenda.add(minute, ring)
    agenda.start(1)
    assert agenda.done(30)
    assert done == [1.0, 2.0, 2.5, 3.5, 4.0, 1000.0]


def test_a_speed_presses_minutes_into_real_time():
    agenda = Agenda(480, 6_000.0)
    done: list[float] = []
    for minute in (500.0, 485.0):
        agenda.add(minute, done.append)
    agenda.start(2)
    assert agenda.done(30)
    assert done[0] >= 485
    assert done[1] >= 500


def test_stopped_it_drops_what_can_wait_and_does_the_rest_at_once():
    agenda, done, served = Agenda(0, 1.0), [], threading.Event()

    def serve(at):
        done.append("served")
        agenda.add(at + 1, lambda at: done.append("next call"))
        agenda.add(at + 1, lambda at: done.append("completed"), must=True)
        served.set()

    agenda.add(600, lambda at: done.append("arrival"))
    agenda.add(600, serve, must=True)
    agenda.start(2)
    assert not agenda.done(0.01)
    agenda.stop()
    assert agenda.done(30)
    assert done == ["served", "completed"]


def test_an_error_ends_it_and_is_raised():
    agenda = Agenda(0, None)
    done: list[float] = []

    def fail(at):
        raise ValueError(at)

    agenda.add(1, fail)
    agenda.add(2, done.append)
    agenda.start(1)
    with pytest.raises(ValueError, match=r"1"):
        agenda.done(30)
    assert done == []
