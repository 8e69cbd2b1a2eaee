"""A holiday turns people away with the next opening; a closure tells those who wait, by every way there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from services.chassis.tail import tail
from tests.platform.browser import browser
from tests.platform.client import Answer, Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import Hall, take_number
from tests.processes import eventually
from tests.receivers import Mailbox

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

HALL = Hall("kutai-libur", "sangatta", ("PTS-INF", "UMK-INF"), ("sangatta-01", "sangatta-02"))
"""Of a regency in WITA that no other test looks at: it closes now and then."""

HOURS = f"{HALL.path}/hours"
AT_ANY_TIME = {
    day: [{"open": "00:00", "close": "24:00"}] for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}


@pytest.fixture(scope="module")
def platform(deployed_platform: DeployedPlatform) -> DeployedPlatform:
    """A platform with one more regency, whose site enforces its hours and is open at any time."""
    model = next(each for each in deployed_platform.documents if each["regency"]["id"] == "kutai-timur")
    [site] = model["sites"]
    sites = [{**site, "enforce_hours": True, "hours": AT_ANY_TIME}]
    deployed_platform.join({**model, "regency": {**model["regency"], "id": HALL.regency, "code": "64.96"}, "sites": sites})
    return deployed_platform


@pytest.fixture
def mailbox(platform: DeployedPlatform) -> Iterator[Mailbox]:
    with Mailbox(port=platform.mail_port) as mailbox:
        yield mailbox


def today() -> datetime:
    return datetime.now(ZoneInfo("Asia/Makassar"))


def entry(identifier: str, kind: str, name: str) -> dict[str, Any]:
    day = today().date().isoformat()
    return {"id": identifier, "kind": kind, "name": name, "from": day, "to": day}


def take(citizen: Client, service: str = "PTS-INF") -> Answer:
    return citizen.post(f"{HALL.path}/tickets", {"site": HALL.site, "service": service, "channel": "web"})


def withdraw(curator: Client, identifier: str, version: int) -> None:
    assert curator.patch(f"{HOURS}/{identifier}", {"active": False}, **{"If-Match": f'"{version}"'}).status == 200


def test_a_holiday_refuses_numbers_and_leaves_those_alone_who_have_one(platform: DeployedPlatform):
    citizen, administrator = platform.client(), platform.client(f"admin@{HALL.regency}")
    before = take_number(citizen, HALL, "PTS-INF").body
    made = administrator.post(HOURS, entry("hari-jadi", "regional_holiday", "Hari jadi kabupaten"))
    assert (made.status, made.headers["etag"], made.body["active"]) == (201, '"1"', True)
    eventually(lambda: take(citizen).code == "site_closed")

    refused = take(citizen)
    opens_at = datetime.combine(today().date() + timedelta(days=1), datetime.min.time(), ZoneInfo("Asia/Makassar"))
    assert (refused.status, refused.body["reason"], refused.body["opens_at"]) == (409, "regional_holiday", opens_at.isoformat())
    assert refused.body["opens_at"].endswith("T00:00:00+08:00")
    assert refused.body["detail"].startswith("Tutup: Hari jadi kabupaten. Buka kembali ")
    assert refused.body["detail"].endswith(f" {opens_at.year} pukul 00.00 WITA.")
    english = citizen.request(
        "POST",
        f"{HALL.path}/tickets",
        {"site": HALL.site, "service": "PTS-INF", "channel": "web"},
        headers={"Accept-Language": "en"},
    )
    assert english.body["detail"].startswith("Closed: Hari jadi kabupaten. It opens on ")
    officer = platform.client(f"officer@{HALL.regency}")
    called = officer.post(f"{HALL.path}/counters/sangatta-01/call-next")
    assert (called.status, called.body["id"]) == (200, before["id"]), "a counter still calls whom it has"

    withdraw(administrator, "hari-jadi", 1)
    eventually(lambda: take(citizen).status == 201)


def test_a_closure_gives_back_the_numbers_and_is_told_by_mail_event_board_and_calendar(platform: DeployedPlatform, mailbox: Mailbox):
    citizen, supervisor = platform.client(), platform.client(f"supervisor@{HALL.regency}")
    board, hours = f"{HALL.path}/sites/{HALL.site}/board", f"{HALL.path}/sites/{HALL.site}/hours"
    ticket = take_number(citizen, HALL, "UMK-INF").body
    token = {"Ticket-Token": ticket["token"]}
    letter = {"ticket": ticket["id"], "email": "budi@example.id", "kinds": ["cancelled"]}
    assert citizen.request("POST", f"{HALL.path}/subscriptions", letter, headers=token).status == 201
    assert citizen.get(board).body["closures"] == []
    ordinary = citizen.get(hours)
    assert citizen.get(hours, **{"If-None-Match": ordinary.headers["etag"]}).status == 304
    heard = tail(platform.rabbitmq.url, f"{HALL.regency}.site.*", timeout=20.0)
    assert next(heard) == {}, "the queue exists"

    made = supervisor.post(HOURS, {**entry("listrik-padam", "closure", "Listrik padam"), "site": HALL.site})
    assert made.status == 201, made
    closed = next(heard)
    assert (closed["type"], closed["data"]["reason"], closed["data"]["agency"]) == ("mpp.site.closed", "closure", None)
    assert "Listrik" not in str(closed), "what people wrote is no event's business"
    eventually(lambda: citizen.get(f"{HALL.path}/tickets/{ticket['id']}", **token).body["status"] == "cancelled")
    assert citizen.get(f"{HALL.path}/tickets/{ticket['id']}", **token).body["cancelled_by"] == "closure"
    eventually(lambda: mailbox.subjects == [f"Nomor {ticket['number']} dibatalkan"])
    assert "karena layanan ditutup hari ini" in mailbox.letters[0].message.get_content()
    eventually(lambda: citizen.get(board).body["closures"] == [{"agency": None, "opens_at": closed["data"]["opens_at"]}])
    assert citizen.get(board).body["services"][0]["waiting"] == 0
    day = citizen.get(hours, **{"If-None-Match": ordinary.headers["etag"]}).body["days"][0]
    assert (day["reason"], day["name"], day["periods"]) == ("closure", "Listrik padam", [])
    assert take(citizen, "UMK-INF").code == "site_closed"

    withdraw(supervisor, "listrik-padam", 1)
    assert next(heard)["type"] == "mpp.site.reopened"
    eventually(lambda: citizen.get(board).body["closures"] == [])
    eventually(lambda: take(citizen, "UMK-INF").status == 201)
    assert citizen.get(f"{HALL.path}/tickets/{ticket['id']}", **token).body["status"] == "cancelled", "the books stay true"
    heard.close()


def test_a_wall_shows_a_closure_by_itself_and_takes_it_down_again(platform: DeployedPlatform):
    supervisor = platform.client(f"supervisor@{HALL.regency}")
    with browser() as chromium:
        page = chromium.new_context(locale="id-ID", viewport={"width": 320, "height": 640}).new_page()
        page.goto(f"http://127.0.0.1:{platform.http_ports[0]}/boards/{HALL.regency}/{HALL.site}")
        expect(page.locator("[data-board=status]")).to_have_text("Langsung", timeout=10_000)
        shown = page.locator("[data-list=closures] li")
        expect(shown).to_have_count(0)
        assert supervisor.post(HOURS, {**entry("rapat", "closure", "Rapat"), "site": HALL.site, "agency": "UMK"}).status == 201
        expect(shown).to_have_text(re.compile(r"^UMK hari ini tutup di luar jadwal Buka kembali \w+, \d+ \w+, 00[.:]00$"), timeout=10_000)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        withdraw(supervisor, "rapat", 1)
        expect(shown).to_have_count(0, timeout=10_000)


def test_only_who_keeps_the_calendar_changes_it_and_nobody_over_what_another_has_changed(platform: DeployedPlatform):
    administrator, body = platform.client(f"admin@{HALL.regency}"), entry("pameran", "other", "Pameran")
    for role, status in (("officer", 403), ("frontdesk", 403), ("auditor", 403), (None, 401)):
        client = platform.client() if role is None else platform.client(f"{role}@{HALL.regency}")
        assert client.post(HOURS, {**body, "active": False}).status == status
    assert administrator.post(HOURS, {**body, "active": False}).status == 201
    stale = administrator.patch(f"{HOURS}/pameran", {"name": "Pameran UMKM"}, **{"If-Match": '"7"'})
    assert (stale.status, stale.code) == (412, "version_conflict")
    listed = [each["id"] for each in administrator.pages(f"{HOURS}?from={body['from']}&to={body['to']}")]
    assert "pameran" in listed
    assert "natal-2026" in [each["id"] for each in administrator.pages(f"{HOURS}?from=2026-12-25&to=2026-12-25")]
