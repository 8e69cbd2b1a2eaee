"""What was expected when a number was taken stays with it, so that it can be compared with the real wait."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


def test_it_is_what_the_citizen_was_told_first_whatever_happens_later(mall):
    told = [mall.take(mall.ktp, priority) for priority in (None, None, None, "elderly")]
    first = [ticket["first_estimate_seconds"] for ticket in told]
    assert first == [ticket["estimated_wait_seconds"] for ticket in told] == [0, 600, 1200, 0]
    called = mall.call_next(mall.first)
    assert called["id"] == told[3]["id"]
    mall.complete(mall.start(called))
    mall.send_back(mall.call_next(mall.first))
    mall.prioritise(told[2], "nursing")
    later = [mall.get(ticket) for ticket in told]
    assert [ticket["first_estimate_seconds"] for ticket in later] == first
    assert later[2]["estimated_wait_seconds"] == 0, "what is told now follows the queue"


def test_events_carry_it_from_the_first_to_the_last(mall):
    mall.take(mall.ktp)
    ticket = mall.take(mall.ktp)
    mall.cancel(ticket)
    told = [event.data["ticket"]["first_estimate_seconds"] for event in mall.events() if event.subject == ticket["id"]]
    assert told == [600, 600]


def test_a_slip_has_it_from_its_number_on_and_a_leg_that_waits_later_has_none(mall):
    mall.take(mall.ktp)
    printed = mall.take(mall.ktp, channel="kiosk", print=True)
    assert printed["estimated_wait_seconds"] is None
    assert mall.confirm(printed)["first_estimate_seconds"] == 600
    visit = mall.take(mall.ktp, then=[mall.kk])
    assert visit["first_estimate_seconds"] == 1200
    [leg] = visit["legs"]
    assert mall.get(leg)["first_estimate_seconds"] is None


def test_a_transfer_has_one_of_its_own(mall):
    mall.take(mall.kk)
    mall.take(mall.kk)
    mall.take(mall.ktp)
    serving = mall.start(mall.call_next(mall.first))
    assert serving["service"] == mall.kk
    new = mall.transfer(serving, mall.ktp)
    assert new["first_estimate_seconds"] == 600
    assert mall.get(serving)["first_estimate_seconds"] == 0
