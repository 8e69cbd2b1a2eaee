"""Local midnight at a site: open tickets expire, nothing is booked as served, numbers begin again.

No clock is moved and no code replaced: after the tickets were taken, the administrator of the database moves the whole
day 24 hours back, as if all of it had happened yesterday. A replica that starts then finds a day that has ended.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.chassis.tail import tail
from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import Hall, serve, take_number
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

BOROKO = Hall("bolaang-mongondow-utara", "boroko", ("CPL-INF", "PUP-INF"), ("boroko-03", "boroko-06"))
ONE_DAY = timedelta(days=1)


def move_back_one_day(platform: DeployedPlatform, hall: Hall) -> None:
    """Let everything of the hall's present day have happened 24 hours earlier."""
    with psycopg.connect(platform.postgres.url("ticketing")) as database:
        database.execute(f"SET search_path TO {hall.regency.replace('-', '_')}")
        database.execute("SET CONSTRAINTS ALL DEFERRED")
        for table, instants in (
            ("queue_day", ("opened_at", "closes_at", "last_arrival_at")),
            ("visit", ("arrived_at",)),
            ("ticket", ("arrived_at", "issued_at")),
        ):
            earlier = ", ".join(f"{name} = {name} - interval '1 day'" for name in instants)
            database.execute(f"UPDATE {table} SET business_date = business_date - 1, {earlier} WHERE site = %s", (hall.site,))
        for ticket, periods in database.execute("SELECT id, periods FROM ticket WHERE site = %s", (hall.site,)).fetchall():
            database.execute("UPDATE ticket SET periods = %s WHERE id = %s", (json.dumps([_earlier(each) for each in periods]), ticket))


def _earlier(period: dict[str, Any]) -> dict[str, Any]:
    moved = {name: period[name] and (datetime.fromisoformat(period[name]) - ONE_DAY).isoformat() for name in ("started_at", "ended_at")}
    return {**period, **moved}


def day_with_open_tickets(citizen: Client, officer: Client) -> dict[str, str]:
    """A day with a ticket in each state; return their ids."""
    taken = {state: take_number(citizen, BOROKO, "CPL-INF").body["id"] for state in ("completed", "serving", "waiting", "cancelled")}
    taken["called"] = take_number(citizen, BOROKO, "PUP-INF").body["id"]
    for state in ("completed", "serving"):
        assert officer.post(f"{BOROKO.path}/counters/boroko-03/call-next").body["id"] == taken[state]
        if state == "completed":
            serve(officer, BOROKO, taken[state])
    assert officer.post(f"{BOROKO.path}/tickets/{taken['serving']}/start").status == 200
    assert officer.post(f"{BOROKO.path}/tickets/{taken['cancelled']}/cancel").status == 200
    assert officer.post(f"{BOROKO.path}/counters/boroko-06/call-next").body["id"] == taken["called"]
    return taken


def test_midnight_expires_what_is_open_and_numbers_begin_again(deployed_platform: DeployedPlatform):
    citizen, officer = deployed_platform.client(), deployed_platform.client(f"officer@{BOROKO.regency}")
    taken = day_with_open_tickets(citizen, officer)
    today = officer.get(f"{BOROKO.path}/tickets/{taken['waiting']}").body["business_date"]
    yesterday = (date.fromisoformat(today) - ONE_DAY).isoformat()
    heard = tail(deployed_platform.rabbitmq.url, f"{BOROKO.regency}.#", timeout=20.0)
    assert next(heard) == {}, "the queue exists"
    move_back_one_day(deployed_platform, BOROKO)
    with deployed_platform.another("ticketing"):
        closing: list[dict[str, Any]] = []
        while "mpp.queue.day_closed" not in [event["type"] for event in closing]:
            closing.append(next(heard))
    heard.close()

    tickets = {state: officer.get(f"{BOROKO.path}/tickets/{ticket}").body for state, ticket in taken.items()}
    assert {state: ticket["status"] for state, ticket in tickets.items()} == {
        "completed": "completed",
        "cancelled": "cancelled",
        "serving": "expired",
        "waiting": "expired",
        "called": "expired",
    }
    assert all(ticket["business_date"] == yesterday for ticket in tickets.values())
    for state in ("serving", "waiting", "called"):
        *_, last, end = tickets[state]["periods"]
        assert (last["state"], end["state"], last["ended_at"]) == (state, "expired", end["started_at"])
        assert tickets[state]["outcome"] is None
    expired = [event["subject"] for event in closing if event["type"] == "mpp.ticket.expired"]
    assert sorted(expired) == sorted(taken[state] for state in ("serving", "waiting", "called"))
    assert closing[-1]["data"] == {"site": "boroko", "business_date": yesterday, "expired": 3}

    late = officer.post(f"{BOROKO.path}/tickets/{taken['serving']}/complete")
    assert (late.status, late.code, late.body["current_status"]) == (409, "ticket_state_conflict", "expired")
    first = take_number(citizen, BOROKO, "CPL-INF").body
    assert (first["number"], first["business_date"]) == ("C-001", today)
    called = officer.post(f"{BOROKO.path}/counters/boroko-03/call-next")
    assert (called.status, called.body["id"]) == (200, first["id"]), "the counter is still busy with yesterday"

    def told() -> bool:
        figures = deployed_platform.call("reporting", "daily_report", {"site": BOROKO.site, "date": yesterday}, BOROKO.regency)
        return bool((figures["expired"], figures["completed"]) == (3, 0))

    eventually(told)
