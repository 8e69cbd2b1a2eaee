"""Failed events wait longer each time, never too long, and not all for the same time."""

from datetime import timedelta

import pytest

from services.chassis.outcomes import FIRST_PAUSE, LONGEST_PAUSE, MAX_ATTEMPTS, pause_after

pytestmark = pytest.mark.unit


def longest(attempts: int) -> float:
    return max(pause_after(attempts).total_seconds() for _ in range(300))


def test_the_first_pause_is_short():
    assert timedelta(0) < pause_after(1) <= timedelta(seconds=FIRST_PAUSE)


@pytest.mark.parametrize("attempts", range(1, MAX_ATTEMPTS))
def test_each_pause_is_about_twice_the_one_before(attempts):
    assert longest(attempts + 1) == pytest.approx(2 * longest(attempts), rel=0.1)


@pytest.mark.parametrize("attempts", [11, 50, 2000])
def test_no_pause_is_longer_than_the_longest(attempts):
    assert LONGEST_PAUSE / 2 <= longest(attempts) <= LONGEST_PAUSE


def test_pauses_differ_so_that_what_failed_together_is_not_tried_together():
    pauses = {pause_after(6) for _ in range(100)}
    assert len(pauses) > 90
    assert max(pauses) <= 2 * min(pauses), "no less than half of what was meant"
