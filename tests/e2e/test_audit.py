"""Who did what, as an auditor finds it: over several services, with filters, exported, and checked in another place."""

from __future__ import annotations

import csv
import hashlib
import http.client
import io
import json
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.cli.commands import mpp
from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

HERE = "/v1/kutai-timur"
TICKET = {"site": "sangatta", "service": "PTS-INF", "channel": "web"}


@pytest.fixture(scope="module")
def counter(deployed_platform: DeployedPlatform) -> str:
    """A counter that serves the service."""
    counters = deployed_platform.client().pages(f"{HERE}/counters")
    return next(each["id"] for each in counters if "PTS-INF" in each["services"])


@pytest.fixture(scope="module")
def served(deployed_platform: DeployedPlatform, counter: str) -> str:
    """A ticket that an officer has called, served and completed."""
    officer = deployed_platform.client("officer@kutai-timur")
    ticket: str = deployed_platform.client().command(f"{HERE}/tickets", TICKET).body["id"]
    assert officer.command(f"{HERE}/tickets/{ticket}/call", {"counter": counter}).status == 200
    assert officer.command(f"{HERE}/tickets/{ticket}/start").status == 200
    assert officer.command(f"{HERE}/tickets/{ticket}/complete", {}).status == 200
    return ticket


@pytest.fixture
def auditor(deployed_platform: DeployedPlatform) -> Client:
    return deployed_platform.client("auditor@kutai-timur")


