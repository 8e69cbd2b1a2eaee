"""Acknowledgements are told together, never of a message that is still under way, and never over another connection."""

from dataclasses import dataclass
from unittest.mock import create_autospec

import amqp
import pytest

from services.chassis import acknowledging
from services.chassis.acknowledging import Untold

pytestmark = pytest.mark.unit


@dataclass
class Message:
    channel: object
    delivery_tag: int


@pytest.fixture
def channel():
    return create_autospec(amqp.Channel, instance=True)


def told(channel):
    """Return what the broker was told: each tag, and whether it stands for all before it."""
    return [(call.args[0], call.kwargs.get("multiple", False)) for call in channel.basic_ack.call_args_list]


def taken(untold, channel, count):
    untold.begin(channel)
    messages = [Message(channel, tag) for tag in range(1, count + 1)]
    for message in messages:
        untold.received(message)
    return messages


def test_what_is_done_in_its_order_is_told_at_once(channel):
    untold = Untold(0)
    for message in taken(untold, channel, 3):
        assert not untold.done(message)
    untold.tell()
    assert told(channel) == [(3, True)]
    untold.tell()
    assert len(told(channel)) == 1, "nothing is told twice"


def test_what_is_under_way_is_not_told_with_what_came_later(channel):
    untold = Untold(0)
    messages = taken(untold, channel, 5)
    for number in (4, 0, 2):
        untold.done(messages[number])
    untold.tell()
    assert sorted(told(channel)) == [(1, False), (3, False), (5, False)]
    for number in (1, 3):
        untold.done(messages[number])
    untold.tell()
    assert told(channel)[3:] == [(4, True)], "all before it is done by now"


@pytest.mark.parametrize(("prefetch", "most"), [(0, acknowledging.MOST), (256, acknowledging.MOST), (16, 8), (3, 1), (1, 1)])
def test_the_broker_hears_of_it_before_it_would_hand_out_no_more(channel, prefetch, most):
    untold = Untold(prefetch)
    messages = taken(untold, channel, most)
    assert [untold.done(message) for message in messages] == [False] * (most - 1) + [True]


def test_what_is_done_is_due_after_a_moment(channel, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("services.chassis.acknowledging.time.monotonic", lambda: clock[0])
    untold = Untold(0)
    first, second = taken(untold, channel, 2)
    assert not untold.is_due()
    untold.done(first)
    assert not untold.is_due()
    clock[0] += acknowledging.LONGEST
    untold.done(second)
    assert untold.is_due(), "the first has waited"
    untold.tell()
    assert not untold.is_due()


def test_what_was_given_back_is_not_told(channel):
    untold = Untold(0)
    first, second = taken(untold, channel, 2)
    untold.given_back(first)
    untold.done(second)
    untold.tell()
    assert told(channel) == [(2, False)]


def test_a_message_of_a_lost_connection_is_not_told_over_the_next(channel):
    lost = create_autospec(amqp.Channel, instance=True)
    untold = Untold(2)
    old = taken(untold, lost, 2)
    untold.done(old[0])
    new = taken(untold, channel, 1)
    assert not untold.done(old[0]), "the broker hands it out again"
    untold.given_back(old[1])
    untold.done(new[0])
    untold.tell()
    assert told(channel) == [(1, False)]
    assert told(lost) == []


def test_a_message_is_done_once(channel):
    untold = Untold(0)
    (message,) = taken(untold, channel, 1)
    untold.done(message)
    untold.tell()
    assert not untold.done(message)
    untold.tell()
    assert told(channel) == [(1, False)]


def test_the_broker_in_the_process_is_told_each_time():
    channel = create_autospec(object(), instance=True)
    untold = Untold(16)
    (message,) = taken(untold, channel, 1)
    assert untold.done(message)
