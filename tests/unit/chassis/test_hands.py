"""What a consumer has in hand: a blocked regency keeps one event there, and all blocked ones half of the hands."""

from contextlib import ExitStack

import pytest

from services.chassis.hands import BLOCKED_SECONDS, STALLED_SECONDS, Hands

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hands(clock) -> Hands:
    return Hands(16, clock)


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def test_a_regency_that_moves_may_fill_both_hands(hands, stack):
    holds = [stack.enter_context(hands.holding("a")) for _ in range(16)]
    assert all(hold.may_stay() for hold in holds)


def test_of_a_blocked_regency_one_event_stays(hands, stack):
    holds = [stack.enter_context(hands.holding("a")) for _ in range(16)]
    other = stack.enter_context(hands.holding("b"))
    hands.blocked("a")
    assert [hold.may_stay() for hold in holds].count(True) == 1
    assert other.may_stay()


def test_who_was_told_no_counts_once(hands, stack):
    with hands.holding("a") as first, hands.holding("a") as second:
        hands.blocked("a")
        assert (first.may_stay(), second.may_stay()) == (False, True)
    with hands.holding("a") as third:
        assert third.may_stay(), "the hands are empty again"


def test_all_blocked_regencies_together_fill_half_of_the_hands(hands, stack):
    holds = [stack.enter_context(hands.holding(f"regency-{number}")) for number in range(16)]
    for number in range(16):
        hands.blocked(f"regency-{number}")
    assert [hold.may_stay() for hold in holds].count(True) == 8


def test_a_regency_that_moves_again_is_free(hands, stack):
    holds = [stack.enter_context(hands.holding("a")) for _ in range(3)]
    hands.blocked("a")
    hands.moved("a")
    assert all(hold.may_stay() for hold in holds)


def test_without_anybody_who_tries_it_is_free_after_a_while(hands, clock, stack):
    holds = [stack.enter_context(hands.holding("a")) for _ in range(3)]
    hands.blocked("a")
    clock.seconds += BLOCKED_SECONDS
    assert all(hold.may_stay() for hold in holds)


def test_waiting_for_a_turn_is_a_block_only_where_nothing_moves(hands, clock, stack):
    holds = [stack.enter_context(hands.holding("a")) for _ in range(3)]
    hands.moved("a")
    hands.waited("a")
    assert all(hold.may_stay() for hold in holds)
    clock.seconds += STALLED_SECONDS
    hands.waited("a")
    assert [hold.may_stay() for hold in holds].count(True) == 1
