"""Events that are heard together have the same consequences as one after the other."""

import dataclasses
import random
import uuid

import pytest

from services.notification import usecases
from tests.integration.notification.sending import SERVED, today

pytestmark = pytest.mark.integration


def hear_together(sending, told) -> None:
    with sending.work() as work:
        usecases.apply_ticket_events(work, [happening.envelope(sending.regency) for happening in told])


def notices(sending, ticket: str) -> list[tuple[int, str, bool]]:
    found = sending.do("list_notices", ticket=ticket, locale="id")
    return [(notice["version"], notice["kind"], notice["superseded"]) for notice in found["items"]]


def test_of_a_journey_heard_together_only_the_last_letter_is_sent_and_webhooks_get_everything(sending):
    told = today(*SERVED)
    here = sending.add_webhook("http://127.0.0.1:1/", events=["ticket.*"])["id"]
    finished = sending.add_webhook("http://127.0.0.1:1/", events=["ticket.completed"])["id"]
    sending.hear(told[:1])
    sending.subscribe(told[0].ticket)
    rest = told[1:]
    random.Random(7).shuffle(rest)
    hear_together(sending, rest)
    letters = {delivery["event_type"]: delivery["state"] for delivery in sending.deliveries(channel="email")}
    assert letters == {"mpp.ticket.called": "superseded", "mpp.ticket.recalled": "superseded", "mpp.ticket.completed": "pending"}
    assert (len(sending.to_webhook(here)), len(sending.to_webhook(finished))) == (5, 1)
    assert notices(sending, told[0].ticket["id"]) == [
        (told[0].ticket["version"], "issued", True),
        (told[1].ticket["version"], "called", True),
        (told[2].ticket["version"], "recalled", True),
        (told[4].ticket["version"], "completed", False),
    ]


def test_a_letter_that_waits_is_withdrawn_by_a_group_with_something_newer(sending):
    told = today(*SERVED)
    sending.hear(told[:1])
    sending.subscribe(told[0].ticket)
    hear_together(sending, told[1:2])
    assert sending.states(channel="email") == ["pending"]
    hear_together(sending, told[2:4])
    assert sending.states(channel="email") == ["superseded", "superseded"]


def test_hearing_a_group_twice_or_a_part_of_it_again_changes_nothing(sending):
    told = today(*SERVED)
    webhook = sending.add_webhook("http://127.0.0.1:1/")["id"]
    sending.hear(told[:1])
    sending.subscribe(told[0].ticket)
    envelopes = [happening.envelope(sending.regency) for happening in told[1:]]
    for group in (envelopes, envelopes, [envelopes[2], envelopes[1]]):
        with sending.work() as work:
            usecases.apply_ticket_events(work, group)
        assert sending.states(channel="email") == ["superseded", "superseded", "pending"]
        assert len(sending.to_webhook(webhook)) == 5
        assert len(notices(sending, told[0].ticket["id"])) == 4


def test_replayed_events_in_a_group_are_told_nobody(sending):
    told = today(*SERVED)
    webhook = sending.add_webhook("http://127.0.0.1:1/")["id"]
    sending.hear(told[:1])
    sending.subscribe(told[0].ticket)
    envelopes = [happening.envelope(sending.regency) for happening in told[1:]]
    with sending.work() as work:
        usecases.apply_ticket_events(work, [*(dataclasses.replace(each, replayed=True) for each in envelopes[:-1]), envelopes[-1]])
    assert [delivery["event_type"] for delivery in sending.deliveries(channel="email")] == ["mpp.ticket.completed"]
    assert len(sending.to_webhook(webhook)) == 2


def test_a_group_of_many_tickets_without_anybody_who_wants_to_hear_leaves_notices_only(sending):
    tickets = [str(uuid.uuid4()) for _ in range(20)]
    hear_together(sending, [happening for ticket in tickets for happening in today(*SERVED, id=ticket)])
    assert sending.deliveries() == []
    assert {tuple(kind for _, kind, _ in notices(sending, ticket)) for ticket in tickets} == {("issued", "called", "recalled", "completed")}
