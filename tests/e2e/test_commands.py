"""The command `mpp`: its help, its errors, and what it does to a running deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner
from kombu import Connection

from deploy.cli.commands import mpp
from deploy.servers.ports import free_port
from services.chassis.settings import SERVICES
from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.embedded import environment
from tests.platform.journeys import Hall, serve, take_number
from tests.processes import CHECKOUT, eventually

pytestmark = pytest.mark.e2e

NOWHERE = {
    "MPP_BROKER_URL": f"amqp://nobody:nothing@127.0.0.1:{free_port()}/",
    "MPP_ADMIN_DATABASE_URL": f"postgresql://nobody:nothing@127.0.0.1:{free_port()}/postgres",
    **{f"MPP_{service.upper()}_DATABASE_URL": f"postgresql://{service}:nothing@127.0.0.1:{free_port()}/{service}" for service in SERVICES},
    "MPP_TOKEN_SECRET": "t" * 32,
    "MPP_TICKET_TOKEN_SECRET": "t" * 32,
}
"""Everything is set, and nothing is there."""

NEW_REGENCY = ["--name", "Kabupaten Pringsewu", "--code", "18.10", "--province", "Lampung", "--timezone", "Asia/Jakarta"]
ADD_REGENCY = ["regency", "add", "pringsewu", *NEW_REGENCY, "--capital", "Pringsewu"]


def ran(arguments: list[str], variables: dict[str, str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Run `mpp` as a shell does."""
    command = [sys.executable, "-W", "ignore", "-m", "deploy.cli", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment(**variables), input=given, capture_output=True, text=True, timeout=60, check=False
    )


