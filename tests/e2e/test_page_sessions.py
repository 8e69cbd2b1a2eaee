"""Signing in on a page, on two gateways and in a real browser: what other sites cannot do with it, and how soon it is over."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from tests.platform.browser import browser
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR
from tests.platform.page_browser import PageBrowser
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

HALL = OKU_TIMUR
PASSWORD = "soto bening di martapura"
TICKETS = f"{HALL.path}/tickets"
OPEN = f"{HALL.path}/counters/{HALL.counters[0]}/open"
REVOKED_WITHIN_SECONDS = 5.0


@pytest.fixture(scope="module")
def officer(deployed_platform: DeployedPlatform) -> str:
    """An account of these tests alone, which they sign out."""
    administrator = deployed_platform.client(f"admin@{HALL.regency}")
    account = f"p{uuid.uuid4().hex[:8]}@{HALL.regency}"
    facts = {"id": account, "role": "officer", "display_name": "Petugas Halaman", "agencies": None}
    assert administrator.command(f"{HALL.path}/accounts", facts).status == 201
    code = administrator.command(f"{HALL.path}/accounts/{account}/code").body["code"]
    first = {"username": account, "code": code, "new_password": PASSWORD}
    assert deployed_platform.client().post("/v1/auth/password", first).status == 200
    return account


@pytest.fixture
def guest(deployed_platform: DeployedPlatform, officer: str) -> Iterator[PageBrowser]:
    """An officer who has signed in at the first gateway."""
    with PageBrowser(deployed_platform.http_ports[0]) as visitor:
        answer = visitor.sign_in(officer, PASSWORD)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account"), answer.text
        yield visitor


@contextlib.contextmanager
def at_each_gateway(platform: DeployedPlatform, cookie: str) -> Iterator[list[PageBrowser]]:
    """The same session at each gateway, as behind a proxy."""
    with contextlib.ExitStack() as opened:
        yield [opened.enter_context(PageBrowser(port, cookie=cookie)) for port in platform.http_ports]


def credential_of(visitor: PageBrowser) -> str:
    """A cookie without its token: the gateway has to carry the session on, as when the token has grown old."""
    return visitor.cookie.partition("~")[0] + "~"


def test_an_officer_works_on_pages_of_either_gateway(guest, officer, deployed_platform):
    with at_each_gateway(deployed_platform, guest.cookie) as visitors:
        for visitor in visitors:
            assert officer in visitor.get("/account").text
            assert visitor.get(TICKETS).status_code == 200
            assert visitor.change(OPEN).status_code == 200
            assert visitor.get("/v1/lampung-timur/tickets").status_code == 403


def test_tabs_at_both_gateways_carry_the_session_on_at_the_same_moment(guest, deployed_platform):
    with at_each_gateway(deployed_platform, credential_of(guest)) as visitors, ThreadPoolExecutor(8) as tabs:

        def look(number: int) -> tuple[int, str]:
            with PageBrowser(deployed_platform.http_ports[number % 2], cookie=credential_of(guest)) as tab:
                return tab.get(TICKETS).status_code, tab.cookie

        seen = list(tabs.map(look, range(24)))
        assert {status for status, _ in seen} == {200}
        assert all(cookie.startswith(credential_of(guest)) and cookie != credential_of(guest) for _, cookie in seen)
        assert [visitor.get(TICKETS).status_code for visitor in visitors] == [200, 200]
    assert guest.get(TICKETS).status_code == 200, "and the first one goes on"


@pytest.mark.parametrize("way", ["administrator", "own page", "everywhere"])
def test_what_is_taken_back_stops_on_pages_of_all_gateways(guest, officer, deployed_platform, figures: Figures, way):
    with at_each_gateway(deployed_platform, guest.cookie) as visitors, PageBrowser(deployed_platform.http_ports[1]) as other:
        other.sign_in(officer, PASSWORD)
        assert [visitor.get(TICKETS).status_code for visitor in visitors] == [200, 200]
        began = time.monotonic()
        if way == "administrator":
            administrator = deployed_platform.client(f"admin@{HALL.regency}")
            assert administrator.command(f"{HALL.path}/accounts/{officer}/sign-out").status == 200
        else:
            leaver, path = (guest, "/sign-out") if way == "own page" else (other, "/sign-out/everywhere")
            assert leaver.submit(path, {"csrf_token": leaver.csrf_token()}).status_code == 303
            assert leaver.cookie == ""
        held = guest.cookie or visitors[0].cookie

        def refused() -> list[int]:
            for visitor in visitors:
                visitor.cookie = visitor.cookie or held
            return [visitor.get(TICKETS).status_code for visitor in visitors]

        eventually(lambda: refused() == [401, 401], within=REVOKED_WITHIN_SECONDS)
        figures(f"{way}: void on pages of {len(visitors)} gateways after {time.monotonic() - began:.1f} s")
        shown = visitors[0].get("/account")
        assert (shown.status_code, shown.headers["location"]) == (303, "/sign-in?next=/account")


@pytest.fixture
def elsewhere() -> Iterator[Callable[[str], str]]:
    """Another origin on this machine, which to a browser is the same site as the gateway. Takes a page, answers its address."""
    content = {"html": ""}

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content["html"].encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def serve(html: str) -> str:
        content["html"] = html
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    server.shutdown()
    server.server_close()


def watched(page: Page) -> list[str]:
    """What the browser refuses on our pages, by the policies that we send."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def refused_changes(platform: DeployedPlatform) -> float:
    """How often the first gateway refused to open a counter."""
    route = {"route": "/v1/{regency}/counters/{counter}/open", "method": "POST", "status": "4xx"}
    return platform.gateways[0].metric("mpp_http_request_duration_seconds_count", **route)


