"""`mpp rebuild`: what a service knows of others is made again, while the platform runs, from logs and snapshots."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from services.contracts.reporting import ELEMENTS
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import Day, Hall, serve, take_number
from tests.processes import CHECKOUT, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

SANGATTA = Hall("kutai-timur", "sangatta", ("PTS-INF",), ("sangatta-01",))
"""Of a regency whose event logs no other test looks at."""

REGENCY = SANGATTA.regency
SCHEMA = REGENCY.replace("-", "_")


@pytest.fixture(scope="module")
def platform(deployed_platform: DeployedPlatform) -> DeployedPlatform:
    """A platform in which people were served, and which told everybody of it."""
    day = Day(deployed_platform, SANGATTA, journeys=40)
    day.begin()
    day.end()
    for follower in ("reporting", "notification"):
        wait_settled(deployed_platform, follower)
    return deployed_platform


def rows(platform: DeployedPlatform, service: str, table: str, schema: str = SCHEMA) -> list[Any]:
    with psycopg.connect(platform.postgres.url(service), row_factory=tuple_row) as database:
        return sorted(database.execute(f"SELECT to_jsonb(t)::text FROM {schema}.{table} t").fetchall())


def meddle(platform: DeployedPlatform, service: str, statement: str) -> int:
    with psycopg.connect(platform.postgres.url(service)) as database:
        return database.execute(statement).rowcount


def published(platform: DeployedPlatform, owner: str) -> bool:
    return not rows(platform, owner, "outbox", "platform")


def wait_settled(platform: DeployedPlatform, follower: str) -> None:
    """Wait until everything that has happened was published and followed: heads say only what was published."""
    for owner in ("ticketing", "catalog"):
        eventually(partial(published, platform, owner))
        if (follower, owner) != ("ticketing", "ticketing"):
            platform.wait_followed(follower, owner, REGENCY)


def begin_mpp(platform: DeployedPlatform, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MPP_")} | platform.administrators_environment()
    return subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def mpp(platform: DeployedPlatform, *arguments: str) -> tuple[int, str]:
    process = begin_mpp(platform, *arguments)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def restored(platform: DeployedPlatform, service: str, tables: tuple[str, ...]) -> str:
    """Rebuild a service while it runs; what it said. Its projections are as they were, row by row."""
    wait_settled(platform, service)
    before = {table: rows(platform, service, table) for table in tables}
    assert all(before.values()), "there is something to lose"
    status, said = mpp(platform, "rebuild", service, "--regency", REGENCY)
    assert status == 0, said
    assert "caught up to the heads" in said
    assert {table: rows(platform, service, table) for table in tables} == before
    return said


def test_reporting_from_the_whole_log(platform):
    said = restored(platform, "reporting", ("ticket_fact", "site"))
    assert f"{REGENCY}: {len(rows(platform, 'reporting', 'ticket_fact')) + len(rows(platform, 'reporting', 'site'))} rows emptied" in said


def test_what_citizens_said_is_kept_and_counts_as_before(platform):
    """Answers are reporting's own facts: no log of anybody else could bring them back."""
    citizen, officer, supervisor = platform.client(), platform.client(f"officer@{REGENCY}"), platform.client(f"supervisor@{REGENCY}")
    ticket = take_number(citizen, SANGATTA, SANGATTA.services[0]).body
    called = officer.post(f"{SANGATTA.path}/tickets/{ticket['id']}/call", {"counter": SANGATTA.counters[0]})
    assert called.status == 200, called
    serve(officer, SANGATTA, ticket["id"])
    wait_settled(platform, "reporting")
    answer = {"token": ticket["token"], "scores": {**dict.fromkeys(ELEMENTS, 4), "time": 2}}
    assert citizen.post(f"{SANGATTA.path}/surveys", answer).status == 201
    day = ticket["business_date"]
    reports = (f"{SANGATTA.path}/reports/skm?from={day}&to={day}", f"{SANGATTA.path}/reports/daily?site={SANGATTA.site}&date={day}")
    before = [supervisor.get(report).body for report in reports]
    assert before[0]["respondents"] >= 1
    restored(platform, "reporting", ("ticket_fact", "survey"))
    assert [supervisor.get(report).body for report in reports] == before
    assert citizen.post(f"{SANGATTA.path}/surveys", answer).status == 409


