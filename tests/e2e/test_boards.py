"""Boards of the deployed platform: live on every gateway, for walls, for phones, and in a real browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.bench.boards import Work, crowd, delays, streams_of
from tests.platform import checker
from tests.platform.boards import reduced
from tests.platform.browser import browser
from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.embedded import EmbeddedPlatform
from tests.platform.event_stream import event_stream
from tests.platform.journeys import LAMPUNG_TIMUR, OKU_TIMUR, Hall, serve, serve_all, take_number
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

COUNTER = LAMPUNG_TIMUR.counters[0]
BOARD = f"{LAMPUNG_TIMUR.path}/sites/{LAMPUNG_TIMUR.site}/board"
READERS, SECONDS = 200, 5.0


def call_next(officer: Client, hall: Hall, counter: str) -> dict[str, str]:
    """Call the next number, which must exist."""
    called = officer.command(f"{hall.path}/counters/{counter}/call-next")
    assert called.status == 200, called
    number: dict[str, str] = called.body
    return number


class TestBoard:
    def test_every_gateway_follows_ticketings_tables(self, deployed_platform: DeployedPlatform, figures: Figures):
        officer = deployed_platform.client("officer@lampung-timur")
        for _ in range(3):
            take_number(deployed_platform.client(), LAMPUNG_TIMUR, "CPL-KK")
        serve_all(officer, LAMPUNG_TIMUR, COUNTER)
        take_number(deployed_platform.client(), LAMPUNG_TIMUR, "CPL-KTP", "elderly")
        figures(checker.check_boards(deployed_platform, LAMPUNG_TIMUR))

    def test_an_unchanged_board_is_not_sent_again(self, deployed_platform: DeployedPlatform):
        client = deployed_platform.client(gateway=0)
        tag = eventually(lambda: (seen := client.get(BOARD)).body["live"] and seen.headers["etag"])
        again = client.request("GET", BOARD, headers={"If-None-Match": tag})
        assert (again.status, again.body) == (304, None)
        take_number(client, LAMPUNG_TIMUR, "CPL-KTP")
        assert eventually(lambda: client.request("GET", BOARD, headers={"If-None-Match": tag}).status == 200)

    def test_a_changed_name_is_shown_within_moments(self, deployed_platform: DeployedPlatform):
        admin = deployed_platform.client("admin@lampung-timur")
        path = f"{LAMPUNG_TIMUR.path}/counters/{COUNTER}"
        before = admin.get(path).body["name"]
        for name in ("Loket Ramah", before):
            assert admin.patch(path, {"name": name}).status == 200

            def shows(name: str = name) -> bool:
                counters = {counter["id"]: counter["name"] for counter in admin.get(BOARD).body["counters"]}
                return bool(counters[COUNTER] == name)

            eventually(shows, within=10)

    @pytest.mark.parametrize(
        ("path", "code"),
        [(f"{LAMPUNG_TIMUR.path}/sites/nowhere/board", "site_unknown"), ("/v1/nowhere/sites/nowhere/board", "regency_unknown")],
    )
    def test_what_does_not_exist_is_refused_before_the_first_byte(self, path: str, code: str, deployed_platform: DeployedPlatform):
        for address in (path, f"{path}/stream"):
            answer = deployed_platform.client().get(address)
            assert (answer.status, answer.code) == (404, code)

    def test_who_cannot_read_a_stream_is_told_so(self, deployed_platform: DeployedPlatform):
        answer = deployed_platform.client().request("GET", f"{BOARD}/stream", headers={"Accept": "application/json"})
        assert (answer.status, answer.code) == (406, "not_acceptable")
        head = deployed_platform.client().request("HEAD", f"{BOARD}/stream")
        assert (head.status, head.headers["content-type"]) == (200, "text/event-stream")


class TestStream:
    def test_calls_come_at_once_and_in_order(self, deployed_platform: DeployedPlatform):
        officer = deployed_platform.client("officer@lampung-timur")
        serve_all(officer, LAMPUNG_TIMUR, COUNTER)
        with event_stream(deployed_platform.http_ports[0], f"{BOARD}/stream") as stream:
            assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
            first = next(iter(stream))
            take_number(deployed_platform.client(), LAMPUNG_TIMUR, "CPL-KTP")
            called = call_next(officer, LAMPUNG_TIMUR, COUNTER)
            seen = [first.id]

            def shows_call(message: object) -> bool:
                seen.append(message.id)  # type: ignore[attr-defined]
                return bool(reduced(message.data)["counters"].get(COUNTER) == {"called": called["number"]})  # type: ignore[attr-defined]

            shown = stream.until(shows_call)
            assert seen == sorted(seen)
            assert shown.event == "board"
            assert shown.data["calls"][0]["number"] == called["number"]
        serve(officer, LAMPUNG_TIMUR, called["id"])

    def test_200_readers_see_every_change_and_are_released_when_they_hang_up(self, deployed_platform: DeployedPlatform, figures: Figures):
        gateway = deployed_platform.gateways[0]
        streams_of(gateway, 0, within=30)
        with crowd(deployed_platform, OKU_TIMUR, READERS, 60) as readers:
            assert readers.wait_open() == READERS
            work = Work(deployed_platform, OKU_TIMUR, 2, SECONDS)
            work.run()
            time.sleep(1.0)
            found = readers.result()
        assert (found["begun"], found["open"]) == (READERS, READERS)
        after_answer, _ = delays(deployed_platform, OKU_TIMUR, work.told, found["received"])
        assert len(after_answer.seconds) == len(work.told) * READERS
        released = streams_of(gateway, 0, within=30)
        figures(f"{READERS} readers, {len(work.told)} commands: seen after {after_answer}; released after {released:.1f} s")

    def test_a_stopping_gateway_ends_streams_so_that_readers_go_elsewhere(self, deployed_platform: DeployedPlatform):
        gateway = deployed_platform.gateways[1]
        with event_stream(deployed_platform.http_ports[1], f"{BOARD}/stream") as stream:
            messages = iter(stream)
            first = next(messages)
            gateway.stop()
            assert [message for message in messages if message.id < first.id] == []  # and no IncompleteRead
        gateway.start()
        with event_stream(deployed_platform.http_ports[1], f"{BOARD}/stream", {"Last-Event-ID": str(first.id)}) as stream:
            assert next(iter(stream)).id >= first.id


class TestPhone:
    def test_polling_costs_no_body_and_no_question_while_nothing_changes(self, deployed_platform: DeployedPlatform):
        citizen, gateway = deployed_platform.client(gateway=0), deployed_platform.gateways[0]
        ticket = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP").body
        path, token = f"{LAMPUNG_TIMUR.path}/tickets/{ticket['id']}", {"Ticket-Token": ticket["token"]}
        tag = citizen.request("GET", path, headers=token).headers["etag"]
        eventually(lambda: citizen.request("GET", path, headers={**token, "If-None-Match": tag}).status == 304)
        asked = gateway.metric("mpp_rpc_call_duration_seconds_count", method="get_ticket")
        bodies = 0
        for _ in range(20):
            answer = citizen.request("GET", path, headers={**token, "If-None-Match": tag})
            bodies, tag = (bodies, tag) if answer.status == 304 else (bodies + 1, answer.headers["etag"])
        assert bodies <= 1, "a wait is told anew once a minute"
        assert gateway.metric("mpp_rpc_call_duration_seconds_count", method="get_ticket") == asked
        wrong = citizen.request("GET", path, headers={"Ticket-Token": "x" * 43, "If-None-Match": tag})
        assert (wrong.status, wrong.code) == (403, "ticket_token_invalid")
        assert citizen.request("POST", f"{path}/cancel", headers=token).status == 200
        after = citizen.request("GET", path, headers={**token, "If-None-Match": tag})
        assert eventually(lambda: citizen.request("GET", path, headers={**token, "If-None-Match": tag}).body["status"] == "cancelled")
        assert after.status in (200, 304)

    def test_the_gateway_tells_the_same_places_as_ticketing(self, deployed_platform: DeployedPlatform):
        """The rule of turns and estimates stands in both."""
        citizen, officer = deployed_platform.client(gateway=0), deployed_platform.client("officer@lampung-timur")
        serve_all(officer, LAMPUNG_TIMUR, COUNTER)
        kinds = [
            ("CPL-KTP", None),
            ("CPL-KK", None),
            ("CPL-KTP", "elderly"),
            ("CPL-KTP", None),
            ("CPL-KTP", "pregnant"),
            ("CPL-KK", "child"),
        ]
        taken = [take_number(citizen, LAMPUNG_TIMUR, *kind).body for kind in kinds]
        called = call_next(officer, LAMPUNG_TIMUR, COUNTER)
        polls = [(f"{LAMPUNG_TIMUR.path}/tickets/{ticket['id']}", {"Ticket-Token": ticket["token"]}) for ticket in taken]
        for path, token in polls:  # the second of two polls is the gateway's own answer
            citizen.request("GET", path, headers={**token, "If-None-Match": '"0"'})
        gateway = deployed_platform.gateways[0]

        def agree() -> bool:
            asked = gateway.metric("mpp_rpc_call_duration_seconds_count", method="get_ticket")
            told = [citizen.request("GET", path, headers={**token, "If-None-Match": '"0"'}).body for path, token in polls]
            assert gateway.metric("mpp_rpc_call_duration_seconds_count", method="get_ticket") == asked, "ticketing was asked"
            assert told == [citizen.request("GET", path, headers=token).body for path, token in polls]
            return True

        eventually(agree)
        positions = [citizen.request("GET", path, headers=token).body["position"] for path, token in polls]
        assert sorted(filter(None, positions)) == [1, 1, 2, 2, 3]
        serve(officer, LAMPUNG_TIMUR, called["id"])
        serve_all(officer, LAMPUNG_TIMUR, COUNTER)

    def test_a_ticket_is_followed_to_its_end(self, deployed_platform: DeployedPlatform):
        officer, citizen = deployed_platform.client("officer@lampung-timur"), deployed_platform.client()
        serve_all(officer, LAMPUNG_TIMUR, COUNTER)
        ahead = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP").body
        mine = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP").body
        path = f"{LAMPUNG_TIMUR.path}/tickets/{mine['id']}/stream"
        with event_stream(deployed_platform.http_ports[0], path, {"Ticket-Token": mine["token"]}) as stream:
            messages = iter(stream)
            assert next(messages).data["position"] == 2
            call_next(officer, LAMPUNG_TIMUR, COUNTER)
            moved = next(message for message in messages if message.data["position"] != 2)  # a new minute tells another wait
            assert moved.data["position"] == 1
            serve(officer, LAMPUNG_TIMUR, ahead["id"])
            call_next(officer, LAMPUNG_TIMUR, COUNTER)
            serve(officer, LAMPUNG_TIMUR, mine["id"])
            rest = [message.data for message in messages]
        assert rest[-1]["status"] == "completed"
        assert [ticket["version"] for ticket in rest] == sorted(ticket["version"] for ticket in rest)
        for headers, status, code in (({}, 401, "token_missing"), ({"Ticket-Token": ahead["token"]}, 403, "ticket_token_invalid")):
            refused = citizen.request("GET", path, headers=headers)
            assert (refused.status, refused.code) == (status, code)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser."""
    with browser() as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of an Indonesian phone; an error in its script or a blocked part fails the test."""
    context = chromium.new_context(locale="id-ID", viewport={"width": 320, "height": 640})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Security Policy" in message.text else None)
    yield page
    context.close()
    assert not errors, errors


class TestPage:
    def test_it_follows_calls_survives_a_restart_and_fits_a_phone(self, page: Page, deployed_platform: DeployedPlatform):
        officer = deployed_platform.client("officer@lampung-timur", gateway=0)
        serve_all(officer, LAMPUNG_TIMUR, COUNTER)
        page.goto(f"http://127.0.0.1:{deployed_platform.http_ports[1]}/boards/lampung-timur/sukadana")
        status, number = page.locator("[data-board=status]"), page.locator("[data-board=newest] [data-field=number]")
        expect(status).to_have_text("Langsung", timeout=10_000)
        assert page.evaluate("document.documentElement.scrollWidth") == 320

        take_number(officer, LAMPUNG_TIMUR, "CPL-KTP")
        called = call_next(officer, LAMPUNG_TIMUR, COUNTER)
        expect(number).to_have_text(called["number"])
        expect(page.locator(".counter.is-called .counter-number")).to_have_text(called["number"])
        serve(officer, LAMPUNG_TIMUR, called["id"])
        expect(page.locator(".counter.is-called")).to_have_count(0)

        deployed_platform.gateways[1].kill()
        expect(status).to_have_text(re.compile(r"Tidak tersambung, data pukul \d\d\.\d\d"), timeout=15_000)
        take_number(officer, LAMPUNG_TIMUR, "CPL-KTP")
        called = call_next(officer, LAMPUNG_TIMUR, COUNTER)
        deployed_platform.gateways[1].start()
        expect(status).to_have_text("Langsung", timeout=30_000)
        expect(number).to_have_text(called["number"], timeout=10_000)
        serve(officer, LAMPUNG_TIMUR, called["id"])

    def test_an_older_board_never_replaces_a_newer_one(self, page: Page, deployed_platform: DeployedPlatform):
        address = f"http://127.0.0.1:{deployed_platform.http_ports[0]}"
        board = deployed_platform.client(gateway=0).get(BOARD).body
        newer = {**board, "sequence": board["sequence"] + 5, "name": "Papan baru"}
        older = {**board, "sequence": board["sequence"] + 4, "name": "Papan lama"}
        events = "".join(f"id: {b['sequence']}\nevent: board\ndata: {_json(b)}\n\n" for b in (newer, older))
        page.route("**/board/stream", lambda route: route.fulfill(body=events, content_type="text/event-stream"))
        page.goto(f"{address}/boards/lampung-timur/sukadana")
        expect(page.locator("[data-board=name]")).to_have_text("Papan baru")

    def test_an_unknown_site_has_a_way_back(self, page: Page, deployed_platform: DeployedPlatform):
        page.goto(f"http://127.0.0.1:{deployed_platform.http_ports[0]}/boards/lampung-timur/nowhere")
        expect(page.locator("h1")).to_have_text("Papan ini tidak ada")
        page.get_by_role("link").click()
        page.locator("a[href='/boards/lampung-timur']").click()
        page.get_by_role("link").first.click()
        expect(page.locator("[data-board=status]")).to_have_text("Langsung", timeout=10_000)


def _json(board: object) -> str:
    return json.dumps(board)


def test_boards_are_live_over_the_broker_within_the_process(embedded_platform: EmbeddedPlatform):
    officer, citizen = embedded_platform.client("officer@lampung-timur"), embedded_platform.client()
    serve_all(officer, LAMPUNG_TIMUR, COUNTER)
    with event_stream(embedded_platform.port, f"{BOARD}/stream") as stream:
        take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP")
        called = call_next(officer, LAMPUNG_TIMUR, COUNTER)
        shown = stream.until(lambda message: reduced(message.data)["counters"].get(COUNTER) == {"called": called["number"]})
        assert shown.data["live"]
    serve(officer, LAMPUNG_TIMUR, called["id"])
