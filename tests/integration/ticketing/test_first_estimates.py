"""What was expected when a number was taken stays with it, so that it can be compared with the real wait."""

from __future__ import annotations

import pytest

from services.ticketing import domain
from tests.integration.ticketing.mall import SECRET

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


def test_of_a_slip_is_told_once_it_came_out(mall):
    printing = mall.take(mall.ktp, print=True)
    assert printing["first_estimate_seconds"] is None
    mall.take(mall.ktp)
    confirmed = mall.confirm(printing, mall.actor("kiosk"), token=domain.ticket_token(SECRET, printing["id"]))
    assert (confirmed["position"], confirmed["estimated_wait_seconds"], confirmed["first_estimate_seconds"]) == (1, 0, 0)
    assert confirmed == mall.get(printing)


def test_of_a_slip_that_never_came_out_is_none(mall):
    mall.take(mall.ktp)
    lost = mall.take(mall.ktp, print=True)
    voided = mall.confirm(lost, mall.actor("kiosk"), token=domain.ticket_token(SECRET, lost["id"]), printed=False)
    assert voided["first_estimate_seconds"] is None
    assert voided == mall.get(lost)


def test_of_who_was_sent_on_counts_from_the_place_of_the_arrival(mall, clock):
    first = mall.take(mall.ktp)
    for _ in range(2):
        clock.pass_by(minutes=1)
        mall.take(mall.kk)
    clock.pass_by(minutes=1)
    other = mall.counter(2, mall.ktp)
    moved = mall.transfer(mall.call_ticket(first, other), mall.kk)
    assert (moved["position"], moved["first_estimate_seconds"]) == (1, 0)
    assert {**moved, "legs": None} == {**mall.get(moved), "legs": None}


def test_of_a_further_leg_is_told_when_it_joins_its_queue(mall):
    taken = mall.take(mall.ktp, then=[mall.kk])
    [leg] = taken["legs"]
    assert mall.get(leg)["first_estimate_seconds"] is None
    mall.take(mall.kk)
    later = mall.take(mall.ktp, then=[mall.kk])
    mall.complete(mall.start(mall.call_ticket(taken, mall.first)))
    joined = mall.get(leg)
    assert (joined["status"], joined["position"], joined["first_estimate_seconds"]) == ("waiting", 1, 0)
    mall.cancel(later)
    assert mall.get(later["legs"][0])["first_estimate_seconds"] == mall.get(later["legs"][0])["estimated_wait_seconds"] == 1200
