"""Who wanted to be told of a visit is told of all of it: of the number after a transfer, and of each further service, once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.chassis.errors import DomainError
from services.notification import tending, usecases
from services.notification.store import AFTER_RESTORE
from tests.integration.notification.sending import Sending, today
from tests.ticket_journeys import Happening, journey

pytestmark = pytest.mark.integration

Way = list[Happening]


def further(first: Way, *steps: tuple[str, float], status: str = "waiting") -> Way:
    """Another ticket of a visit, from the moment at which the first one ended."""
    old = first[-1].ticket
    transferred_from = old["id"] if old["status"] == "transferred" else None
    way = journey(*steps, begins=first[-1].at, visit=old["visit"], number="F-003", status=status, transferred_from=transferred_from)
    return [replace(way[0], type="ticket.reserved"), *way[1:]] if status == "reserved" else way


def transferred() -> tuple[Way, Way]:
    """A ticket that is sent on to another service, and the one that its citizen gets for it."""
    first = today(("ticket.called", 1), ("ticket.serving_started", 1), ("ticket.transferred", 1))
    return first, further(first, ("ticket.called", 1), ("ticket.serving_started", 1), ("ticket.completed", 1))


def legs() -> tuple[Way, Way]:
    """A visit of two services: the second number is taken with the first one, and waits when that is completed."""
    first = today(("ticket.called", 1), ("ticket.serving_started", 1), ("ticket.completed", 1))
    second = further(
        first, ("ticket.checked_in", 1), ("ticket.called", 1), ("ticket.serving_started", 1), ("ticket.completed", 1), status="reserved"
    )
    return first, second


def told(sending: Sending) -> list[tuple[str, str]]:
    """Which letters were planned, in order: the first letter of the address, and what for."""
    with sending.work() as work:
        rows = work.execute(
            sa.text(
                "SELECT masked, event_type FROM delivery JOIN subscription ON subscription.id = delivery.subscription ORDER BY delivery.id"
            )
        )
        return [(row.masked[0], row.event_type.removeprefix("ticket.")) for row in rows]


def subscriptions(sending: Sending) -> int:
    with sending.work() as work:
        return int(work.execute(sa.text("SELECT count(*) FROM subscription")).scalar_one())


def test_who_is_sent_on_is_told_of_the_new_number_and_its_call(sending):
    first, second = transferred()
    sending.subscribe(first[0].ticket)
    sending.hear([*first[1:], *second])
    assert told(sending) == [("b", "called"), ("b", "transferred"), ("b", "issued"), ("b", "called"), ("b", "completed")]


def test_each_further_service_of_the_visit_is_told(sending):
    first, second = legs()
    sending.hear([first[0], second[0]])
    sending.subscribe(first[0].ticket)
    sending.hear([*first[1:], *second[1:]])
    assert told(sending) == [("b", "called"), ("b", "completed")] * 2


def test_through_several_transfers(sending):
    first, second = transferred()
    sent_on_again = [*second[:3], replace(second[3], type="ticket.transferred", ticket={**second[3].ticket, "status": "transferred"})]
    third = further(sent_on_again, ("ticket.called", 1))
    sending.subscribe(first[0].ticket, kinds=["called"])
    sending.hear([*first, *sent_on_again, *third])
    assert told(sending) == [("b", "called"), *[("b", "issued"), ("b", "called")] * 2], "a new number is told to whoever wants anything"


def test_the_turn_of_a_further_service_is_told_to_who_wants_that(sending):
    first, second = legs()
    sending.subscribe(first[0].ticket, kinds=["issued"])
    sending.hear([*first[1:], *second])
    assert told(sending) == [("b", "checked_in")]


@pytest.mark.parametrize("together", [False, True], ids=["each", "together"])
def test_in_any_order_and_repeated_everything_is_planned_once(sending, together):
    first, second = transferred()
    sending.subscribe(first[0].ticket)
    arriving = [second[0], *reversed(second), *first[1:], *reversed(first), *second]
    sending.hear_together(arriving) if together else sending.hear(arriving)
    planned = told(sending)
    assert len(planned) == len(set(planned)) + 1  # both were called
    assert sorted(planned) == sorted([("b", "called"), ("b", "transferred"), ("b", "issued"), ("b", "called"), ("b", "completed")])


def test_each_letter_arrives_once(sending, mailbox):
    first, second = transferred()
    sending.subscribe(first[0].ticket)
    with sending.dispatching(), sending.dispatching():
        for happening in [*first[1:], *second]:
            sending.hear([happening, happening])
            sending.wait_states(*["delivered"] * len(sending.states()))
    own = f"/{sending.regency}/"  # other tests may have left letters
    letters = [letter.message for letter in mailbox.letters if own in letter.message["List-Unsubscribe"]]
    assert [letter["Subject"] for letter in letters] == [
        "Nomor E-012 dipanggil",
        "Nomor E-012 dialihkan ke layanan lain",
        "Nomor antrean Anda F-003",
        "Nomor F-003 dipanggil",
        "Nomor F-003 selesai dilayani",
    ]
    texts = [letter.get_content() for letter in letters]
    assert ["survei" in text for text in texts] == [False, False, False, False, True]


def test_what_is_wanted_and_in_which_language_follows_also_when_it_is_changed_later(sending):
    first, second = transferred()
    sending.subscribe(first[0].ticket, kinds=["called"])
    sending.hear([*first[1:], *second[:1]])
    sending.subscribe(second[0].ticket, kinds=["completed"], locale="en")
    sending.hear(second[1:])
    assert told(sending) == [("b", "called"), ("b", "issued"), ("b", "completed")]
    with sending.work() as work:
        assert work.execute(sa.text("SELECT DISTINCT locale, kinds FROM subscription")).all() == [("en", ["completed"])]


@pytest.mark.parametrize("which", ["the first one's", "the second one's"])
def test_who_ends_it_with_any_of_its_letters_is_told_no_more(sending, which):
    first, second = transferred()
    made = sending.subscribe(first[0].ticket)
    sending.hear([*first[1:], second[0]])
    ids = {delivery["subscription"] for delivery in sending.deliveries()}
    assert len(ids) == 2
    sending.do("unsubscribe", id=made["id"] if which == "the first one's" else (ids - {made["id"]}).pop())
    sending.hear(second[1:])
    assert (told(sending), subscriptions(sending)) == ([], 0)


def test_the_same_address_for_another_number_of_the_visit_is_the_same_wish(sending):
    first, second = legs()
    sending.subscribe(first[0].ticket)
    again = sending.subscribe(second[0].ticket, kinds=["called"])
    assert again["ticket"] == second[0].ticket["id"]
    sending.hear([*first[1:], *second[1:]])
    assert told(sending) == [("b", "called"), ("b", "called")]
    sending.do("unsubscribe", id=again["id"])
    assert subscriptions(sending) == 0


def test_a_visit_tells_few_addresses_through_however_many_numbers(sending):
    first, second = legs()
    for number, ticket in enumerate((first[0].ticket, second[0].ticket, first[0].ticket)):
        sending.subscribe(ticket, f"a{number}@example.id")
    for ticket in (first[0].ticket, second[0].ticket):
        with pytest.raises(DomainError, match="subscription_limit_reached"):
            sending.subscribe(ticket, "one-more@example.id")


def test_who_asks_with_the_later_number_hears_of_what_happens_from_then_on(sending):
    first, second = legs()
    sending.hear([first[0], second[0]])
    sending.subscribe(second[0].ticket)
    before = [replace(happening, at=happening.at - timedelta(minutes=5)) for happening in first[1:3]]
    sending.hear([*before, first[3]])
    assert told(sending) == [("b", "completed")]


def test_nobody_else_is_told(sending):
    first, second = transferred()
    other = today(("ticket.called", 1))
    sending.subscribe(other[0].ticket, "wayan@example.org")
    sending.hear([*first, *second, *other])
    assert told(sending) == [("w", "called")]


def test_what_is_told_anew_adds_nobody(sending):
    first, second = transferred()
    sending.subscribe(first[0].ticket)
    with sending.work() as work:
        usecases.apply_ticket_events(work, [replace(each.envelope(sending.regency), replayed=True) for each in second])
    assert (told(sending), subscriptions(sending)) == ([], 1)


def test_addresses_are_erased_some_days_after_the_end_of_the_whole_visit(sending):
    first, second = transferred()
    sending.subscribe(first[0].ticket)
    sending.hear([*first[1:], *second])

    def left(first_ended: int, second_ended: int) -> int:
        for way, days in ((first, first_ended), (second, second_ended)):
            with sending.work() as work:
                work.execute(
                    sa.text("UPDATE followed_ticket SET ended_at = now() - interval '1 day' * :days WHERE id = CAST(:id AS uuid)"),
                    {"days": days, "id": way[0].ticket["id"]},
                )
        tending.tend(sending.database, ["webhook", "email"], 7)
        return subscriptions(sending)

    assert left(first_ended=8, second_ended=6) == 2
    assert left(first_ended=8, second_ended=8) == 0


def test_after_a_restore_nobody_gets_a_letter_again_about_a_number_that_followed(sending):
    """When the backup was made the call of the new number had not been handled yet; its letter has gone out since."""
    first, second = transferred()
    sending.subscribe(first[0].ticket)
    sending.hear(first[1:])
    before = told(sending)
    restored_before_handling(sending, second[1])
    sending.hear(second[1:2])
    assert told(sending) == before
    sending.hear(second[3:])
    assert told(sending) == [*before, ("b", "completed")]


def restored_before_handling(sending: Sending, happening: Happening) -> None:
    """What a restore leaves of an event that is still to be handled, and what it then does with the tables."""
    event = happening.envelope(sending.regency)
    hand_on = sa.text("""
        INSERT INTO inbox (consumer, source, sequence, event_id, type, status, received_at, next_attempt_at, payload)
        VALUES ('notification.ticketing', :source, :sequence, CAST(:id AS uuid), :type, 'failed', now(), now(), CAST(:payload AS jsonb))
    """)
    with sending.work() as work:
        payload = json.dumps(event.to_cloudevent())
        facts = {"source": event.source, "sequence": event.sequence, "id": event.id, "type": event.type, "payload": payload}
        work.execute(hand_on, facts)
    with sending.database.regency_work(sending.regency) as work:
        for statement in AFTER_RESTORE[:2]:  # the others are about hints, which a regency may not read
            work.execute(statement, {"now": work.now})