def test_a_damaged_projection_is_repaired(platform):
    wait_settled(platform, "reporting")
    before = rows(platform, "reporting", "ticket_fact")
    meddle(platform, "reporting", f"UPDATE {SCHEMA}.ticket_fact SET wait_seconds = 0, version = version + 100")
    assert mpp(platform, "rebuild", "reporting", "--regency", REGENCY)[0] == 0
    assert rows(platform, "reporting", "ticket_fact") == before


def test_ticketing_s_copy_of_the_catalogue_and_then_numbers_are_issued_as_before(platform):
    restored(platform, "ticketing", ("catalog_copy",))
    take_number(platform.client(), SANGATTA, SANGATTA.services[0])


def test_nobody_is_notified_again(platform):
    wait_settled(platform, "notification")
    before = rows(platform, "notification", "notice")
    outbox = platform.event_log(REGENCY, f"/regencies/{REGENCY}/ticketing/sites/{SANGATTA.site}")
    restored(platform, "notification", ("place_name",))
    assert rows(platform, "notification", "notice") == before
    assert len(platform.event_log(REGENCY, f"/regencies/{REGENCY}/ticketing/sites/{SANGATTA.site}")) == len(outbox)


def test_other_regencies_are_left_alone(platform):
    before = rows(platform, "reporting", "stream_mark", "lampung_timur")
    restored(platform, "reporting", ("ticket_fact",))
    assert [row for row in rows(platform, "reporting", "stream_mark", "lampung_timur") if row in before] == before


@pytest.fixture(scope="module")
def cut(platform: DeployedPlatform) -> DeployedPlatform:
    """The owners' logs were cut: half of ticketing's, all of the catalogue's."""
    meddle(platform, "ticketing", f"DELETE FROM {SCHEMA}.event_log WHERE sequence <= (SELECT max(sequence) / 2 FROM {SCHEMA}.event_log)")
    meddle(platform, "catalog", f"DELETE FROM {SCHEMA}.event_log")
    return platform


def test_reporting_where_the_logs_were_cut(cut):
    restored(cut, "reporting", ("ticket_fact", "site"))


def test_ticketing_s_copy_where_the_whole_log_was_cut(cut):
    restored(cut, "ticketing", ("catalog_copy",))
    take_number(cut.client(), SANGATTA, SANGATTA.services[0])


def test_an_interrupted_rebuild_goes_on_and_is_watched_again(cut):
    """Frozen, the service cannot come to an end; killed, the command leaves it to the service."""
    wait_settled(cut, "reporting")
    before = rows(cut, "reporting", "ticket_fact")
    for process in cut.reporting:
        process.freeze()
    try:
        # What a frozen process holds locked ends with its deadline.
        command = begin_mpp(cut, "rebuild", "reporting", "--regency", REGENCY)
        eventually(lambda: not rows(cut, "reporting", "ticket_fact"), within=60)
        command.send_signal(signal.SIGKILL)
        command.communicate(timeout=10)
        status, said = mpp(cut, "rebuild", "reporting", "--regency", REGENCY, "--patience", "2")
        assert (status, "goes on with a rebuild that was begun before" in said) == (1, True)
        assert "nothing moves" in said
    finally:
        for process in cut.reporting:
            process.thaw()
    status, said = mpp(cut, "rebuild", "reporting", "--regency", REGENCY)
    assert status == 0, said
    assert rows(cut, "reporting", "ticket_fact") == before


def test_all_regencies_while_people_are_served(cut):
    """What happens while the tables are emptied and filled is in them in the end."""
    day = Day(cut, SANGATTA, journeys=60)
    day.begin()
    status, said = mpp(cut, "rebuild", "reporting", "--all")
    day.end()
    assert status == 0, said
    assert f"{len(rows(cut, 'reporting', 'regency', 'platform'))} regencies done, 0 not" in said
    wait_settled(cut, "reporting")
    tickets = {ticket["id"]: ticket["version"] for ticket in cut.client(f"officer@{REGENCY}").pages(f"/v1/{REGENCY}/tickets")}
    with psycopg.connect(cut.postgres.url("reporting")) as database:
        facts: dict[str, int] = dict(database.execute(f"SELECT id::text, version FROM {SCHEMA}.ticket_fact").fetchall())
    assert facts == tickets
