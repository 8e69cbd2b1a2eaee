"""Events reach a system of the regency once, signed, whatever the receiver does."""

import base64
import dataclasses
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from services.chassis.errors import DomainError
from services.chassis.events import Envelope
from services.chassis.handlers import one_by_one
from services.contracts.registry import example_event
from services.notification import usecases
from services.notification.dispatching import Limits
from services.notification.domain import Retries, signature_of
from tests.integration.notification.sending import SERVED, Sending, today
from tests.processes import eventually
from tests.receivers import HttpReceiver, Reply
from tests.ticket_journeys import journey

pytestmark = pytest.mark.integration


def test_a_journey_arrives_as_it_was_published_and_signed(sending, receiver):
    webhook = sending.add_webhook(receiver.url)
    told = [happening.envelope(sending.regency) for happening in today(*SERVED)]
    with sending.dispatching():
        for event in told:
            with sending.work() as work:
                usecases.apply_ticket_events(work, [event])
        sending.wait_states(*["delivered"] * 5)
    assert sorted(receiver.ids) == sorted(event.id for event in told)
    for posted in receiver.posted:
        [event] = [event for event in told if event.id == posted.headers["webhook-id"]]
        assert json.loads(posted.body) == event.to_cloudevent()
        assert posted.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
        assert abs(int(posted.headers["webhook-timestamp"]) - time.time()) < 30
        key = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
        signed = f"{event.id}.{posted.headers['webhook-timestamp']}.".encode() + posted.body
        assert posted.headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert sending.webhook(webhook["id"])["last_success_at"] is not None


def test_filters_and_site_decide_what_is_sent(sending, receiver):
    wishes = ({"events": ["ticket.called"]}, {"events": ["queue.*"]}, {"site": "elsewhere"}, {"events": ["ticket.*"], "site": "sukadana"})
    ids = [sending.add_webhook(receiver.url, **wish)["id"] for wish in wishes]
    sending.hear(today(*SERVED))
    counts = sorted(len(sending.to_webhook(each)) for each in ids)
    assert counts == [0, 0, 1, 5]


@pytest.mark.parametrize("event_type", ["survey.submitted", "catalog.counter_changed", "catalog.agency_changed", "queue.day_closed"])
def test_events_of_every_kind_are_sent_to_those_who_want_them_and_their_site(sending, receiver, event_type):
    handlers = {
        "survey": one_by_one(usecases.apply_other_event),
        "catalog": one_by_one(usecases.apply_catalog_event),
        "queue": usecases.apply_ticket_events,
    }
    example = example_event(event_type)
    source = example["source"].replace("lampung-timur", sending.regency)
    event = Envelope.from_cloudevent({**example, "regency": sending.regency, "source": source, "time": datetime.now(UTC).isoformat()})
    aggregate = event_type.partition(".")[0]
    here = sending.add_webhook(receiver.url, events=[f"{aggregate}.*"], site="sukadana")
    anywhere = sending.add_webhook(receiver.url, events=[event_type])
    sending.add_webhook(receiver.url, events=["ticket.*"])
    with sending.work() as work:
        handlers[aggregate](work, [event])
    wanted = {delivery["webhook"] for delivery in sending.deliveries()}
    assert wanted == ({anywhere["id"]} if event_type == "catalog.agency_changed" else {here["id"], anywhere["id"]})


def test_what_happened_before_a_webhook_was_made_is_not_sent(sending, receiver):
    sending.add_webhook(receiver.url)
    sending.hear(journey(*SERVED))
    assert sending.deliveries() == []


def test_what_comes_again_for_a_rebuild_or_in_a_snapshot_is_told_to_nobody(sending, receiver):
    told = today(("ticket.called", 1))
    sending.add_webhook(receiver.url)
    sending.subscribe(told[0].ticket)
    with sending.work() as work:
        usecases.apply_ticket_events(work, [dataclasses.replace(told[1].envelope(sending.regency), replayed=True)])
    assert sending.deliveries() == []


def test_an_event_that_comes_again_is_sent_once(sending, receiver):
    sending.add_webhook(receiver.url)
    event = today()[0].envelope(sending.regency)
    with sending.dispatching():
        for _ in range(3):
            with sending.work() as work:
                usecases.apply_ticket_events(work, [event])
            sending.wait_states("delivered")
    assert receiver.ids == [event.id]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(500), "status_500"),
        (Reply(404), "status_404"),
        (Reply(302, {"Location": "http://127.0.0.1:1/"}), "redirected"),
        (Reply(manner="cut"), "connection_lost"),
        (Reply(manner="reset"), "connection_lost"),
    ],
)
def test_what_fails_is_tried_again_under_the_same_id(sending, receiver, reply, error):
    webhook = sending.add_webhook(receiver.url)
    receiver.script(reply, reply, Reply(200))
    with sending.dispatching():
        sending.hear(today())
        sending.wait_states("delivered")
    [delivery] = sending.deliveries()
    assert len(receiver.ids) == 3
    assert set(receiver.ids) == {delivery["event_id"]}
    assert (delivery["attempts"], delivery["last_status"], delivery["last_error"]) == (3, 200, None)
    assert sending.webhook(webhook["id"])["failures"] == 0