def test_in_a_browser(deployed_platform, officer, elsewhere):
    """From the form to the sign-out, and what another site tries in between."""
    origin = f"http://127.0.0.1:{deployed_platform.http_ports[0]}"
    with browser() as chromium:
        context = chromium.new_context(locale="id")
        page = context.new_page()
        complaints = watched(page)
        page.goto(f"{origin}/account")
        expect(page.get_by_role("heading", name="Masuk untuk petugas")).to_be_visible()
        page.get_by_label("Nama pengguna").fill(officer)
        page.get_by_label("Kata sandi").fill("salah sama sekali")
        page.get_by_role("button", name="Masuk").click()
        expect(page.get_by_role("alert")).to_contain_text("Nama pengguna atau kata sandi salah")
        complaints.clear()  # the browser itself tells of the 401
        page.get_by_label("Kata sandi").fill(PASSWORD)
        page.get_by_role("button", name="Masuk").click()
        expect(page.get_by_text(officer)).to_be_visible()
        [cookie] = [each for each in context.cookies() if each["name"].startswith("mpp-")]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["expires"]) == (True, "Lax", "/", -1)
        assert page.evaluate("document.cookie") == ""
        read = "async path => (await fetch(path)).status"
        assert page.evaluate(read, TICKETS) == 200
        csrf = page.locator("input[name=csrf_token]").first.get_attribute("value")
        change = "async ([path, csrf]) => (await fetch(path, {method: 'POST', headers: {'CSRF-Token': csrf}})).status"
        assert page.evaluate(change, [OPEN, csrf]) == 200
        assert complaints == []
        assert page.evaluate(change, [OPEN, "x"]) == 403, "nor without its proof"

        complaints.clear()
        inline = "() => { const s = document.createElement('script'); s.textContent = 'window.got = 1'; document.body.append(s) }"
        with pytest.raises(Exception, match="TrustedScript"):
            page.evaluate(inline)
        with pytest.raises(Exception, match="TrustedHTML"):
            page.evaluate("() => { document.body.innerHTML = '<b>x</b>' }")

        other = context.new_page()
        form = f'<form method="post" action="{origin}/sign-out/everywhere"><button>x</button></form>'
        complaints = watched(other)
        other.goto(elsewhere(f'{form}<iframe src="{origin}/account"></iframe>'))
        with other.expect_response(lambda answer: answer.request.method == "POST") as posted:
            other.get_by_role("button").click()
        assert posted.value.status == 403
        assert "mpp-" in posted.value.request.all_headers().get("cookie", ""), "the browser sent the cookie: it is the same site"
        assert any("frame-ancestors" in each for each in complaints), complaints
        other.goto(elsewhere("<p>x</p>"))
        steal = "async url => { try { return await (await fetch(url, {credentials: 'include'})).text() } catch { return 'refused' } }"
        assert other.evaluate(steal, f"{origin}{TICKETS}") == "refused"
        send = "async url => { try { await fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include'}) } catch {} }"
        before = refused_changes(deployed_platform)
        other.evaluate(send, f"{origin}{OPEN}")
        eventually(lambda: refused_changes(deployed_platform) == before + 1)  # it was sent, and refused
        other.close()

        page.reload()
        expect(page.get_by_text(officer)).to_be_visible()
        page.get_by_role("button", name="Keluar", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("Anda sudah keluar.")
        page.goto(f"{origin}/account")
        expect(page.get_by_role("heading", name="Masuk untuk petugas")).to_be_visible()
        assert not [each for each in context.cookies() if each["name"].startswith("mpp-")]


def test_the_pages_of_everybody_keep_the_policy(deployed_platform):
    """The board with its script and its stream, in English."""
    origin = f"http://127.0.0.1:{deployed_platform.http_ports[1]}"
    with browser() as chromium:
        page = chromium.new_context(locale="en").new_page()
        complaints = watched(page)
        page.goto(f"{origin}/boards/{HALL.regency}/{HALL.site}")
        expect(page.locator(".status")).to_have_text("Live", timeout=20_000)
        page.goto(f"{origin}/boards")
        page.goto(f"{origin}/sign-in")
        expect(page.get_by_role("heading", name="Sign in for staff")).to_be_visible()
        assert complaints == []
