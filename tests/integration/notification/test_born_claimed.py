"""What is posted by who handled the event, without anybody who finds and claims it; and what becomes of it otherwise."""

import contextlib
from functools import partial

import pytest
import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.database import Database
from services.chassis.errors import Busy
from services.notification import dispatching, usecases
from tests.integration.notification.sending import SERVED, Sending, today
from tests.processes import eventually
from tests.receivers import HttpReceiver, Reply

pytestmark = pytest.mark.integration


@pytest.fixture
def courier(sending):
    """A dispatcher that follows no hints: what it posts was born claimed."""
    courier = sending.dispatcher()
    yield courier
    courier.stop()
    sending.database.roused.remove(courier.wake)


def let_die(courier, monkeypatch) -> None:
    """From now on its process dies between commit and post."""
    monkeypatch.setattr(courier, "begin", lambda regency, parcels, watched_until: None)


def hints(sending) -> list[tuple[bool, bool]]:
    """Of each hint of the regency whether it is due now, and whether somebody follows it before the last lease has ended."""
    with sending.database.platform_work() as work:
        rows = work.execute(sa.text("SELECT due_at FROM platform.delivery_hint WHERE regency = :slug"), {"slug": sending.regency})
        due = list(rows.scalars())
    with sending.work() as work:
        lease = work.execute(sa.text("SELECT max(lease_until) FROM delivery")).scalar_one()
    return sorted((each <= work.now, lease is not None and each < lease) for each in due)


def has_got(receiver, number) -> bool:
    return len(receiver.posted) == number


def let_pass(sending, *, leases: bool) -> None:
    """Let time pass until hints come up, and, if they do, until leases end."""
    with sending.database.platform_work() as work:
        work.execute(sa.text("UPDATE platform.delivery_hint SET due_at = now() WHERE regency = :slug"), {"slug": sending.regency})
    if leases:
        with sending.work() as work:
            work.execute(sa.text("UPDATE delivery SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL"))


def test_a_webhook_is_posted_to_by_who_handled_the_event_and_needs_no_hint_that_is_due(sending, receiver, courier):
    webhook = sending.add_webhook(receiver.url)
    for number, told in enumerate(today(*SERVED), 1):
        sending.hear([told], courier)
        eventually(partial(has_got, receiver, number))
    sending.wait_states(*["delivered"] * 5)
    assert len(set(receiver.ids)) == 5
    assert hints(sending) == [(False, False)], "one hint watches over all of them"
    assert sending.webhook(webhook["id"])["last_success_at"] is not None


def test_killed_before_posting_the_event_is_posted_by_the_next_process_when_the_lease_ends(sending, receiver, courier, monkeypatch):
    sending.add_webhook(receiver.url)
    let_die(courier, monkeypatch)
    sending.hear(today(), courier)
    assert (sending.states(), hints(sending)) == (["sending"], [(False, False)])
    with sending.dispatching():
        let_pass(sending, leases=True)
        sending.wait_states("delivered")
    assert receiver.ids == [sending.deliveries()[0]["event_id"]]


def test_a_hint_that_comes_up_before_the_lease_ends_is_followed_by_one_for_then(sending, receiver, courier, monkeypatch):
    sending.add_webhook(receiver.url)
    let_die(courier, monkeypatch)
    sending.hear(today(), courier)
    let_pass(sending, leases=False)
    with sending.dispatching():
        eventually(lambda: hints(sending) == [(False, False)])
        assert (sending.states(), receiver.posted) == (["sending"], [])
        let_pass(sending, leases=True)
        sending.wait_states("delivered")


def test_what_was_not_committed_is_not_posted(sending, receiver, courier):
    sending.add_webhook(receiver.url)
    lost, kept = today(), today()
    with contextlib.suppress(ZeroDivisionError), sending.work() as work:
        usecases.apply_ticket_events(work, [lost[0].envelope(sending.regency)], courier)
        raise ZeroDivisionError
    sending.hear(kept, courier)
    sending.wait_states("delivered")
    assert receiver.ids == [sending.deliveries()[0]["event_id"]]


def test_no_more_than_a_webhook_may_get_at_a_time_is_born_claimed(sending, courier):
    with HttpReceiver(Reply(delay=1.0)) as slow:
        sending.add_webhook(slow.url)
        sending.hear_together([told for _ in range(6) for told in today()], courier)
        assert sorted(sending.states()) == ["pending"] * 2 + ["sending"] * 4
        sending.hear(today(), courier)
        assert sorted(sending.states()) == ["pending"] * 3 + ["sending"] * 4
        with sending.dispatching():
            sending.wait_states(*["delivered"] * 7)
        assert len(slow.ids) == len(set(slow.ids)) == 7


def test_a_webhook_that_fails_or_is_paused_gets_nothing_without_being_looked_at(sending, receiver, courier):
    paused = sending.add_webhook(receiver.url)["id"]
    sending.do("pause_webhook", id=paused)
    sending.add_webhook(receiver.url)
    with sending.work() as work:
        work.execute(sa.text("UPDATE webhook SET failures = 1 WHERE status = 'active'"))
    sending.hear(today(), courier)
    assert sending.states() == ["pending", "pending"]


def test_one_that_fails_after_its_birth_is_tried_again(sending, receiver, courier):
    sending.add_webhook(receiver.url)
    receiver.script(Reply(500), Reply(200))
    sending.hear(today(), courier)
    sending.wait_states("pending")
    with sending.dispatching():
        sending.wait_states("delivered")
    [delivery] = sending.deliveries()
    assert (delivery["attempts"], receiver.ids) == (2, [delivery["event_id"]] * 2)


@pytest.fixture
def narrow(login_url, monkeypatch):
    """A database with a connection for each visit that may have one, and one to find hints; for none is waited."""
    monkeypatch.setattr("services.chassis.connections.LONGEST_WAIT", 0.0)
    database = Database("notification", login_url, pool_size=dispatching.TURNS + 1)
    yield database
    database.close()


def test_visits_of_many_regencies_wait_in_line_for_a_connection(new_notification, receiver, narrow, monkeypatch):
    monkeypatch.setattr(dispatching, "PUT_OFF", dispatching.PUT_OFF * 1000)  # a visit that fails is not made up for
    places = [Sending(made.database, made.regency) for made in (new_notification() for _ in range(8))]
    for place in places:
        place.add_webhook(receiver.url)
        place.hear(today(("ticket.called", 1)))
    failures = metrics.DELIVERY_FAILURES._value.get()
    with Sending(narrow, places[0].regency).dispatching():
        for place in places:
            place.wait_states("delivered", "delivered")
    assert len(receiver.ids) == len(set(receiver.ids)) == 16
    assert metrics.DELIVERY_FAILURES._value.get() == failures


def test_a_visit_that_cannot_claim_looks_again_by_itself(sending, receiver, monkeypatch):
    monkeypatch.setattr(dispatching, "PUT_OFF", dispatching.PUT_OFF * 1000)
    sending.add_webhook(receiver.url)
    sending.hear(today())
    work, refusals = sending.database.regency_work, iter(range(2))

    def busy_at_first(regency, **options):
        if next(refusals, None) is not None:
            raise Busy("no database connection free")
        return work(regency, **options)

    with sending.dispatching() as dispatcher:
        monkeypatch.setattr(dispatcher.database, "regency_work", busy_at_first)
        eventually(lambda: receiver.posted)
        assert next(refusals, None) is None
    sending.wait_states("delivered")
