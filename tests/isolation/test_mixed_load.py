"""Two regencies at work at the same time: nothing of one is found in anything that belongs to the other."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql

from services.chassis.settings import SERVICES
from services.chassis.tail import tail
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import LAMPUNG_TIMUR, OKU_TIMUR, Day, Hall, empty, take_number

pytestmark = [pytest.mark.isolation, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

HALLS = (OKU_TIMUR, LAMPUNG_TIMUR)


def rows_of(platform: DeployedPlatform, service: str, hall: Hall) -> dict[str, list[str]]:
    """Every row of every table of the hall's regency, as text."""
    schema = hall.regency.replace("-", "_")
    with psycopg.connect(platform.postgres.url(service)) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE'", (schema,)
        ).fetchall()
        query = sql.SQL("SELECT row_to_json(each)::text FROM {} each")
        return {name: [row for (row,) in connection.execute(query.format(sql.Identifier(schema, name))).fetchall()] for (name,) in tables}


def marks_of(platform: DeployedPlatform, hall: Hall) -> set[str]:
    """What gives a regency away: its name, its site, its tickets."""
    tickets = platform.client(f"auditor@{hall.regency}").pages(f"{hall.path}/tickets")
    return {hall.regency, f'"{hall.site}', *(ticket["id"] for ticket in tickets), *(ticket["visit"] for ticket in tickets)}


def test_nothing_of_one_regency_is_found_in_another_s_data_or_events(deployed_platform: DeployedPlatform, figures: Figures):
    empty(deployed_platform, HALLS)
    heard = {hall.regency: tail(deployed_platform.rabbitmq.url, f"{hall.regency}.ticket.*", timeout=15.0) for hall in HALLS}
    assert all(next(events) == {} for events in heard.values())
    days = [Day(deployed_platform, OKU_TIMUR, 40), Day(deployed_platform, LAMPUNG_TIMUR, 10)]
    for day in days:
        day.begin()
    for day in days:
        day.end()
        for follower in ("reporting", "notification"):
            deployed_platform.wait_followed(follower, "ticketing", day.hall.regency)

    rows = 0
    for hall, other in (HALLS, HALLS[::-1]):
        foreign = marks_of(deployed_platform, other)
        for service in SERVICES:
            for table, texts in rows_of(deployed_platform, service, hall).items():
                rows += len(texts)
                found = [text for text in texts if any(mark in text for mark in foreign)]
                assert not found, f"{service}.{table} of {hall.regency} knows of {other.regency}: {found[0]}"
    for day in days:
        events = [next(heard[day.hall.regency]) for _ in range(4 * day.journeys)]
        assert {event["regency"] for event in events} == {day.hall.regency}
        assert {event["data"]["ticket"]["site"] for event in events} == {day.hall.site}
        assert {event["subject"] for event in events} == {answer.body["id"] for answer in day.issued}
        counters = {event["data"]["ticket"]["counter"] for event in events} - {None}
        assert counters <= set(day.hall.counters)
    figures(f"{rows} rows of 2 regencies in {len(SERVICES)} services: none knows of the other")


def test_lists_hold_the_tickets_of_their_regency_only(deployed_platform: DeployedPlatform):
    seen: dict[str, str] = {}
    for hall in HALLS:
        take_number(deployed_platform.client(), hall, hall.services[0])
    for document in deployed_platform.documents:
        regency = document["regency"]["id"]
        auditor = deployed_platform.client(f"auditor@{regency}")
        sites = {site["id"] for site in auditor.pages(f"/v1/{regency}/sites")}
        for ticket in auditor.pages(f"/v1/{regency}/tickets"):
            assert seen.setdefault(ticket["id"], regency) == regency
            assert ticket["site"] in sites
    assert set(seen.values()) >= {hall.regency for hall in HALLS}


def test_a_ticket_s_token_opens_nothing_elsewhere(deployed_platform: DeployedPlatform):
    citizen = deployed_platform.client()
    taken = citizen.post(f"{OKU_TIMUR.path}/tickets", {"site": "martapura", "service": "PTS-IZN", "channel": "web"}).body
    elsewhere = citizen.get(f"{LAMPUNG_TIMUR.path}/tickets/{taken['id']}", **{"Ticket-Token": taken["token"]})
    assert (elsewhere.status, elsewhere.code) == (404, "ticket_unknown")
    assert citizen.post(f"{OKU_TIMUR.path}/tickets/{taken['id']}/cancel", **{"Ticket-Token": taken["token"]}).status == 200
