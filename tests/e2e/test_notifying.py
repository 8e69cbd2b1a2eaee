"""The first tickets' journeys reach a system of the regency and the citizen's mailbox: each event once."""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.platform.client import Client
from tests.platform.deliveries import end_leases
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import LAMPUNG_TIMUR, serve, serve_all, take_number
from tests.processes import eventually
from tests.receivers import HttpReceiver, Mailbox, Reply

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

PATH = LAMPUNG_TIMUR.path
COUNTER = LAMPUNG_TIMUR.counters[0]
JOURNEY = ["mpp.ticket.called", "mpp.ticket.completed", "mpp.ticket.issued", "mpp.ticket.serving_started"]


@pytest.fixture
def mailbox(deployed_platform: DeployedPlatform) -> Iterator[Mailbox]:
    with Mailbox(port=deployed_platform.mail_port) as mailbox:
        yield mailbox


@pytest.fixture
def administrator(deployed_platform: DeployedPlatform) -> Client:
    return deployed_platform.client("admin@lampung-timur")


def add_webhook(administrator: Client, receiver: HttpReceiver, **fields: Any) -> dict[str, Any]:
    answer = administrator.command(f"{PATH}/webhooks", {"url": receiver.url, **fields})
    assert answer.status == 201, answer
    assert answer.headers["location"] == f"{PATH}/webhooks/{answer.body['id']}"
    webhook: dict[str, Any] = answer.body
    return webhook


def subscribed(citizen: Client, ticket: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"ticket": ticket["id"], "email": "budi@example.id", **fields}
    answer = citizen.request("POST", f"{PATH}/subscriptions", body, headers={"Ticket-Token": ticket["token"]})
    assert (answer.status, answer.body.get("email")) == (201, "b***@e***.id"), answer
    made: dict[str, Any] = answer.body
    return made


def call_and_serve(officer: Client, ticket: dict[str, Any]) -> None:
    called = officer.command(f"{PATH}/counters/{COUNTER}/call-next")
    assert (called.status, called.body["id"]) == (200, ticket["id"])
    serve(officer, LAMPUNG_TIMUR, ticket["id"])


def of_ticket(receiver: HttpReceiver, ticket: dict[str, Any]) -> list[str]:
    return sorted(event["type"] for event in (posted.event for posted in receiver.posted) if event["subject"] == ticket["id"])


def test_a_journey_reaches_webhook_and_mailbox_once_with_two_replicas(
    deployed_platform: DeployedPlatform, administrator: Client, mailbox: Mailbox
):
    citizen, officer = deployed_platform.client(), deployed_platform.client("officer@lampung-timur")
    serve_all(officer, LAMPUNG_TIMUR, COUNTER)
    with HttpReceiver() as receiver, deployed_platform.another("notification"):
        webhook = add_webhook(administrator, receiver, events=["ticket.*"], site=LAMPUNG_TIMUR.site)
        ticket = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP").body
        subscribed(citizen, ticket, kinds=["called", "completed"])
        called = officer.command(f"{PATH}/counters/{COUNTER}/call-next")
        assert called.body["id"] == ticket["id"]
        eventually(lambda: len(mailbox.letters) == 1)
        serve(officer, LAMPUNG_TIMUR, ticket["id"])
        eventually(lambda: of_ticket(receiver, ticket) == JOURNEY, within=20)
        eventually(lambda: len(mailbox.letters) == 2)
        path = f"{PATH}/webhooks/{webhook['id']}/deliveries"
        eventually(lambda: {each["state"] for each in administrator.pages(path)} == {"delivered"})
        assert Counter(receiver.ids) == Counter(each["event_id"] for each in administrator.pages(path))
        log = deployed_platform.event_log("lampung-timur", f"/regencies/lampung-timur/ticketing/sites/{LAMPUNG_TIMUR.site}")
        published = {event["id"]: event for event in log}
        assert all(posted.event == published[posted.headers["webhook-id"]] for posted in receiver.posted)
        assert administrator.request("DELETE", f"{PATH}/webhooks/{webhook['id']}").status == 200
    number = ticket["number"]
    assert mailbox.subjects == [f"Nomor {number} dipanggil", f"Nomor {number} selesai dilayani"]


