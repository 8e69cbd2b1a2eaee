"""One notice per version of a ticket, however its events arrive, in words that people understand."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import permutations

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from sqlalchemy.exc import ProgrammingError

from services.chassis.database import Database
from services.chassis.errors import PermanentFailure
from services.chassis.inbox import Inbox
from services.contracts.subscriptions import NOTIFICATION_TICKETING
from services.notification import usecases
from services.notification.domain import KINDS
from tests.ticket_journeys import OPENING, deliveries, journey, newest_known

pytestmark = pytest.mark.integration

SERVED = (("ticket.called", 600), ("ticket.recalled", 60), ("ticket.serving_started", 30), ("ticket.completed", 300))


def shown(notices):
    """What a notice says about the ticket's course."""
    return [(notice["version"], notice["kind"], notice["superseded"]) for notice in notices]


def expected_of(heard):
    """By ticket, what `shown` should give after these events, calculated without any table."""
    newest = newest_known(heard)
    telling = {happening.key: happening for happening in heard if happening.type in KINDS}
    return {
        ticket: [
            (version, KINDS[telling[ticket, version].type], version < last.ticket["version"])
            for of, version in sorted(telling)
            if of == ticket
        ]
        for ticket, last in newest.items()
    }


@pytest.fixture(scope="module")
def shared_notification(new_notification):
    """One regency for all examples of a property; each has tickets of its own."""
    return new_notification()


@settings(max_examples=80)
@given(deliveries())
def test_notices_follow_from_what_was_heard_and_not_from_its_order(shared_notification, drawn):
    _, arriving = drawn
    half = len(arriving) // 2
    for new, heard in ((arriving[:half], arriving[:half]), (arriving[half:], arriving)):
        shared_notification.hear(new)
        for ticket, expected in expected_of(heard).items():
            assert shown(shared_notification.notices(ticket)) == expected


def test_a_journey_reads_as_it_went(notification):
    notification.tell_place("site", 1)
    notification.tell_place("counter", 1)
    told = journey(*SERVED)
    notification.hear(told)
    notices = notification.notices(told[0].ticket["id"])
    assert shown(notices) == [(1, "issued", True), (2, "called", True), (3, "recalled", True), (5, "completed", False)]
    assert [notice["text"] for notice in notices] == [
        "Nomor antrean Anda di MPP Lampung Timur: E-012. Mohon menunggu panggilan.",
        "Nomor E-012, silakan menuju Loket 5 di MPP Lampung Timur.",
        "Panggilan ulang: nomor E-012, silakan segera menuju Loket 5 di MPP Lampung Timur.",
        "Layanan untuk nomor E-012 di MPP Lampung Timur telah selesai. Terima kasih.",
    ]
    english = notification.notices(told[0].ticket["id"], "en")
    assert english[1]["text"] == "Number E-012, please go to Loket 5 at MPP Lampung Timur."
    assert datetime.fromisoformat(notices[0]["happened_at"]) == OPENING


def test_every_order_gives_the_same_notices(notification):
    for order in permutations(range(4)):
        told = journey(("ticket.called", 60), ("ticket.serving_started", 5), ("ticket.completed", 90))
        notification.hear([told[index] for index in order])
        notices = notification.notices(told[0].ticket["id"])
        assert shown(notices) == [(1, "issued", True), (2, "called", True), (4, "completed", False)]


def test_a_call_that_arrives_after_serving_began_is_no_news(notification):
    issued, called, serving = journey(("ticket.called", 60), ("ticket.serving_started", 5))
    notification.hear([issued, serving, called])
    assert shown(notification.notices(called.ticket["id"])) == [(1, "issued", True), (2, "called", True)]


def test_the_newest_notice_is_news_until_something_newer_is_heard(notification):
    issued, called = journey(("ticket.called", 60))
    notification.hear([issued])
    assert shown(notification.notices(issued.ticket["id"])) == [(1, "issued", False)]
    notification.hear([called])
    assert shown(notification.notices(issued.ticket["id"])) == [(1, "issued", True), (2, "called", False)]