def test_after_the_last_attempt_it_has_failed_and_can_be_sent_again(sending, receiver):
    webhook = sending.add_webhook(receiver.url)
    receiver.script(Reply(500))
    with sending.dispatching():
        sending.hear(today())
        sending.wait_states("failed")
        [delivery] = sending.deliveries()
        assert (delivery["attempts"], delivery["last_error"], len(receiver.posted)) == (4, "status_500", 4)
        receiver.script(Reply(200))
        again = sending.do("redeliver_webhook", webhook=webhook["id"], id=delivery["id"])
        assert again["state"] == "pending"
        sending.wait_states("delivered")
    assert set(receiver.ids) == {delivery["event_id"]}


def test_retry_after_is_heeded_by_everything_for_that_webhook(sending, receiver):
    sending.add_webhook(receiver.url)
    receiver.script(Reply(429, {"Retry-After": "2"}), Reply(204))
    with sending.dispatching():
        sending.hear(today())
        eventually(lambda: receiver.posted)
        eventually(lambda: sending.states() == ["pending"])
        sending.hear(today())
        sending.wait_states("delivered", "delivered")
    first, *others = [posted.at for posted in receiver.posted]
    assert len(others) == 2
    assert min(others) - first >= 2.0


def test_one_that_is_gone_is_paused_and_resumed_with_what_has_waited(sending, receiver):
    webhook = sending.add_webhook(receiver.url)
    receiver.script(Reply(410))
    with sending.dispatching():
        sending.hear(today())
        sending.wait_states("failed")
        paused = sending.webhook(webhook["id"])
        assert (paused["status"], paused["paused_reason"], paused["version"]) == ("paused", "gone", 2)
        sending.hear(today(("ticket.called", 1)))
        assert sending.states() == ["failed", "pending", "pending"]
        receiver.script(Reply(200))
        sending.do("resume_webhook", id=webhook["id"])
        sending.wait_states("failed", "delivered", "delivered")
    with pytest.raises(DomainError, match="webhook_state_conflict"):
        sending.do("resume_webhook", id=webhook["id"])


def test_what_has_waited_can_be_discarded(sending, receiver):
    webhook = sending.add_webhook(receiver.url)
    sending.do("pause_webhook", id=webhook["id"])
    sending.hear(today())
    with sending.dispatching():
        sending.do("resume_webhook", id=webhook["id"], waiting="discard")
        sending.do("test_webhook", id=webhook["id"])
        sending.wait_states("discarded", "delivered")
    assert receiver.types == ["mpp.webhook.ping"]


def test_one_that_fails_for_a_day_is_paused(sending, receiver):
    webhook = sending.add_webhook(receiver.url)
    receiver.script(Reply(500))
    with sending.work() as work:
        work.execute(sa.text("UPDATE webhook SET failures = 14, failing_since = now() - interval '24 hours'"))
    with sending.dispatching():
        sending.hear(today())
        eventually(lambda: sending.webhook(webhook["id"])["status"] == "paused")
    assert sending.webhook(webhook["id"])["paused_reason"] == "failures"
    assert sending.states() == ["pending"]


def test_during_a_change_of_secret_both_sign(sending, receiver):
    webhook = sending.add_webhook(receiver.url)
    rotated = usecases.with_secret(sending.settings, sending.do("rotate_webhook_secret", sending.settings, id=webhook["id"]))
    assert rotated["secret"] != webhook["secret"]
    with sending.dispatching():
        sending.do("test_webhook", id=webhook["id"])
        sending.wait_states("delivered")
    [posted] = receiver.posted
    stamp = int(posted.headers["webhook-timestamp"])
    expected = [signature_of(secret, posted.headers["webhook-id"], stamp, posted.body) for secret in (rotated["secret"], webhook["secret"])]
    assert posted.headers["webhook-signature"].split(" ") == expected


def test_no_secret_stands_in_any_table(sending, receiver):
    webhook = sending.add_webhook(receiver.url)
    with sending.work() as work:
        stored = work.execute(sa.text("SELECT secret FROM webhook")).scalar_one()
    assert webhook["secret"] not in stored
    assert webhook["secret"].removeprefix("whsec_") not in stored


def test_a_dead_receiver_delays_no_other_one(sending, new_notification):
    other = type(sending)(sending.database, new_notification().regency)
    with HttpReceiver(Reply(delay=3.0)) as slow, HttpReceiver() as quick, HttpReceiver() as neighbour:
        sending.add_webhook(slow.url)
        sending.add_webhook(quick.url)
        other.add_webhook(neighbour.url)
        with sending.dispatching(limits=Limits(in_all=32, per_regency=8)):
            for _ in range(12):
                sending.hear(today())
            other.hear(today())
            started = time.monotonic()
            eventually(lambda: len(quick.posted) == 12 and len(neighbour.posted) == 1, within=20)
            waited = time.monotonic() - started
            assert slow.connections <= 4
            assert len(slow.posted) < 12
    assert waited < 3.0