def test_after_kill_9_everything_arrives_and_nothing_twice_by_mail(
    deployed_platform: DeployedPlatform, administrator: Client, mailbox: Mailbox
):
    """The process dies while receiver and mail server hesitate: the event is sent again under its id, the letter is not."""
    citizen, officer = deployed_platform.client(), deployed_platform.client("officer@lampung-timur")
    serve_all(officer, LAMPUNG_TIMUR, COUNTER)
    with HttpReceiver(Reply(delay=5.0)) as receiver:
        webhook = add_webhook(administrator, receiver, events=["ticket.called"])
        ticket = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP").body
        subscribed(citizen, ticket, kinds=["called"])
        mailbox.data_delay = 5.0
        called = officer.command(f"{PATH}/counters/{COUNTER}/call-next")
        assert called.body["id"] == ticket["id"]
        assert mailbox.arriving.wait(20)
        eventually(lambda: receiver.posted)
        for replica in deployed_platform.notification:
            replica.kill()
        mailbox.data_delay, receiver.reply = 0.0, lambda posted: Reply()
        end_leases(deployed_platform, LAMPUNG_TIMUR)
        for replica in deployed_platform.notification:
            replica.start()
        path = f"{PATH}/webhooks/{webhook['id']}/deliveries"
        eventually(lambda: [each["state"] for each in administrator.pages(path)] == ["delivered"])
        assert len(set(receiver.ids)) == 1
        mail = f"{PATH}/deliveries?channel=email"
        eventually(lambda: administrator.pages(mail)[0]["state"] == "uncertain")
        assert len(mailbox.letters) == 1
        assert administrator.request("DELETE", f"{PATH}/webhooks/{webhook['id']}").status == 200
    serve(officer, LAMPUNG_TIMUR, ticket["id"])


def test_the_secret_is_shown_once_and_strangers_see_nothing(deployed_platform: DeployedPlatform, administrator: Client):
    with HttpReceiver() as receiver:
        key = "a-key-of-this-test-0001"
        first = administrator.post(f"{PATH}/webhooks", {"url": receiver.url}, key=key)
        again = administrator.post(f"{PATH}/webhooks", {"url": receiver.url}, key=key)
        assert (first.status, again.body) == (201, first.body), "a repeat of the same command is answered with the same secret"
        one = f"{PATH}/webhooks/{first.body['id']}"
        assert "secret" not in administrator.get(one).body
        for account, status in (("auditor@lampung-timur", 200), ("supervisor@lampung-timur", 403), ("admin@oku-timur", 403)):
            assert deployed_platform.client(account).get(one).status == status
        ping = administrator.command(f"{one}/test")
        assert (ping.status, ping.body["event_type"]) == (201, "mpp.webhook.ping")
        eventually(lambda: "mpp.webhook.ping" in receiver.types)  # what happened just before may come too
        assert administrator.request("DELETE", one).status == 200
        assert administrator.get(one).code == "webhook_unknown"


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://10.0.0.1/", "ftp://example.id/", "http://a:b@127.0.0.1/", "http://0x7f.1/"]
)
def test_an_address_that_must_not_be_reached_is_refused_at_once(administrator: Client, url: str):
    answer = administrator.post(f"{PATH}/webhooks", {"url": url})
    assert (answer.status, answer.code) == (422, "payload_invalid")
    assert answer.body["errors"][0]["field"] == "url"


def test_a_citizen_ends_a_subscription_and_a_mail_program_too(deployed_platform: DeployedPlatform):
    citizen, officer = deployed_platform.client(), deployed_platform.client("officer@lampung-timur")
    ticket = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP").body
    token = {"Ticket-Token": ticket["token"]}
    wrong = citizen.request(
        "POST", f"{PATH}/subscriptions", {"ticket": ticket["id"], "email": "a@b.id"}, headers={"Ticket-Token": "x" * 43}
    )
    assert (wrong.status, wrong.code) == (403, "ticket_token_invalid")
    made = subscribed(citizen, ticket)
    path = f"{PATH}/subscriptions/{made['id']}"
    assert citizen.request("GET", path, headers=token).body == made
    assert citizen.request("GET", path, headers={"Ticket-Token": "x" * 43}).code == "ticket_token_invalid"
    assert officer.get(path).body["email"] == "b***@e***.id"
    assert citizen.request("DELETE", path, headers=token).status == 200
    assert citizen.request("GET", path, headers=token).code == "subscription_unknown"

    another = subscribed(citizen, ticket)
    form = urllib.parse.urlencode({"List-Unsubscribe": "One-Click"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    done = citizen.request("POST", f"{PATH}/subscriptions/{another['id']}/unsubscribe", form, headers=headers)
    assert done.status == 200, done
    assert citizen.request("GET", f"{PATH}/subscriptions/{another['id']}", headers=token).code == "subscription_unknown"
    assert citizen.request("POST", f"{PATH}/tickets/{ticket['id']}/cancel", headers=token).status == 200