def test_a_repeat_leaves_the_notice_as_it_was(notification):
    told = journey(("ticket.called", 60))
    notification.hear(told)
    first = notification.notices(told[0].ticket["id"])
    notification.hear(told[::-1])
    assert notification.notices(told[0].ticket["id"]) == first


def test_the_inbox_passes_an_event_on_once(notification):
    issued = journey()[0]
    envelope = issued.envelope(notification.regency)
    assert [notification.inbox.receive(envelope) for _ in range(3)] == ["handled", "duplicate", "duplicate"]
    assert len(notification.notices(issued.ticket["id"])) == 1


def test_two_replicas_that_hear_everything_twice_in_opposite_order_agree(notification, login_url):
    told = [happening for _ in range(12) for happening in journey(*SERVED)]
    envelopes = [happening.envelope(notification.regency) for happening in told]
    other = Database("notification", login_url)
    here, there = (
        Inbox(database, NOTIFICATION_TICKETING.queue, usecases.apply_ticket_events) for database in (notification.database, other)
    )
    given_to = ((here, envelopes), (there, envelopes[::-1]), (here, envelopes[::-1]), (there, envelopes))
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda one: [one[0].receive(envelope) for envelope in one[1]], given_to))
    other.close()
    assert sum(outcomes.count("handled") for outcomes in heard) == len(told)
    assert sum(outcomes.count("duplicate") for outcomes in heard) == 3 * len(told)
    for ticket, expected in expected_of(told).items():
        assert shown(notification.notices(ticket)) == expected


def test_a_place_is_named_as_soon_as_the_catalogue_tells_and_by_its_newest_name(notification):
    told = journey(("ticket.called", 60))
    notification.hear(told)

    def call():
        return notification.notices(told[0].ticket["id"])[-1]["text"]

    assert call() == "Nomor E-012, silakan menuju loket 05 di sukadana."
    notification.tell_place("site", 2, name="MPP Lampung Timur")
    notification.tell_place("counter", 3, name="Gerai Dukcapil")
    notification.tell_place("site", 1, name="MPP Sukadana")
    notification.tell_place("counter", 2, name="Loket 5")
    assert call() == "Nomor E-012, silakan menuju Gerai Dukcapil di MPP Lampung Timur."


def test_nothing_is_known_of_a_ticket_that_nobody_told_of(notification):
    assert notification.notices("0d9f4a52-6c1b-4e0e-9f38-5d7a1c2b3e4f") == []


def test_what_is_stored_says_nothing_about_the_person(notification):
    told = journey(("ticket.called", 60), ("ticket.cancelled", 20), lane="priority")
    notification.hear(told)
    with notification.work() as work:
        rows = [row._asdict() for row in work.execute(sa.text("SELECT * FROM notice JOIN followed_ticket ON id = ticket"))]
    assert {name for row in rows for name in row} == {
        *("ticket", "version", "kind", "happened_at", "created_at", "parameters", "id", "ended_at"),
    }
    assert {name for row in rows for name in row["parameters"]} == {"number", "site", "counter", "outcome", "cancelled_by"}
    assert "priority" not in json.dumps([row["parameters"] for row in rows])


def test_an_event_that_breaks_its_contract_becomes_a_dead_letter(notification):
    issued = journey()[0]
    broken = replace(issued, ticket={**issued.ticket, "number": "E 12"})
    with pytest.raises(PermanentFailure):
        notification.hear([broken])
    assert notification.inbox.receive(broken.envelope(notification.regency)) == "dead"
    assert notification.notices(issued.ticket["id"]) == []


def test_regencies_are_apart(new_notification):
    here, there = new_notification(), new_notification()
    told = journey(("ticket.called", 60))
    here.hear(told)
    there.hear(told[:1])
    ticket = told[0].ticket["id"]
    assert shown(here.notices(ticket)) == [(1, "issued", True), (2, "called", False)]
    assert shown(there.notices(ticket)) == [(1, "issued", False)]
    schema = there.regency.replace("-", "_")
    for table in ("notice", "followed_ticket", "place_name"):
        with pytest.raises(ProgrammingError, match="permission denied"), here.work() as work:
            work.execute(sa.text(f"SELECT * FROM {schema}.{table}"))
