"""A regency's reporting system listens from outside, as the README tells it: added, heard, caught up, cut off."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.embedded import environment
from tests.platform.journeys import LAMPUNG_TIMUR, OKU_TIMUR, empty, serve, take_number
from tests.processes import CHECKOUT, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

NAME, REGENCY = "dinas-kominfo", "lampung-timur"
EVENTS = f"/v1/{REGENCY}/events"
SUKADANA = f"/regencies/{REGENCY}/ticketing/sites/sukadana"
JOURNEY = ["mpp.ticket.issued", "mpp.ticket.called", "mpp.ticket.serving_started", "mpp.ticket.completed"]

Mpp = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def mpp(deployed_platform: DeployedPlatform) -> Mpp:
    """Runs `mpp` as an operator of this platform would."""
    variables = environment(
        **deployed_platform.administrators_environment(),
        MPP_BROKER_MANAGEMENT_URL=deployed_platform.rabbitmq.management_url,
        MPP_BROKER_PUBLIC_URL=f"amqp://localhost:{deployed_platform.rabbitmq.port}",
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("mpp")), *arguments]
        return subprocess.run(command, env=variables, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture(scope="module")
def facts(mpp: Mpp) -> Iterator[dict[str, Any]]:
    """What the operator hands over to the consumer."""
    done = mpp("consumers", "add", NAME, "--regency", REGENCY, "--rotate", "--json")
    assert done.returncode == 0, done.stderr
    yield json.loads(done.stdout)
    mpp("consumers", "revoke", NAME, "--regency", REGENCY)


def readme_program() -> str:
    """The listener as it stands in the README."""
    [program] = re.findall(r"```python\n(.*?ConsumerMixin.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    lines = [line for line in program.splitlines() if line.strip()]
    assert len(lines) <= 16, "the README promises a short program"
    return program


@pytest.fixture
def listener(facts: dict[str, Any], tmp_path: Path) -> Iterator[Path]:
    """The README's program at work; the file that it prints to."""
    with listening(facts, tmp_path) as printed:
        yield printed


@contextmanager
def listening(facts: dict[str, Any], tmp_path: Path) -> Iterator[Path]:
    """The README's program in a process of its own, with nothing but the URL; yields what it prints."""
    program, printed = tmp_path / "listener.py", tmp_path / "printed"
    program.write_text(readme_program())
    with (
        printed.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", str(program)],
            cwd=tmp_path,
            env={"MPP_EVENTS_URL": facts["url"], "PATH": ""},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        yield printed
        process.terminate()


def lines_of(printed: Path, ticket: str) -> list[str]:
    return [line for line in printed.read_text().splitlines() if f" {ticket} " in line]


def journey(platform: DeployedPlatform) -> str:
    """One citizen is served at Sukadana; returns the ticket's id."""
    empty(platform, [LAMPUNG_TIMUR])
    ticket: str = take_number(platform.client(), LAMPUNG_TIMUR, "CPL-KTP").body["id"]
    officer = platform.client("officer@lampung-timur")
    called = officer.command(f"{LAMPUNG_TIMUR.path}/counters/sukadana-05/call-next")
    assert called.body["id"] == ticket
    serve(officer, LAMPUNG_TIMUR, ticket)
    return ticket


def heard(printed: Path, ticket: str) -> list[str]:
    return [line.split()[0] for line in lines_of(printed, ticket)]


def test_the_program_of_the_readme_prints_a_citizen_s_journey(deployed_platform: DeployedPlatform, listener: Path):
    ticket = journey(deployed_platform)
    elsewhere = take_number(deployed_platform.client(), OKU_TIMUR, "PTS-IZN").body["id"]
    eventually(lambda: sorted(heard(listener, ticket)) == sorted(JOURNEY))
    assert {line.split()[2] for line in lines_of(listener, ticket)} == {SUKADANA}
    assert elsewhere not in listener.read_text()
    empty(deployed_platform, [OKU_TIMUR])


def test_it_comes_back_after_its_connection_was_cut(deployed_platform: DeployedPlatform, listener: Path, facts: dict[str, Any], mpp: Mpp):
    first = journey(deployed_platform)
    eventually(lambda: heard(listener, first))
    deployed_platform.rabbitmq.ctl("close_all_user_connections", facts["user"], "maintenance")
    second = journey(deployed_platform)
    eventually(lambda: set(heard(listener, second)) == set(JOURNEY), within=40)
    [told] = [json.loads(line) for line in mpp("consumers", "list", "--json").stdout.splitlines()]
    assert (told["name"], told["regency"], told["connections"]) == (NAME, REGENCY, 1)


def consumer_client(platform: DeployedPlatform, facts: dict[str, Any]) -> Client:
    """The consumer signed in at the gateway with the same password."""
    client = platform.client()
    answer = client.post("/v1/auth/token", {"username": facts["account"], "password": facts["password"]})
    assert answer.status == 200, answer
    return Client(platform.http_ports, answer.body["access_token"], actor=facts["account"])


def test_what_it_missed_it_reads_from_the_log(deployed_platform: DeployedPlatform, facts: dict[str, Any]):
    client = consumer_client(deployed_platform, facts)
    ranges = {each["source"]: each for each in client.get(f"{EVENTS}/streams").body["items"]}
    seen = ranges.get(SUKADANA, {"last": 0})["last"]
    ticket = journey(deployed_platform)
    page = client.get(f"{EVENTS}?source={SUKADANA}&after={seen}&limit=3")
    assert page.status == 200, page
    rest = client.get(f"{EVENTS}?site=sukadana&after={page.body['next_cursor']}").body
    events = [event for event in page.body["items"] + rest["items"] if event["subject"] == ticket]
    assert [event["type"] for event in events] == JOURNEY
    numbers = [int(event["sequence"]) for event in page.body["items"] + rest["items"]]
    assert numbers == list(range(seen + 1, seen + 1 + len(numbers)))
    assert rest["next_cursor"] is None
    for path in (f"{EVENTS}?site=sukadana", f"{EVENTS}?source=/regencies/{REGENCY}/catalog", EVENTS):
        assert int(client.get(path).body["items"][0]["sequence"]) == 1
    ahead = client.get(f"{EVENTS}?site=sukadana&after=999999")
    assert (ahead.status, ahead.code) == (409, "events_ahead")
    unknown = client.get(f"{EVENTS}?site=nirwana")
    assert (unknown.status, unknown.code) == (404, "site_unknown")
    client.close()


def test_its_account_opens_nothing_else(deployed_platform: DeployedPlatform, facts: dict[str, Any]):
    client = consumer_client(deployed_platform, facts)
    for path in (f"/v1/{REGENCY}/tickets", f"/v1/{REGENCY}/accounts", "/v1/oku-timur/events", "/v1/oku-timur/tickets"):
        assert client.get(path).status == 403, path
    assert client.post(f"/v1/{REGENCY}/counters/sukadana-05/call-next").status == 403
    client.close()


def test_adding_it_again_keeps_the_password_and_a_wrong_regency_is_told(mpp: Mpp, facts: dict[str, Any]):
    again = mpp("consumers", "add", NAME, "--regency", REGENCY)
    assert again.returncode == 0, again.stderr
    assert "--rotate" in again.stdout
    assert facts["password"] not in again.stdout
    unknown = mpp("consumers", "add", NAME, "--regency", "nirwana")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        "Error: The regency nirwana is not known. `mpp regency list` shows those that exist.\n",
    )
    nobody = mpp("consumers", "revoke", "siapa", "--regency", REGENCY)
    assert (nobody.returncode, nobody.stderr.startswith(f"Error: {REGENCY} has no consumer siapa")) == (1, True)


