"""From an invitation to a revocation, over HTTP and on two gateways: what is taken back stops working everywhere within seconds."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from services.contracts.catalog.sessions import LONGEST_LIFE
from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR, empty, take_number
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

HALL = OKU_TIMUR
PASSWORD = "soto bening di martapura"
REVOKED_WITHIN_SECONDS = 5.0


class Desk:
    """An administrator's desk with two gateways, and people who sign in."""

    def __init__(self, platform: DeployedPlatform) -> None:
        self.platform = platform
        self.administrator = platform.client(f"admin@{HALL.regency}")

    def new_officer(self, **facts: Any) -> str:
        """Add an account without a password."""
        account = {"id": f"p{uuid.uuid4().hex[:8]}@{HALL.regency}", "role": "officer", "display_name": "Petugas Baru", "agencies": None}
        assert self.administrator.command(f"{HALL.path}/accounts", {**account, **facts}).status == 201
        return account["id"] or ""

    def signed_in(self, account: str) -> dict[str, Any]:
        """Set the password with a code, as somebody new does."""
        code = self.administrator.command(f"{HALL.path}/accounts/{account}/code").body["code"]
        answer = self.platform.client().post("/v1/auth/password", {"username": account, "code": code, "new_password": PASSWORD})
        assert answer.status == 200, answer
        tokens: dict[str, Any] = answer.body
        return tokens

    def at_each_gateway(self, token: str) -> list[Client]:
        """A client with a token at each gateway."""
        clients = [self.platform.client(gateway=number) for number in range(len(self.platform.http_ports))]
        for client in clients:
            client.token = token
        return clients

    def stops_everywhere(self, token: str, take_back: Callable[[], object], figures: Callable[[str], None]) -> None:
        """A token works at all gateways, is taken back, and works at none a few seconds later."""
        clients = self.at_each_gateway(token)
        eventually(lambda: [client.get("/v1/regencies").status for client in clients] == [200, 200])
        began = time.monotonic()
        take_back()
        eventually(lambda: [client.get("/v1/regencies").code for client in clients] == ["token_invalid"] * 2, within=REVOKED_WITHIN_SECONDS)
        figures(f"void on {len(clients)} gateways after {time.monotonic() - began:.1f} s")


@pytest.fixture(scope="module")
def desk(deployed_platform: DeployedPlatform) -> Desk:
    return Desk(deployed_platform)


def refresh(desk: Desk, tokens: dict[str, Any]) -> Any:
    return desk.platform.client().post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})


def test_a_deactivated_account_stops(desk, figures):
    account = desk.new_officer()
    tokens = desk.signed_in(account)
    change = {"active": False}
    desk.stops_everywhere(
        tokens["access_token"],
        lambda: desk.administrator.request("PATCH", f"{HALL.path}/accounts/{account}", change),
        figures,
    )
    assert refresh(desk, tokens).code == "session_ended"


def test_a_stolen_refresh_token_stops_thief_and_owner(desk, figures):
    tokens = desk.signed_in(desk.new_officer())
    newer = refresh(desk, tokens).body
    newest = refresh(desk, newer).body
    stolen = tokens
    desk.stops_everywhere(newest["access_token"], lambda: refresh(desk, stolen), figures)
    assert refresh(desk, newest).code == "session_ended"


def test_a_device_is_paired_and_revoked(desk, figures):
    device = f"k{uuid.uuid4().hex[:8]}@{HALL.regency}"
    made = desk.administrator.command(f"{HALL.path}/devices", {"id": device, "kind": "kiosk", "site": HALL.site})
    assert made.status == 201, made
    kiosk = desk.platform.client()
    begun = kiosk.post("/v1/auth/pairing").body
    asked = {"device_code": begun["device_code"]}
    assert kiosk.post("/v1/auth/pairing/token", asked).code == "pairing_pending"
    typed = {"user_code": begun["user_code"].lower()}
    assert desk.administrator.command(f"{HALL.path}/devices/{device}/pair", typed).status == 200
    tokens = kiosk.post("/v1/auth/pairing/token", asked).body
    assert tokens["refresh_expires_in"] <= LONGEST_LIFE
    kiosk.token = tokens["access_token"]
    issued = kiosk.command(f"{HALL.path}/tickets", {"site": HALL.site, "service": HALL.services[0], "channel": "kiosk"})
    assert issued.status == 201, issued
    desk.stops_everywhere(tokens["access_token"], lambda: desk.administrator.command(f"{HALL.path}/devices/{device}/sign-out"), figures)
    empty(desk.platform, [HALL])


def test_an_assignment_that_ends_stops(desk, figures):
    account = desk.new_officer(valid_from="2025-01-01")
    tokens = desk.signed_in(account)
    change = {"valid_until": "2025-12-31"}
    desk.stops_everywhere(
        tokens["access_token"],
        lambda: desk.administrator.request("PATCH", f"{HALL.path}/accounts/{account}", change),
        figures,
    )
    assert refresh(desk, tokens).code == "session_ended"
    again = desk.platform.client().post("/v1/auth/token", {"username": account, "password": PASSWORD})
    assert (again.status, again.code) == (403, "account_not_valid")


def test_an_officer_works_at_the_own_counters_only(desk):
    empty(desk.platform, [HALL])
    own, other = HALL.counters[0], HALL.counters[1]
    [client, *_] = desk.at_each_gateway(desk.signed_in(desk.new_officer(counters=[own]))["access_token"])
    ticket = take_number(desk.platform.client(), HALL, HALL.services[0]).body
    for path, body in (
        (f"counters/{other}/call-next", None),
        (f"counters/{other}/open", None),
        (f"tickets/{ticket['id']}/call", {"counter": other}),
    ):
        refused = client.command(f"{HALL.path}/{path}", body)
        assert (refused.status, refused.code) == (403, "counter_forbidden")
    colleague = desk.platform.client(f"officer@{HALL.regency}")
    assert colleague.command(f"{HALL.path}/tickets/{ticket['id']}/call", {"counter": other}).status == 200
    assert client.command(f"{HALL.path}/tickets/{ticket['id']}/start").code == "counter_forbidden"
    for action in ("start", "complete"):
        assert colleague.command(f"{HALL.path}/tickets/{ticket['id']}/{action}").status == 200
    mine = take_number(desk.platform.client(), HALL, HALL.services[0]).body
    assert client.command(f"{HALL.path}/counters/{own}/call-next").body["id"] == mine["id"]
    for action in ("start", "complete"):
        assert client.command(f"{HALL.path}/tickets/{mine['id']}/{action}").status == 200


def test_who_guesses_waits_and_is_told_how_long(desk):
    account, citizen = desk.new_officer(), desk.platform.client()
    answers = [citizen.post("/v1/auth/token", {"username": account, "password": "not it"}) for _ in range(6)]
    assert [answer.code for answer in answers] == ["credentials_invalid"] * 5 + ["sign_in_delayed"]
    assert (answers[-1].status, answers[-1].headers["retry-after"]) == (429, "1")
