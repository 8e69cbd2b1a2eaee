"""`mpp events tail`, over RabbitMQ and where the broker is inside another process: filters, pipes, terminals and Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.platform.client import Client
from tests.platform.embedded import environment
from tests.platform.journeys import LAMPUNG_TIMUR, OKU_TIMUR, take_number
from tests.processes import CHECKOUT, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

MPP = str(Path(sys.executable).with_name("mpp"))


@dataclass(frozen=True)
class Installation:
    """What a shell beside a running platform has."""

    variables: dict[str, str]
    client: Callable[[], Client]


@pytest.fixture(params=["deployed_platform", "embedded_platform"])
def installation(request: pytest.FixtureRequest) -> Installation:
    """Both ways to run the platform."""
    platform = request.getfixturevalue(request.param)
    if request.param == "deployed_platform":
        return Installation(platform.administrators_environment(), platform.client)
    shell = f"set -a; . {platform.data_dir / 'environment'}; env -0"
    lines = subprocess.run(["/bin/sh", "-c", shell], env={}, capture_output=True, check=True).stdout.decode().split("\0")
    return Installation(dict(line.split("=", 1) for line in lines if line.startswith("MPP_")), platform.client)


@contextmanager
def tailing(
    installation: Installation, tmp_path: Path, *arguments: str, stdout: Any = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """`mpp events tail`, when it watches."""
    errors = tmp_path / f"errors-{len(list(tmp_path.iterdir()))}"
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            [MPP, "events", "tail", *arguments],
            cwd=CHECKOUT,
            env=environment(**installation.variables),
            stdout=stdout,
            stderr=stderr,
            process_group=0,
        ) as process,
    ):
        try:
            eventually(lambda: "Watching" in errors.read_text())
            yield process
        finally:
            process.kill()


def events_of(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    printed, _ = process.communicate(timeout=40)
    return [json.loads(line) for line in printed.splitlines()]


def take_two(installation: Installation) -> tuple[str, str]:
    """A number in each of two regencies; returns the tickets' ids."""
    client = installation.client()
    return take_number(client, OKU_TIMUR, "PTS-IZN").body["id"], take_number(client, LAMPUNG_TIMUR, "CPL-KTP").body["id"]


@pytest.mark.parametrize(
    "filters",
    [
        ("--regency", "lampung-timur", "--type", "ticket.issued"),
        ("--regency", "lampung-timur", "--type", "mpp.ticket.*"),
        ("--site", "sukadana", "--type", "*.issued"),
    ],
)
def test_filters_let_through_what_they_name(installation: Installation, tmp_path: Path, filters: tuple[str, ...]):
    with tailing(installation, tmp_path, *filters, "--timeout", "3") as process:
        _, ticket = take_two(installation)
        events = events_of(process)
    assert [(event["type"], event["subject"]) for event in events] == [("mpp.ticket.issued", ticket)]
    assert process.returncode == 0


def test_without_filters_everything_is_shown_in_order_and_it_stops_after_so_many(installation: Installation, tmp_path: Path):
    take_two(installation)  # the days are open
    with tailing(installation, tmp_path, "--count", "2", "--timeout", "20") as process:
        tickets = take_two(installation)
        events = events_of(process)
    assert tuple(event["subject"] for event in events) == tickets
    assert [event["specversion"] for event in events] == ["1.0", "1.0"]


def test_ctrl_c_ends_it_politely(installation: Installation, tmp_path: Path):
    with tailing(installation, tmp_path, "--type", "ticket.issued") as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(15) == 0
    [errors] = [file.read_text() for file in tmp_path.iterdir()]
    assert errors == "Watching; Ctrl-C ends.\n0 events\n"


def test_a_reader_that_leaves_ends_it_without_a_stack_trace(installation: Installation, tmp_path: Path):
    with tailing(installation, tmp_path, "--type", "ticket.issued", "--timeout", "20") as process:
        assert process.stdout is not None
        process.stdout.close()
        take_two(installation)
        process.wait(15)
    [errors] = [file.read_text() for file in tmp_path.iterdir()]
    assert "Traceback" not in errors


def test_on_a_terminal_it_speaks_to_people(installation: Installation, tmp_path: Path):
    ours, theirs = pty.openpty()
    with tailing(
        installation, tmp_path, "--site", "martapura", "--count", "1", "--timeout", "20", "--type", "ticket.*", stdout=theirs
    ) as process:
        number = take_number(installation.client(), OKU_TIMUR, "PTS-IZN").body["number"]
        assert process.wait(30) == 0
    line = os.read(ours, 1000).decode().rstrip()
    os.close(ours)
    os.close(theirs)
    assert line.split()[1:] == ["oku-timur/martapura", "ticket.issued", number, "PTS-IZN"]


@pytest.mark.parametrize("arguments", [("--type", "#"), ("--type", "ticket"), ("--regency", "*"), ("--regency", "Lampung"), ("--site", "")])
def test_what_is_no_filter_is_told(arguments: tuple[str, str]):
    variables = environment(MPP_BROKER_URL="amqp://u:p@127.0.0.1:1/")
    done = subprocess.run([MPP, "events", "tail", *arguments], env=variables, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr.startswith(f"Error: {arguments[0]}"), done.stderr.count("\n")) == (1, True, 1)


def test_an_unknown_regency_is_told_where_it_can_be_known(embedded_platform: Any, tmp_path: Path):
    shell = f"set -a; . {embedded_platform.data_dir / 'environment'}; exec {MPP} events tail --regency nirwana"
    done = subprocess.run(["/bin/sh", "-c", shell], env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "nirwana" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
