"""`make run`: the servers that it started itself are killed, and it starts them again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.servers.process import command_lines, descendants
from deploy.servers.supervision import DELAYS
from tests.platform import checker
from tests.platform.embedded import EmbeddedPlatform
from tests.platform.journeys import OKU_TIMUR, Day, take_number
from tests.processes import eventually

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

JOURNEYS = 60
BEFORE = 15
"""Journeys until the fault."""


def server(platform: EmbeddedPlatform, word: str) -> int:
    """Process id of the one child that has this word in its command line."""
    found = [pid for pid, command in command_lines().items() if pid in descendants(platform.pid) and word in command]
    (pid,) = found
    return pid


def kill_in_the_middle_of_work(platform: EmbeddedPlatform, name: str, word: str) -> str:
    """Kill a server while people are served; audit what was answered, and return the figures."""
    day = Day(platform, OKU_TIMUR, JOURNEYS)
    day.begin()
    try:
        day.wait_completed(BEFORE)
        killed = server(platform, word)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: f"{name} runs again" in platform.printed(), within=90.0)
        day.end()
    finally:
        day.abort()
    assert server(platform, word) != killed
    assert f"{name} has ended (by signal SIGKILL)" in platform.printed()
    checker.check_only_outages(day.ledger)
    longest = checker.check_deadlines(day.ledger)
    assert {answer.body["id"] for answer in day.issued} == set(day.completed)
    assert len(day.completed) == len(set(day.completed)) == JOURNEYS
    repeated = checker.check_repeats(platform, day.ledger)
    tickets = platform.client("auditor@oku-timur").pages(f"{OKU_TIMUR.path}/tickets")
    checker.check_tickets(tickets)
    assert {ticket["id"] for ticket in tickets} == set(day.completed), "a number was lost, or given twice"
    taken = take_number(platform.client(), OKU_TIMUR, "CPL-ADM")
    assert taken.status == 201
    return f"{day.ledger.figures()}; longest {longest:.2f} s, {repeated} repeats agree"


def test_postgresql_killed(server_folder: Path, figures: Figures):
    with EmbeddedPlatform(server_folder / "embedded-killed") as platform:
        figures(kill_in_the_middle_of_work(platform, "PostgreSQL", "-D"))
        family = platform.family()
        assert platform.interrupt() == 0, "an end that is asked for is no fault"
    assert platform.printed().count("has ended") == 1
    assert platform.leftovers(family) == {}


@pytest.mark.thorough
def test_rabbitmq_killed(server_folder: Path, figures: Figures):
    with EmbeddedPlatform(server_folder / "embedded-rabbitmq-killed", broker="rabbitmq") as platform:
        figures(kill_in_the_middle_of_work(platform, "RabbitMQ", "-mpp_server"))


@pytest.mark.thorough
def test_a_server_that_does_not_stay_up_is_given_up_with_advice(server_folder: Path):
    with EmbeddedPlatform(server_folder / "embedded-broken") as platform:
        control = platform.data_dir / "postgres" / "cluster" / "global" / "pg_control"
        family = platform.family()
        control.rename(control.with_name("elsewhere"))
        os.kill(server(platform, "-D"), signal.SIGKILL)
        assert platform.wait_ended(within=sum(DELAYS) + 60.0) == 1
        assert platform.leftovers(family) == {}
        said = platform.printed()
        assert f"PostgreSQL does not stay up: it was started again {len(DELAYS)} times" in said
        assert str(platform.data_dir / "postgres" / "server.log") in said
        assert "MB free" in said
        assert "pg_control" in said, "the reason that the server gives"
        assert "Traceback" not in said.rpartition("Error:")[2]
        control.with_name("elsewhere").rename(control)
        platform.start()
        take_number(platform.client(), OKU_TIMUR, "CPL-ADM")
