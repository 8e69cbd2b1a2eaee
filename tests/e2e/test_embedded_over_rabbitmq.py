"""`mpp up --broker rabbitmq`: the same platform, and other programs can listen."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kombu import Connection, Exchange, Queue

from tests.e2e.first_tickets import take_call_and_serve
from tests.platform.embedded import EmbeddedPlatform, environment
from tests.platform.journeys import LAMPUNG_TIMUR, take_number
from tests.processes import CHECKOUT, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]


def variables(platform: EmbeddedPlatform) -> dict[str, str]:
    """The installation's variables as a shell reads them from the file that the banner names."""
    file = platform.data_dir / "environment"
    assert str(file) in platform.printed()
    assert file.stat().st_mode & 0o077 == 0, "others may read secrets"
    shell = f"set -a; . {file}; env -0"
    lines = subprocess.run(["/bin/sh", "-c", shell], env={}, capture_output=True, check=True).stdout.decode().split("\0")
    return {name: value for name, _, value in (line.partition("=") for line in lines) if name.startswith("MPP_")}


def test_three_tickets_are_called_in_the_right_order_and_served(embedded_over_rabbitmq: EmbeddedPlatform):
    take_call_and_serve(embedded_over_rabbitmq.client(), embedded_over_rabbitmq.client("officer@lampung-timur"))


def test_another_program_hears_the_events_of_its_regency_and_no_other(embedded_over_rabbitmq: EmbeddedPlatform):
    url = variables(embedded_over_rabbitmq)["MPP_BROKER_URL"]
    heard: list[dict[str, object]] = []
    queue = Queue("screen", Exchange("mpp.events", type="topic"), routing_key="lampung-timur.ticket.*", exclusive=True)

    def hear(message: object) -> None:
        body = message.body  # type: ignore[attr-defined]
        heard.append(json.loads(body if isinstance(body, str) else bytes(body)))
        message.ack()  # type: ignore[attr-defined]

    with (
        Connection(url) as connection,
        connection.Consumer(queue, on_message=hear, accept=["application/cloudevents+json", "application/json"]),
    ):
        take_number(embedded_over_rabbitmq.client(), LAMPUNG_TIMUR, "CPL-KTP")
        elsewhere = {"site": "martapura", "service": "CPL-ADM", "channel": "web"}
        assert embedded_over_rabbitmq.client().post("/v1/oku-timur/tickets", elsewhere).status == 201
        take_call_and_serve(embedded_over_rabbitmq.client(), embedded_over_rabbitmq.client("officer@lampung-timur"))
        while [event["type"] for event in heard].count("mpp.ticket.completed") < 4:
            connection.drain_events(timeout=10)
    assert {event["regency"] for event in heard} == {"lampung-timur"}
    assert {event["type"] for event in heard} == {f"mpp.ticket.{name}" for name in ("issued", "called", "serving_started", "completed")}


def test_events_tail_prints_events_with_the_variables_of_the_banner(embedded_over_rabbitmq: EmbeddedPlatform, tmp_path: Path):
    command = re.search(r"set \+a; (\S+) events tail", embedded_over_rabbitmq.printed())
    assert command is not None
    errors = tmp_path / "errors"
    arguments = ["events", "tail", "--regency", "lampung-timur", "--type", "ticket.issued", "--count", "1", "--timeout", "20"]
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            [command[1], *arguments],
            cwd=CHECKOUT,
            env=environment(**variables(embedded_over_rabbitmq)),
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as tail,
    ):
        eventually(lambda: "Watching" in errors.read_text())
        taken = take_number(embedded_over_rabbitmq.client(), LAMPUNG_TIMUR, "CPL-KTP").body
        printed, _ = tail.communicate(timeout=30)
    event = json.loads(printed)
    assert (event["type"], event["data"]["ticket"]["number"]) == ("mpp.ticket.issued", taken["number"])
    assert tail.returncode == 0


def test_a_consumer_is_added_with_the_variables_of_the_banner_and_hears_events(embedded_over_rabbitmq: EmbeddedPlatform, tmp_path: Path):
    mpp = [str(Path(sys.executable).with_name("mpp")), "consumers"]
    shell = environment(**variables(embedded_over_rabbitmq))
    added = subprocess.run(
        [*mpp, "add", "dinas-kominfo", "--regency", "lampung-timur"], env=shell, capture_output=True, text=True, timeout=60, check=True
    )
    assert added.stderr == ""
    url = re.search(r"MPP_EVENTS_URL +(\S+)", added.stdout)
    assert url is not None
    heard: list[str] = []
    with Connection(url[1]) as connection:
        queue = Queue("outside.lampung-timur.dinas-kominfo", no_declare=True)
        with connection.Consumer(queue, on_message=lambda message: heard.append(json.loads(bytes(message.body))["subject"])):
            ticket = take_number(embedded_over_rabbitmq.client(), LAMPUNG_TIMUR, "CPL-KTP").body["id"]
            while ticket not in heard:
                connection.drain_events(timeout=10)
    revoked = subprocess.run(
        [*mpp, "revoke", "dinas-kominfo", "--regency", "lampung-timur"], env=shell, capture_output=True, timeout=60, check=False
    )
    assert revoked.returncode == 0, revoked.stderr


def test_ctrl_c_stops_rabbitmq_too(embedded_over_rabbitmq: EmbeddedPlatform):
    family = embedded_over_rabbitmq.family()
    assert any("beam" in " ".join(command) for command in embedded_over_rabbitmq.leftovers(family).values())
    assert embedded_over_rabbitmq.interrupt() == 0
    assert embedded_over_rabbitmq.leftovers(family) == {}
