"""`mpp up`: what somebody sees who tries the platform for the first time, and the second."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.seed import documents
from tests.e2e.first_tickets import take_call_and_serve
from tests.platform.embedded import DEMO_PASSWORD, EmbeddedPlatform
from tests.platform.journeys import LAMPUNG_TIMUR, take_number
from tests.processes import CHECKOUT, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

SECOND_START_SECONDS = 10.0
ROLES = {
    "officer": "officer",
    "frontdesk": "front_desk",
    "supervisor": "supervisor",
    "admin": "administrator",
    "auditor": "auditor",
    "kiosk": "kiosk",
}


def test_three_tickets_are_called_in_the_right_order_and_served(embedded_platform: EmbeddedPlatform):
    take_call_and_serve(embedded_platform.client(), embedded_platform.client("officer@lampung-timur"))


def test_the_documented_client_takes_follows_calls_and_serves_a_number(embedded_platform: EmbeddedPlatform, tmp_path: Path):
    """As it stands in the gateway's README, in a process of its own, with nothing installed."""
    [program] = re.findall(r"```python\n(.*?)```", (CHECKOUT / "gateway" / "README.md").read_text(), re.DOTALL)
    (tmp_path / "client.py").write_text(program)
    command = [sys.executable, "-I", str(tmp_path / "client.py")]
    variables = {**os.environ, "MPP": f"http://127.0.0.1:{embedded_platform.port}", "PASSWORD": DEMO_PASSWORD}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    number, *said = done.stdout.splitlines()
    assert re.fullmatch(r"number [A-Z]+-[0-9]{3} position [0-9]+", number)
    assert said == ["not changed", "called to martapura-01 replayed", "completed", "ticket_state_conflict now completed"]


def test_the_banner_names_addresses_accounts_and_a_first_request(embedded_platform: EmbeddedPlatform):
    printed = embedded_platform.printed()
    for expected in (f"http://127.0.0.1:{embedded_platform.port}", "/openapi.json", "officer@lampung-timur", "operator@platform", "curl"):
        assert expected in printed


def test_the_demo_accounts_of_every_regency_and_role_sign_in(embedded_platform: EmbeddedPlatform):
    accounts = [f"{name}@{document['regency']['id']}" for document in documents() for name in ROLES]
    assert len(accounts) == 30
    for account in [*accounts, "operator@platform"]:
        answer = embedded_platform.client().post("/v1/auth/token", {"username": account, "password": DEMO_PASSWORD})
        assert (answer.status, answer.body["token_type"]) == (200, "Bearer"), (account, answer)


def test_a_demo_account_may_what_its_role_may(embedded_platform: EmbeddedPlatform):
    def status(account: str, method: str, path: str, body: object = None) -> int:
        return embedded_platform.client(f"{account}@lampung-timur").request(method, f"/v1/lampung-timur{path}", body).status

    ticket = {"site": "sukadana", "service": "CPL-KTP"}
    assert status("kiosk", "POST", "/tickets", {**ticket, "channel": "kiosk"}) == 201
    assert status("kiosk", "GET", "/tickets") == 403
    assert status("auditor", "GET", "/tickets") == 200
    assert status("auditor", "POST", "/counters/sukadana-05/call-next") == 403
    assert status("frontdesk", "POST", "/tickets", {**ticket, "channel": "front_desk"}) == 201
    assert status("officer", "GET", "/accounts") == 403
    assert status("admin", "GET", "/accounts") == 200
    assert status("supervisor", "PATCH", "/sites/sukadana", {"accepting": True}) == 403


def test_the_second_start_is_quick_and_goes_on_where_the_first_ended(embedded_platform: EmbeddedPlatform, figures: Figures):
    client, auditor = embedded_platform.client(), embedded_platform.client("auditor@lampung-timur")
    last = take_number(client, LAMPUNG_TIMUR, "CPL-KTP").body
    before = auditor.pages("/v1/lampung-timur/tickets")
    family = embedded_platform.family()

    assert embedded_platform.interrupt() == 0
    assert "Stopped." in embedded_platform.printed()
    assert "Traceback" not in embedded_platform.printed()
    assert embedded_platform.leftovers(family) == {}
    seconds = embedded_platform.start()

    figures(f"second start {seconds:.1f} s")
    assert seconds < SECOND_START_SECONDS
    assert auditor.pages("/v1/lampung-timur/tickets") == before, "tickets differ, or the token from before is not accepted"
    follower = client.request("GET", f"/v1/lampung-timur/tickets/{last['id']}", headers={"Ticket-Token": last["token"]})
    assert follower.status == 200
    following = take_number(client, LAMPUNG_TIMUR, "CPL-KTP").body
    assert int(following["number"][2:]) == int(last["number"][2:]) + 1


def test_a_kill_leaves_no_server_behind_and_loses_nothing(embedded_platform: EmbeddedPlatform):
    client = embedded_platform.client()
    taken = take_number(client, LAMPUNG_TIMUR, "CPL-KK").body
    family = embedded_platform.family()
    embedded_platform.kill()
    eventually(lambda: not embedded_platform.leftovers(family), within=20.0)
    embedded_platform.start()
    kept = client.request("GET", f"/v1/lampung-timur/tickets/{taken['id']}", headers={"Ticket-Token": taken["token"]})
    assert (kept.status, kept.body["number"]) == (200, taken["number"])


def test_a_second_start_on_the_same_data_says_who_has_it(embedded_platform: EmbeddedPlatform):
    second = EmbeddedPlatform(embedded_platform.data_dir)
    second.launch()
    assert second.wait_ended() == 1
    error = second.printed().splitlines()[-1]
    assert "in use by process" in error
    assert "MPP_DATA_DIR" in error
    assert "Traceback" not in second.printed()
    assert embedded_platform.client().get("/readyz").status == 200, "the first one suffered"


def test_a_port_in_use_is_named_with_a_way_out(server_folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        platform = EmbeddedPlatform(server_folder / "embedded-without-port", port=port)
        platform.launch()
        assert platform.wait_ended() == 1
    assert f"Port {port}" in platform.printed()
    assert f"PORT={port + 1}" in platform.printed()
    assert "Traceback" not in platform.printed()
    assert platform.leftovers(set()) == {}


def test_ctrl_c_in_the_middle_of_the_first_start_leaves_nothing_running_and_nothing_broken(server_folder: Path):
    platform = EmbeddedPlatform(server_folder / "embedded-interrupted")
    platform.launch()
    eventually(lambda: "Preparing databases" in platform.printed(), within=30.0)
    family = platform.family()
    assert platform.interrupt() != 0
    assert platform.leftovers(family) == {}
    with platform:
        take_call_and_serve(platform.client(), platform.client("officer@lampung-timur"))