def test_the_password_is_shown_once_and_the_address_is_the_public_one(mpp: Mpp, facts: dict[str, Any], deployed_platform: DeployedPlatform):
    shown = mpp("consumers", "add", "sekali", "--regency", REGENCY, "--events", "ticket.called", "--events", "queue.*")
    assert shown.returncode == 0, shown.stderr
    url = re.search(r"MPP_EVENTS_URL +(amqp://\S+)", shown.stdout)
    assert url is not None
    assert f"@localhost:{deployed_platform.rabbitmq.port}/" in url[1]
    assert re.search(r"events +queue\.\*, ticket\.called", shown.stdout)
    listed = mpp("consumers", "list", "--regency", REGENCY).stdout
    assert "sekali" in listed
    assert NAME in listed
    assert "No consumer" in mpp("consumers", "list", "--regency", "oku-timur").stdout
    assert mpp("consumers", "revoke", "sekali", "--regency", REGENCY).returncode == 0
    assert "sekali" not in mpp("consumers", "list").stdout


def test_one_that_is_cut_off_is_told_so_and_signs_in_no_more(deployed_platform: DeployedPlatform, mpp: Mpp, tmp_path: Path):
    facts = json.loads(mpp("consumers", "add", "sebentar", "--regency", REGENCY, "--json").stdout)
    client = consumer_client(deployed_platform, facts)
    assert client.get(EVENTS).status == 200
    with listening(facts, tmp_path) as printed:
        ticket = take_number(deployed_platform.client(), LAMPUNG_TIMUR, "CPL-KTP").body["id"]
        eventually(lambda: heard(printed, ticket))
        assert mpp("consumers", "revoke", "sebentar", "--regency", REGENCY).returncode == 0
        eventually(lambda: "ACCESS_REFUSED" in printed.read_text(), within=20)
    refused = client.post("/v1/auth/token", {"username": facts["account"], "password": facts["password"]})
    assert (refused.status, refused.code) == (401, "credentials_invalid")
    client.close()
    back = json.loads(mpp("consumers", "add", "sebentar", "--regency", REGENCY, "--json").stdout)
    assert back["password"] not in (None, facts["password"])
    consumer_client(deployed_platform, back).close()
    assert mpp("consumers", "revoke", "sebentar", "--regency", REGENCY).returncode == 0


def test_while_the_catalogue_is_away_nothing_is_half_told(deployed_platform: DeployedPlatform, mpp: Mpp):
    facts = json.loads(mpp("consumers", "add", "setengah", "--regency", REGENCY, "--json").stdout)
    deployed_platform.catalog.stop()
    try:
        refused = mpp("consumers", "add", "separuh", "--regency", REGENCY)
        assert (refused.returncode, "MPP_EVENTS_URL" in refused.stdout, "cannot be reached" in refused.stderr) == (1, False, True)
        half = mpp("consumers", "revoke", "setengah", "--regency", REGENCY)
        assert half.returncode == 1
        assert "listens no more" in half.stderr
        assert "setengah" not in mpp("consumers", "list").stdout
    finally:
        deployed_platform.catalog.start()
    assert mpp("consumers", "revoke", "setengah", "--regency", REGENCY).returncode == 0
    client = deployed_platform.client()
    assert client.post("/v1/auth/token", {"username": facts["account"], "password": facts["password"]}).status == 401