def exported(platform: DeployedPlatform, path: str, account: str = "auditor@kutai-timur") -> str:
    """Read a file as a browser does."""
    connection = http.client.HTTPConnection("127.0.0.1", platform.http_ports[0], timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {platform.token(account)}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    return text


def test_what_became_of_a_ticket_and_by_whom(auditor: Client, served: str, counter: str):
    """A citizen's own steps are in no audit log: taking the number is not there."""
    rows = auditor.pages(f"{HERE}/audit?kind=ticket&subject={served}")
    assert [row["action"] for row in rows] == ["complete_ticket", "start_ticket", "call_ticket"], (
        "a citizen's own steps are in no audit log"
    )
    assert {(row["actor"], row["role"], row["site"], row["counter"]) for row in rows} == {
        ("officer@kutai-timur", "officer", "sangatta", counter)
    }
    assert rows[1]["before"] == {"status": "called", "version": 2}
    assert rows[1]["after"] == {"status": "serving", "version": 3}
    assert rows[0]["after"]["outcome"] == "done"
    assert {row["client"] for row in rows} == {"127.0.0.0/24"}, "the network, not the address"
    assert all(row["traceparent"] and row["command_id"] for row in rows)


def test_a_changed_account_shows_what_changed_and_nobody_s_name_or_password(deployed_platform: DeployedPlatform, auditor: Client):
    admin = deployed_platform.client("admin@kutai-timur")
    account = {"id": "new.officer@kutai-timur", "role": "officer", "display_name": "Siti Rahmawati", "password": "a-long-password-1"}
    assert admin.command(f"{HERE}/accounts", {**account, "agencies": ["PTS"], "active": True}).status == 201
    assert admin.patch(f"{HERE}/accounts/{account['id']}", {"role": "front_desk", "display_name": "Siti R."}).status == 200
    changed, made = auditor.pages(f"{HERE}/audit?service=catalog&subject={account['id']}")
    assert (made["action"], made["before"], made["after"]["role"]) == ("create_account", None, "officer")
    assert changed["before"] == {"display_name": "(withheld)", "role": "officer", "version": 1}
    assert changed["after"] == {"display_name": "(withheld)", "role": "front_desk", "version": 2}
    everything = exported(deployed_platform, f"{HERE}/audit/ndjson")
    for secret in ("Siti", "a-long-password-1", "argon2"):
        assert secret not in everything


def test_who_tries_what_the_account_may_not_do_is_found(deployed_platform: DeployedPlatform, auditor: Client, counter: str):
    admin = deployed_platform.client("admin@kutai-timur")
    agencies = [each["id"] for each in deployed_platform.client().pages(f"{HERE}/agencies") if each["id"] != "PTS"]
    stranger = {"id": "stranger@kutai-timur", "role": "officer", "display_name": "X", "password": "a-long-password-1", "active": True}
    admin.command(f"{HERE}/accounts", {**stranger, "agencies": agencies[:1]})
    token = (
        deployed_platform.client()
        .post("/v1/auth/token", {"username": stranger["id"], "password": stranger["password"]})
        .body["access_token"]
    )
    refused = deployed_platform.client().post(f"{HERE}/counters/{counter}/call-next", Authorization=f"Bearer {token}")
    assert (refused.status, refused.code) == (403, "agency_forbidden")
    [row] = auditor.pages(f"{HERE}/audit?outcome=refused&actor={stranger['id']}")
    assert (row["action"], row["refused"], row["counter"]) == ("call_next", "agency_forbidden", counter)
    assert [row["action"] for row in auditor.pages(f"{HERE}/audit?outcome=done&actor={stranger['id']}")] == ["sign_in"]


def in_small_pages(auditor: Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = auditor.get(path + (f"&cursor={cursor}" if cursor else "")).body
        items += page["items"]
        cursor = page["next_cursor"]
    return items


@pytest.mark.usefixtures("served")
def test_pages_fit_together_whatever_their_size(auditor: Client):
    until = auditor.get(f"{HERE}/audit?limit=1").body["items"][0]["at"].replace("+00:00", "Z")
    whole = auditor.pages(f"{HERE}/audit?to={until}")
    by_three = in_small_pages(auditor, f"{HERE}/audit?to={until}&limit=3")
    assert [(row["service"], row["id"]) for row in by_three] == [(row["service"], row["id"]) for row in whole]
    assert [row["at"] for row in whole] == sorted((row["at"] for row in whole), reverse=True)
    assert {row["service"] for row in whole} >= {"catalog", "ticketing"}


@pytest.mark.parametrize("query", ["from=yesterday", "cursor=e30x", "cursor=AA", "service=gateway", "outcome=maybe", "limit=0"])
def test_what_makes_no_sense_is_told(auditor: Client, query: str):
    answer = auditor.get(f"{HERE}/audit?{query}")
    assert (answer.status, answer.code) == (422, "parameter_invalid")


def test_an_export_is_checked_with_nothing_but_itself(deployed_platform: DeployedPlatform, auditor: Client, served: str):
    def sealed() -> list[dict[str, Any]]:
        lines = exported(deployed_platform, f"{HERE}/audit/ndjson?service=ticketing").splitlines()
        return [json.loads(line) for line in lines]

    eventually(lambda: [row["action"] for row in sealed() if row["subject"] == served][-1:] == ["complete_ticket"], within=20)
    rows = sealed()
    previous = "0" * 64
    for row in rows:
        found = row.pop("hash")
        assert row["previous"] == previous
        canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == found
        previous = found
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    half = len(rows) // 2
    later = exported(deployed_platform, f"{HERE}/audit/ndjson?service=ticketing&after={half}").splitlines()
    assert json.loads(later[0])["sequence"] == half + 1
    assert auditor.get(f"{HERE}/audit/ndjson?after=1").code == "parameter_invalid"


def test_a_spreadsheet_reads_the_export(deployed_platform: DeployedPlatform, served: str):
    def found() -> list[str]:
        rows = csv.DictReader(io.StringIO(exported(deployed_platform, f"{HERE}/audit/csv?subject={served}")))
        return [row["action"] for row in rows]

    eventually(lambda: found() == ["call_ticket", "start_ticket", "complete_ticket"], within=20)


@pytest.mark.usefixtures("served")
def test_the_command_line_finds_all_chains_in_order(deployed_platform: DeployedPlatform, tmp_path):
    variables = deployed_platform.administrators_environment()
    shell = CliRunner(env={name: value for name, value in variables.items() if "ADMIN" not in name})  # no administrator's right
    anchor = shell.invoke(mpp, ["audit", "head"])
    assert anchor.exit_code == 0, anchor.output
    (tmp_path / "anchor").write_text(anchor.stdout)
    said = shell.invoke(mpp, ["audit", "verify", "--since-anchor", str(tmp_path / "anchor")])
    assert (said.exit_code, "0 not in order" in said.output, "BROKEN" in said.output) == (0, True, False), said.output
