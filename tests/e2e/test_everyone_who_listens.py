"""What happens at the counters reaches everybody who needs to know, once, though events come doubled and out of order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.platform import checker
from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.disorder import Disorder
from tests.platform.journeys import OKU_TIMUR, empty, serve, take_number
from tests.processes import eventually
from tests.receivers import HttpReceiver, Mailbox

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

HALL = OKU_TIMUR
JOURNEYS = 24
STEPS = ["mpp.ticket.called", "mpp.ticket.completed", "mpp.ticket.issued", "mpp.ticket.serving_started"]


def test_two_replicas_of_everything_and_events_in_disorder(deployed_platform: DeployedPlatform, figures: Callable[[str], None]):
    platform = deployed_platform
    administrator, auditor = platform.client(f"admin@{HALL.regency}"), platform.client(f"auditor@{HALL.regency}")
    empty(platform, [HALL])
    with (
        platform.another("reporting") as reporting,
        platform.another("notification") as notification,
        HttpReceiver() as receiver,
        Mailbox(port=platform.mail_port) as mailbox,
        Disorder(platform.rabbitmq.url, HALL.regency) as disorder,
    ):
        webhook = administrator.command(f"{HALL.path}/webhooks", {"url": receiver.url, "events": ["ticket.*"]}).body
        tickets = [journey(platform, HALL.counters[number % len(HALL.counters)], number) for number in range(JOURNEYS)]
        own = {ticket["id"] for ticket in tickets}

        eventually(lambda: told_steps(receiver, own) == dict.fromkeys(own, STEPS), within=60)
        completed = {f"Nomor {ticket['number']} selesai dilayani" for ticket in tickets}
        eventually(lambda: completed <= set(mailbox.subjects), within=60)
        for listener, replicas in (
            ("reporting", [*platform.reporting, reporting]),
            ("notification", [*platform.notification, notification]),
        ):
            platform.wait_followed(listener, "ticketing", HALL.regency)
            assert all(replica.metric("mpp_events_handled_total", outcome="handled") for replica in replicas), f"one {listener} did it all"

    assert disorder.repeated >= JOURNEYS * len(STEPS) * 2
    assert max(Counter(receiver.ids).values()) == 1, "a webhook got an event twice"
    assert max(Counter(mailbox.subjects).values()) == 1, "a citizen got a letter twice"
    assert administrator.request("DELETE", f"{HALL.path}/webhooks/{webhook['id']}").status == 200
    check_daily_report(auditor, auditor.pages(f"{HALL.path}/tickets?site={HALL.site}"))
    board = checker.check_boards(platform, HALL)
    figures(f"{JOURNEYS} journeys, {disorder.repeated} late repeats: {len(receiver.ids)} posts, {len(mailbox.letters)} letters; {board}")


def journey(platform: DeployedPlatform, counter: str, number: int) -> dict[str, Any]:
    """A citizen who wants letters takes a number, is called and served."""
    citizen, officer = platform.client(), platform.client(f"officer@{HALL.regency}")
    ticket: dict[str, Any] = take_number(citizen, HALL, HALL.services[number % len(HALL.services)]).body
    wish = {"ticket": ticket["id"], "email": f"warga{number}@example.id", "kinds": ["called", "completed"]}
    made = citizen.request("POST", f"{HALL.path}/subscriptions", wish, headers={"Ticket-Token": ticket["token"]})
    assert made.status == 201, made
    called = officer.command(f"{HALL.path}/counters/{counter}/call-next")
    assert called.body["id"] == ticket["id"]
    serve(officer, HALL, ticket["id"])
    return ticket


def told_steps(receiver: HttpReceiver, own: set[str]) -> dict[str, list[str]]:
    """Types of the events that the receiver has of each ticket, sorted, repeats and all."""
    told: dict[str, list[str]] = {}
    for event in [posted.event for posted in receiver.posted]:
        if event["subject"] in own:
            told.setdefault(event["subject"], []).append(event["type"])
    return {ticket: sorted(types) for ticket, types in told.items()}


def check_daily_report(auditor: Client, tickets: list[dict[str, Any]]) -> None:
    """The report of each business date counts every ticket once."""
    tickets = [ticket for ticket in tickets if any(period["state"] == "waiting" for period in ticket["periods"])]  # not the void ones
    for date, count in Counter(ticket["business_date"] for ticket in tickets).items():
        report = auditor.get(f"{HALL.path}/reports/daily?site={HALL.site}&date={date}").body
        states = Counter(ticket["status"] for ticket in tickets if ticket["business_date"] == date)
        assert report["issued"] == count
        assert {state: report[state] for state in states} == dict(states)
