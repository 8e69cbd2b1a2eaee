"""Separate processes over RabbitMQ, two replicas of ticketing, two gateways: many hands at the same queue."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable

import pytest

from tests.e2e.first_tickets import take_call_and_serve
from tests.platform import checker
from tests.platform.client import Answer, Client, together
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import LAMPUNG_TIMUR, OKU_TIMUR, Day, empty, serve, take_number

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

TICKETS, CONNECTIONS = 300, 32
POLICE = {"site": "sukadana", "service": "POL-PMC", "channel": "web"}
TICKETS_PATH = f"{LAMPUNG_TIMUR.path}/tickets"


def waiting_tickets(platform: DeployedPlatform, number: int) -> list[Answer]:
    """Tickets just taken at OKU Timur, every fourth of them priority."""
    client = platform.client()
    kinds = [(OKU_TIMUR.services[index % 4], "elderly" if index % 4 == 0 else None) for index in range(number)]
    return [take_number(client, OKU_TIMUR, service, priority) for service, priority in kinds]


def test_three_tickets_are_called_in_the_right_order_and_served(deployed_platform: DeployedPlatform):
    take_call_and_serve(deployed_platform.client(), deployed_platform.client("officer@lampung-timur"))


def test_300_tickets_by_32_connections_have_unique_and_gapless_numbers(deployed_platform: DeployedPlatform, figures: Figures):
    auditor = deployed_platform.client("auditor@lampung-timur")
    before = len(auditor.pages(f"{TICKETS_PATH}?service=POL-PMC"))
    shares = [TICKETS // CONNECTIONS + (index < TICKETS % CONNECTIONS) for index in range(CONNECTIONS)]
    clients = [deployed_platform.client() for _ in shares]
    started = time.monotonic()
    taken = together(CONNECTIONS, lambda index: [clients[index].post(TICKETS_PATH, POLICE) for _ in range(shares[index])])
    seconds = time.monotonic() - started

    answers: list[Answer] = list(itertools.chain.from_iterable(taken))
    assert [answer.status for answer in answers] == [201] * TICKETS
    numbers = sorted(int(answer.body["number"].removeprefix("A-")) for answer in answers)
    assert numbers == list(range(before + 1, before + TICKETS + 1))
    assert len({answer.body["id"] for answer in answers}) == TICKETS
    by_replica = [
        process.metric("mpp_rpc_handled_duration_seconds_count", method="issue_ticket") for process in deployed_platform.ticketing
    ]
    assert all(by_replica), "one replica did nothing"
    checker.check_tickets(auditor.pages(f"{TICKETS_PATH}?service=POL-PMC"))
    longest = max(answer.seconds for answer in answers)
    figures(f"{TICKETS} tickets in {seconds:.2f} s ({TICKETS / seconds:.0f}/s), longest {longest:.3f} s, issued by replica {by_replica}")


def test_eight_counters_calling_at_once_call_nobody_twice(deployed_platform: DeployedPlatform, figures: Figures):
    empty(deployed_platform, [OKU_TIMUR])
    taken = waiting_tickets(deployed_platform, 40)
    officers = [deployed_platform.client("officer@oku-timur") for _ in OKU_TIMUR.counters]

    def work(index: int) -> list[str]:
        served = []
        path = f"{OKU_TIMUR.path}/counters/{OKU_TIMUR.counters[index]}/call-next"
        while (called := officers[index].post(path)).status == 200:
            served.append(called.body["id"])
            serve(officers[index], OKU_TIMUR, called.body["id"])
        assert called.status == 204, called
        return served

    started = time.monotonic()
    served = together(len(officers), work)
    seconds = time.monotonic() - started
    everybody = [ticket for of_counter in served for ticket in of_counter]
    assert sorted(everybody) == sorted(answer.body["id"] for answer in taken), "somebody was called twice, or not at all"

    tickets = deployed_platform.client("auditor@oku-timur").pages(f"{OKU_TIMUR.path}/tickets")
    checker.check_tickets(tickets)
    log = checker.check_log(deployed_platform, OKU_TIMUR, tickets)
    called_in_order = [event["subject"] for event in log if event["type"] == "mpp.ticket.called" and event["subject"] in everybody]
    priority_first = sorted(taken, key=lambda answer: (answer.body["lane"] == "regular", answer.body["arrived_at"]))
    assert called_in_order == [answer.body["id"] for answer in priority_first], "not in the order of lane and arrival"
    figures(f"40 tickets served by 8 counters in {seconds:.2f} s, {[len(of_counter) for of_counter in served]} by counter")


def test_one_ticket_called_by_eight_counters_goes_to_one(deployed_platform: DeployedPlatform):
    empty(deployed_platform, [OKU_TIMUR])
    ticket = waiting_tickets(deployed_platform, 1)[0].body["id"]
    officers = [deployed_platform.client("officer@oku-timur") for _ in OKU_TIMUR.counters]
    path = f"{OKU_TIMUR.path}/tickets/{ticket}/call"
    answers = together(8, lambda index: officers[index].post(path, {"counter": OKU_TIMUR.counters[index]}))
    won = [answer for answer in answers if answer.status == 200]
    lost = [answer for answer in answers if answer.status != 200]
    assert len(won) == 1
    assert {(answer.status, answer.code, answer.body["current_status"]) for answer in lost} == {(409, "ticket_state_conflict", "called")}
    serve(officers[0], OKU_TIMUR, ticket)


def test_the_same_key_by_eight_connections_takes_one_ticket(deployed_platform: DeployedPlatform):
    key, auditor = str(uuid.uuid4()), deployed_platform.client("auditor@lampung-timur")
    before = len(auditor.pages(f"{TICKETS_PATH}?service=POL-PMC"))
    clients = [deployed_platform.client() for _ in range(8)]
    answers = together(8, lambda index: clients[index].post(TICKETS_PATH, POLICE, key=key))
    assert [answer.status for answer in answers] == [201] * 8
    assert all(answer.body == answers[0].body for answer in answers)
    assert answers[0].body["token"]
    assert len(auditor.pages(f"{TICKETS_PATH}?service=POL-PMC")) == before + 1

    other = clients[0].post(TICKETS_PATH, {**POLICE, "service": "CPL-KTP"}, key=key)
    assert (other.status, other.code, other.headers["content-type"]) == (422, "idempotency_key_reused", "application/problem+json")
    assert len(auditor.pages(f"{TICKETS_PATH}?service=POL-PMC")) == before + 1


def test_a_key_belongs_to_who_sent_it_and_to_what_was_asked(deployed_platform: DeployedPlatform):
    key = str(uuid.uuid4())
    officer, supervisor = (deployed_platform.client(f"{name}@lampung-timur") for name in ("officer", "supervisor"))
    mine = officer.post(TICKETS_PATH, POLICE, key=key)
    theirs = supervisor.post(TICKETS_PATH, POLICE, key=key)
    assert mine.body["id"] != theirs.body["id"]
    cancelled = officer.post(f"{TICKETS_PATH}/{mine.body['id']}/cancel", key=key)
    assert (cancelled.status, cancelled.code) == (422, "idempotency_key_reused")


def test_a_citizen_follows_and_gives_back_with_the_ticket_s_token_only(deployed_platform: DeployedPlatform):
    citizen = deployed_platform.client()
    taken = take_number(citizen, LAMPUNG_TIMUR, "CPL-KK").body
    other = take_number(citizen, LAMPUNG_TIMUR, "CPL-KK").body
    path = f"{TICKETS_PATH}/{taken['id']}"

    def status(token: str | None, method: str = "GET", suffix: str = "") -> tuple[int, str | None]:
        answer = citizen.request(method, path + suffix, headers={} if token is None else {"Ticket-Token": token})
        return answer.status, answer.code

    assert status(None) == (401, "token_missing")
    assert status(other["token"]) == (403, "ticket_token_invalid")
    assert status(taken["token"]) == (200, None)
    assert status(other["token"], "POST", "/cancel") == (403, "ticket_token_invalid")
    assert status(taken["token"], "POST", "/cancel") == (200, None)
    assert status(taken["token"], "POST", "/cancel") == (409, "ticket_state_conflict")
    assert status(other["token"], "POST", "/start") == (401, "token_missing")
    citizen.post(f"{TICKETS_PATH}/{other['id']}/cancel", **{"Ticket-Token": other["token"]})


def test_a_citizen_who_does_not_come_is_called_again_and_then_passed_over(deployed_platform: DeployedPlatform):
    officer = deployed_platform.client("officer@oku-timur")
    empty(deployed_platform, [OKU_TIMUR])
    ticket = waiting_tickets(deployed_platform, 1)[0].body["id"]
    path = f"{OKU_TIMUR.path}/tickets/{ticket}"
    assert officer.post(f"{path}/call", {"counter": "martapura-01"}).status == 200
    assert [officer.post(f"{path}/recall").status for _ in range(3)] == [200, 200, 200]
    beyond = officer.post(f"{path}/recall")
    assert (beyond.status, beyond.code) == (409, "recall_limit_reached")
    passed_over = officer.post(f"{path}/no-show")
    assert (passed_over.status, passed_over.body["status"], passed_over.body["recalls"]) == (200, "no_show", 3)
    assert officer.post(f"{path}/start").code == "ticket_state_conflict"


def test_a_day_s_play_of_two_regencies_at_once_leaves_books_that_agree(deployed_platform: DeployedPlatform, figures: Figures):
    """Eight counters here and one there; nothing of one regency shows up in the other."""
    empty(deployed_platform, [OKU_TIMUR, LAMPUNG_TIMUR])
    days = [Day(deployed_platform, OKU_TIMUR, 80), Day(deployed_platform, LAMPUNG_TIMUR, 20)]
    for day in days:
        day.begin()
    for day in days:
        day.end()
        checker.check_deadlines(day.ledger)
        assert day.ledger.refused == 0, "nothing was wrong, and yet somebody was refused"
    for hall in (OKU_TIMUR, LAMPUNG_TIMUR):
        auditor: Client = deployed_platform.client(f"auditor@{hall.regency}")
        tickets = auditor.pages(f"{hall.path}/tickets")
        assert {ticket["site"] for ticket in tickets} == {hall.site}
        checker.check_tickets(tickets)
        log = checker.check_log(deployed_platform, hall, tickets)
        checker.check_published(deployed_platform, hall, log)
        checker.check_reports(deployed_platform, hall, tickets)
    figures("; ".join(f"{day.hall.site}: {day.ledger.figures()}" for day in days))
