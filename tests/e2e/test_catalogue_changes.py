"""The catalogue changes over the API, or is away: what the queue makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.first_tickets import take_call_and_serve
from tests.platform.checker import DEADLINE_SECONDS, GRACE_SECONDS
from tests.platform.client import Answer, Client
from tests.platform.deployment import OPERATOR, DeployedPlatform
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

KUTAI = "/v1/kutai-timur"
TICKET = {"site": "sangatta", "service": "PTS-INF", "channel": "web"}


@pytest.fixture
def admin(deployed_platform: DeployedPlatform) -> Client:
    return deployed_platform.client("admin@kutai-timur")


def take(client: Client, **other: str) -> Answer:
    """Ask for a number at Kutai Timur."""
    return client.post(f"{KUTAI}/tickets", {**TICKET, **other})


def becomes(client: Client, status: int, code: str | None, **other: str) -> None:
    """Wait until a request for a number has this outcome; no matter which replica answers."""
    eventually(lambda: (answer := take(client, **other)).status == status and answer.code == code)


@pytest.fixture
def catalog_away(deployed_platform: DeployedPlatform) -> Iterator[None]:
    """The catalogue is killed after an officer has signed in."""
    deployed_platform.token("officer@lampung-timur")
    deployed_platform.catalog.kill()
    yield
    deployed_platform.catalog.start()


@pytest.mark.usefixtures("catalog_away")
def test_the_queue_works_while_the_catalogue_is_away(deployed_platform: DeployedPlatform):
    citizen, officer = deployed_platform.client(), deployed_platform.client("officer@lampung-timur")
    take_call_and_serve(citizen, officer)
    sites = citizen.get("/v1/lampung-timur/sites")
    assert (sites.status, sites.code) == (503, "deadline_exceeded")
    assert sites.headers["content-type"] == "application/problem+json"
    assert sites.seconds < DEADLINE_SECONDS + GRACE_SECONDS


def test_the_catalogue_comes_back_by_itself(deployed_platform: DeployedPlatform):
    deployed_platform.catalog.kill()
    deployed_platform.catalog.start()
    assert [site["id"] for site in deployed_platform.client().pages("/v1/lampung-timur/sites")] == ["sukadana"]


def test_a_site_that_accepts_no_more_numbers_gives_none(deployed_platform: DeployedPlatform, admin: Client):
    citizen = deployed_platform.client()
    assert take(citizen).status == 201
    assert admin.patch(f"{KUTAI}/sites/sangatta", {"accepting": False}).status == 200
    becomes(citizen, 409, "site_not_accepting")
    assert {take(citizen).code for _ in range(10)} == {"site_not_accepting"}, "a replica has not heard of it"
    assert admin.patch(f"{KUTAI}/sites/sangatta", {"accepting": True}).status == 200
    becomes(citizen, 201, None)


def test_a_channel_that_a_site_closes_is_closed(deployed_platform: DeployedPlatform, admin: Client):
    citizen, kiosk = deployed_platform.client(), deployed_platform.client("kiosk@kutai-timur")
    assert admin.patch(f"{KUTAI}/sites/sangatta", {"channels": ["kiosk"]}).status == 200
    becomes(citizen, 403, "channel_not_allowed")
    assert take(kiosk, channel="kiosk").status == 201
    assert admin.patch(f"{KUTAI}/sites/sangatta", {"channels": ["kiosk", "web", "front_desk"]}).status == 200
    becomes(citizen, 201, None)


def test_a_new_service_at_a_new_counter_is_called_there(deployed_platform: DeployedPlatform, admin: Client):
    citizen, officer = deployed_platform.client(), deployed_platform.client("officer@kutai-timur")
    service = {"agency": "PTS", "code": "NIB", "name": "Nomor Induk Berusaha"}
    assert admin.post(f"{KUTAI}/services", service).status == 201
    becomes(citizen, 201, None, service="PTS-NIB")
    counter = admin.post(f"{KUTAI}/counters", {"site": "sangatta", "number": 3, "agency": "PTS", "services": ["PTS-NIB"]})
    assert (counter.status, counter.body["id"]) == (201, "sangatta-03")
    called: list[Answer] = []

    def somebody_is_called() -> bool:
        called.append(officer.post(f"{KUTAI}/counters/sangatta-03/call-next"))
        return called[-1].status == 200

    eventually(somebody_is_called)
    assert called[-1].body["service"] == "PTS-NIB"
    assert admin.patch(f"{KUTAI}/counters/sangatta-03", {"active": False}).status == 200
    eventually(lambda: officer.post(f"{KUTAI}/counters/sangatta-03/call-next").code == "counter_inactive")


def test_an_officer_of_one_agency_serves_that_agency_only(deployed_platform: DeployedPlatform, admin: Client):
    account = {
        "id": "umkm@kutai-timur",
        "role": "officer",
        "display_name": "Petugas UMKM",
        "agencies": ["UMK"],
        "password": "sebuah rahasia",
    }
    assert admin.post(f"{KUTAI}/accounts", account).status == 201
    deployed_platform.passwords["umkm@kutai-timur"] = "sebuah rahasia"
    officer, citizen = deployed_platform.client("umkm@kutai-timur"), deployed_platform.client()
    foreign = take(citizen).body
    refused = officer.post(f"{KUTAI}/tickets/{foreign['id']}/cancel")
    assert (refused.status, refused.code) == (403, "agency_forbidden")
    assert officer.post(f"{KUTAI}/counters/sangatta-01/call-next").code == "agency_forbidden"
    own = take(citizen, service="UMK-INF").body
    called = officer.post(f"{KUTAI}/counters/sangatta-02/call-next")
    assert (called.status, called.body["id"]) == (200, own["id"])


def test_two_who_change_a_site_at_once_notice(deployed_platform: DeployedPlatform, admin: Client):
    operator = deployed_platform.client(OPERATOR)
    read = admin.get(f"{KUTAI}/sites/sangatta")
    assert (
        operator.patch(f"{KUTAI}/sites/sangatta", {"address": "Jalan Soekarno Hatta"}, **{"If-Match": read.headers["etag"]}).status == 200
    )
    lost = admin.patch(f"{KUTAI}/sites/sangatta", {"address": "Jalan Yos Sudarso"}, **{"If-Match": read.headers["etag"]})
    assert (lost.status, lost.code) == (412, "version_conflict")
    assert admin.get(f"{KUTAI}/sites/sangatta").body["address"] == "Jalan Soekarno Hatta"