def ran_here(arguments: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The same in this process, for what ends before anything is started."""
    unset = {name: None for name in os.environ if name.startswith("MPP_")}
    done = CliRunner().invoke(mpp, arguments, env={**unset, **variables})
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def every_command(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and all beneath it."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from every_command(child, (*path, name))


COMMANDS = list(every_command(mpp))


def test_the_commands_are_those_of_the_handbook():
    leaves = {" ".join(path) for path, command in COMMANDS if not isinstance(command, click.Group)}
    assert leaves == {
        "run", "up", "migrate", "seed", "simulate", "regency add", "regency list", "operator add", "events tail",
        "backup create", "backup verify", "restore",
        "dead-letters list", "dead-letters show", "dead-letters replay", "dead-letters drop", "rebuild",
        "consumers add", "consumers list", "consumers revoke", "holidays load", "keys new", "keys rotate",
        "audit head", "audit verify",
    }  # fmt: skip


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) or "mpp" for path, _ in COMMANDS])
def test_every_command_explains_itself(path: tuple[str, ...], command: click.Command):
    shown = CliRunner().invoke(mpp, [*path, "--help"])
    assert shown.exit_code == 0
    assert command.help
    assert command.help.split(".")[0].split()[-1] in shown.output
    assert "-h, --help" in shown.output


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        *[(["run", part], "MPP_BROKER_URL") for part in (*SERVICES, "gateway")],
        (["migrate"], "MPP_ADMIN_DATABASE_URL"),
        (["seed"], "MPP_ADMIN_DATABASE_URL"),
        (ADD_REGENCY, "MPP_ADMIN_DATABASE_URL"),
        (["regency", "list"], "MPP_ADMIN_DATABASE_URL"),
        (["operator", "add", "ani@platform"], "MPP_CATALOG_DATABASE_URL"),
        (["events", "tail"], "MPP_BROKER_URL"),
        (["dead-letters", "list"], "DATABASE_URL"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_missing_variable_is_named(arguments: list[str], variable: str):
    done = ran_here(arguments, {})
    check_one_sentence(done)
    assert variable in done.stderr


@pytest.mark.parametrize(
    ("part", "variable"),
    [
        *[(service, f"MPP_{service.upper()}_DATABASE_URL") for service in SERVICES],
        ("catalog", "MPP_TOKEN_SECRET"),
        ("ticketing", "MPP_TICKET_TOKEN_SECRET"),
    ],
)
def test_a_part_says_what_it_lacks_before_it_starts(part: str, variable: str):
    done = ran_here(["run", part], {name: value for name, value in NOWHERE.items() if name != variable})
    check_one_sentence(done)
    assert variable in done.stderr


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"MPP_TOKEN_SECRET": "short"}, "32 characters"),
        ({"MPP_HTTP_PORT": "eighty"}, "MPP_HTTP_PORT"),
        ({"MPP_LOG_LEVEL": "LOUD"}, "MPP_LOG_LEVEL"),
        ({"MPP_COMMAND_DEADLINE_SECONDS": "-1"}, "MPP_COMMAND_DEADLINE_SECONDS"),
        ({"MPP_BROKER_URL": "embedded://"}, "amqp://"),
        ({"MPP_ANONYMOUS_RATE": "many"}, "MPP_ANONYMOUS_RATE"),
    ],
)
def test_an_unusable_value_is_refused_with_the_variable_s_name(variables: dict[str, str], word: str):
    done = ran_here(["run", "gateway"], {**NOWHERE, **variables})
    check_one_sentence(done)
    assert word in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate"],
        ["seed"],
        ADD_REGENCY,
        ["regency", "list"],
        ["events", "tail"],
        ["dead-letters", "list", "--service", "ticketing"],
        ["operator", "add", "ani@platform"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_servers_that_are_away_are_told_of_in_one_sentence(arguments: list[str]):
    done = ran(arguments, NOWHERE, given="sebuah rahasia\n")
    check_one_sentence(done)
    assert "reached" in done.stderr


def test_databases_that_are_away_are_told_of_one_by_one():
    """Dead letters are looked for wherever one can look."""
    done = ran(["dead-letters", "list"], NOWHERE)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.partition(": the database cannot be reached")[0] for line in lines] == [f"Error: {service}" for service in SERVICES]


def test_a_missing_variable_is_named_in_a_shell_too():
    done = ran(["run", "ticketing"], {})
    check_one_sentence(done)
    assert "MPP_BROKER_URL" in done.stderr


def check_one_sentence(done: subprocess.CompletedProcess[str]) -> None:
    """Exit status 1, one line on standard error, and no stack trace."""
    assert done.returncode == 1, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("Error: ")


# --- on a running deployment


def test_migrate_can_be_repeated_beside_a_running_platform(deployed_platform: DeployedPlatform):
    done = ran(["migrate"], deployed_platform.administrators_environment())
    assert done.returncode == 0, done
    assert done.stdout.strip().splitlines()[-1].endswith("schemas up to date, 0 failed")
    deployed_platform.wait_ready()


def test_seed_can_be_repeated_and_changes_nothing(deployed_platform: DeployedPlatform):
    before = heads(deployed_platform)
    for _ in range(2):
        done = ran(["seed"], deployed_platform.administrators_environment())
        assert done.returncode == 0, done
        assert done.stdout.splitlines()[-1].startswith("0 created, 0 updated"), done
    assert heads(deployed_platform) == before, "events were published although nothing changed"


def heads(platform: DeployedPlatform) -> list[dict[str, Any]]:
    """Ends of the catalogue's streams."""
    found: list[dict[str, Any]] = platform.call("catalog", "stream_heads", {})
    return found


def test_a_new_regency_and_operator_take_part_without_a_restart(deployed_platform: DeployedPlatform):
    """The whole way of a regency that joins: provisioned, its catalogue and staff entered over the API, a first ticket."""
    variables = deployed_platform.administrators_environment()
    for _ in range(2):  # repeating it is safe
        added = ran(ADD_REGENCY, variables)
        assert added.returncode == 0, added
    listed = ran(["regency", "list"], variables)
    assert "catalog, ticketing, notification, reporting" in line_with("pringsewu", listed)

    refused = ran(["operator", "add", "ani@platform"], variables, given="demo\n")
    check_one_sentence(refused)
    assert ran(["operator", "add", "ani@platform"], variables, given="sebuah rahasia\n").stdout == "ani@platform added\n"
    assert "exists already" in ran(["operator", "add", "ani@platform"], variables, given="kopi robusta dari kalianda\n").stdout
    deployed_platform.passwords["ani@platform"] = "sebuah rahasia"

    enter_catalogue(deployed_platform.client("ani@platform"))
    deployed_platform.passwords["officer@pringsewu"] = "sebuah rahasia lagi"
    officer, citizen = deployed_platform.client("officer@pringsewu"), deployed_platform.client()
    assert "pringsewu" in [regency["id"] for regency in citizen.get("/v1/regencies").body["items"]]
    deployed_platform.wait_followed("ticketing", "catalog", "pringsewu")
    hall = Hall("pringsewu", "pringsewu", ("CPL-KTP",), ("pringsewu-01",))
    ticket = take_number(citizen, hall, "CPL-KTP").body
    called = officer.post("/v1/pringsewu/counters/pringsewu-01/call-next")
    assert (ticket["number"], called.status, called.body["id"]) == ("A-001", 200, ticket["id"])
    serve(officer, hall, ticket["id"])


def enter_catalogue(operator: Client) -> None:
    """One site, one agency, one service, one counter, one officer."""
    for path, body in (
        ("sites", {"id": "pringsewu", "name": "MPP Pringsewu", "timezone": "Asia/Jakarta", "accepting": True, "channels": ["web"]}),
        ("agencies", {"id": "CPL", "name": "Dukcapil", "kind": "regency", "presences": [{"site": "pringsewu", "prefix": "A"}]}),
        ("services", {"agency": "CPL", "code": "KTP", "name": "KTP-el"}),
        ("counters", {"site": "pringsewu", "number": 1, "agency": "CPL", "services": ["CPL-KTP"]}),
        ("accounts", officer_account()),
    ):
        answer = operator.post(f"/v1/pringsewu/{path}", body)
        assert answer.status == 201, answer


def officer_account() -> dict[str, Any]:
    """Somebody who serves every agency of the new regency."""
    password = "sebuah rahasia lagi"
    return {"id": "officer@pringsewu", "role": "officer", "display_name": "Petugas", "agencies": None, "password": password}


def test_dead_letters_are_listed_shown_replayed_and_dropped(deployed_platform: DeployedPlatform):
    """An event that breaks its contract is given up at once, and an operator decides what becomes of it."""
    variables = {
        name: value for name, value in deployed_platform.administrators_environment().items() if name == "MPP_TICKETING_DATABASE_URL"
    }
    assert ran(["dead-letters", "list"], variables).stdout == "No dead letters.\n"
    event_id = str(uuid.uuid4())
    publish_broken_event(deployed_platform.rabbitmq.url, event_id)
    assert "ticketing" in eventually(lambda: line_with(event_id, ran(["dead-letters", "list", "--regency", "oku-timur"], variables)))
    shown = json.loads(ran(["dead-letters", "show", event_id], variables).stdout)
    assert shown["payload"]["data"] == {"site": {"id": "no such thing"}}
    assert shown["reason"]
    assert "will try again" in ran(["dead-letters", "replay", event_id], variables).stdout
    assert line_with(event_id, ran(["dead-letters", "list", "--failing"], variables))
    assert ran(["dead-letters", "drop", event_id], variables, given="n\n").returncode == 1
    assert "Dropped" in ran(["dead-letters", "drop", event_id, "--yes"], variables).stdout
    assert ran(["dead-letters", "list", "--failing"], variables).stdout == "No dead letters.\n"
    unknown = ran(["dead-letters", "show", str(uuid.uuid4())], variables)
    check_one_sentence(unknown)


def line_with(word: str, done: subprocess.CompletedProcess[str]) -> str:
    """The first line of the output that holds a word; empty without one."""
    return next((line for line in done.stdout.splitlines() if word in line), "")


def publish_broken_event(url: str, event_id: str) -> None:
    """Publish an event of the catalogue that no release has ever sent, in a stream of its own."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/regencies/oku-timur/catalog/sites/nowhere",
        "type": "mpp.catalog.site_changed",
        "subject": "nowhere",
        "time": "2026-01-01T00:00:00+00:00",
        "datacontenttype": "application/json",
        "dataschema": "urn:mpp:catalog:catalog.site_changed:v1",
        "regency": "oku-timur",
        "sequence": "1".zfill(20),
        "data": {"site": {"id": "no such thing"}},
    }
    with Connection(url) as connection:
        connection.Producer().publish(
            json.dumps(event),
            exchange="mpp.events",
            routing_key="oku-timur.catalog.site_changed",
            content_type="application/cloudevents+json",
            content_encoding="utf-8",
        )


def test_holidays_that_are_there_are_loaded_once_and_a_stranger_is_named(deployed_platform: DeployedPlatform):
    environment = deployed_platform.administrators_environment()
    again = ran(["holidays", "load", "2026", "--regency", "kutai-timur"], environment)
    assert again.stdout.splitlines()[-1] == "0 created, 0 updated, 25 unchanged", again
    unknown = ran(["holidays", "load", "--regency", "atlantis"], environment)
    assert (unknown.returncode, unknown.stderr.count("atlantis is no regency of this platform")) == (1, 1)
    assert ran(["holidays", "load", "1999"], environment).returncode == 2