def test_two_dispatchers_send_nothing_twice(sending, receiver):
    sending.add_webhook(receiver.url)
    with sending.dispatching(), sending.dispatching(), sending.dispatching():
        for _ in range(10):
            sending.hear(today(*SERVED))
        eventually(lambda: sending.states().count("delivered") == 50, within=30)
    assert len(receiver.ids) == len(set(receiver.ids)) == 50


def test_an_answer_without_end_is_not_read_to_the_end(sending, receiver):
    sending.add_webhook(receiver.url)
    receiver.script(Reply(200, manner="huge"))
    with sending.dispatching():
        sending.hear(today())
        sending.wait_states("delivered")


def test_a_key_that_is_not_known_loses_nothing(sending, receiver):
    sending.add_webhook(receiver.url)
    stranger = type(sending)(sending.database, sending.regency, keys=("another key, 32 characters or more",))
    sending.hear(today())
    with stranger.dispatching():
        eventually(lambda: sending.deliveries()[0]["last_error"] == "encryption_key_unknown")
    [delivery] = sending.deliveries()
    assert (delivery["state"], delivery["attempts"], receiver.posted) == ("pending", 0, [])
    assert sending.webhook(delivery["webhook"])["failures"] == 0


@pytest.mark.parametrize("retries", [Retries(first=0.0, longest=0.0, attempts=3)])
def test_an_internal_address_is_never_connected_to(new_notification, receiver, retries):
    made = new_notification()
    trusting = Sending(made.database, made.regency)
    trusting.add_webhook(receiver.url)
    strict = Sending(made.database, made.regency)
    delivery = dataclasses.replace(strict.settings.delivery, webhook_allowed_networks=())
    strict.settings = dataclasses.replace(strict.settings, delivery=delivery)
    with pytest.raises(DomainError, match="payload_invalid"):
        strict.add_webhook(receiver.url)
    with strict.dispatching(retries=retries):
        strict.hear(today())
        strict.wait_states("failed")
    assert strict.deliveries()[0]["last_error"] == "url_internal"
    assert receiver.connections == 0


def test_who_is_told_to_stop_finishes_what_is_under_way(sending):
    with HttpReceiver(Reply(delay=1.5)) as receiver:
        sending.add_webhook(receiver.url)
        with sending.dispatching():
            sending.hear(today())
            eventually(lambda: receiver.posted)
            assert sending.states() == ["sending"]
        assert sending.states() == ["delivered"]


@pytest.mark.parametrize("events", [["ticket.cancel"], ["tickets.*"], ["ticket.*", "webhook.ping"]])
def test_a_filter_that_would_never_match_is_refused_with_what_there_is(sending, receiver, events):
    with pytest.raises(DomainError, match="payload_invalid") as refused:
        sending.add_webhook(receiver.url, events=events)
    [error] = refused.value.details["errors"]
    assert error["rule"] == "event_type_unpublished"
    assert "ticket.cancelled" in error["message"]


def test_a_regency_has_so_many_webhooks_and_no_more(sending, receiver, monkeypatch):
    monkeypatch.setattr("services.notification.usecases.webhooks.MOST_WEBHOOKS", 2)
    for _ in range(2):
        sending.add_webhook(receiver.url)
    with pytest.raises(DomainError, match="webhook_limit_reached"):
        sending.add_webhook(receiver.url)


def test_a_change_is_only_made_to_the_version_that_was_seen(sending, receiver):
    webhook = sending.add_webhook(receiver.url)
    changed = sending.do("update_webhook", sending.settings, id=webhook["id"], if_match=1, events=["ticket.*"])
    assert (changed["events"], changed["version"]) == (["ticket.*"], 2)
    assert sending.do("update_webhook", sending.settings, id=webhook["id"], events=["ticket.*"])["version"] == 2
    with pytest.raises(DomainError, match="version_conflict"):
        sending.do("update_webhook", sending.settings, id=webhook["id"], if_match=1, site="sukadana")


def test_lists_go_on_where_the_page_before_ended(sending, receiver):
    ids = [sending.add_webhook(receiver.url)["id"] for _ in range(5)]
    sending.hear(today(("ticket.called", 1)))
    for name, expected in (("list_webhooks", ids), ("list_deliveries", [each["id"] for each in reversed(sending.deliveries())])):
        found, cursor = [], None
        while True:
            page = sending.do(name, limit=2, **({} if cursor is None else {"cursor": cursor}))
            found += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == expected
        with pytest.raises(DomainError, match="parameter_invalid"):
            sending.do(name, cursor="nonsense")
