"""Sessions of browsers: what cookie they get, when it is renewed, and what another site cannot have them do."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import pytest

from gateway.page_sessions import MOST_COOKIE_BYTES, Visit
from services.chassis.context import ANONYMOUS
from services.chassis.errors import DomainError, Unavailable
from services.contracts.problems import PROBLEMS
from tests.access_tokens import KEYS, claims_of
from tests.unit.gateway.conftest import Edge, make_edge, problem_in

pytestmark = pytest.mark.unit

CREDENTIAL = "lampung-timur.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfG"
OWN = "http://localhost"
TICKETS = "/v1/lampung-timur/tickets"
OPEN = "/v1/lampung-timur/counters/sukadana-05/open"


def session(role: str = "officer", *, age: int = 0, life: int = 600, **claims: Any) -> dict[str, Any]:
    """What the catalogue answers: a session whose token is `age` seconds old."""
    now = int(time.time()) - age
    token = KEYS.sign(claims_of(role, iat=now, exp=now + life, **claims))
    return {"credential": CREDENTIAL, "access_token": token, "expires_in": life, "ends_in": 43_200}


@dataclass
class Browser:
    """Keeps the cookies of one host, and says where it was when it asks."""

    edge: Edge
    host: str = "localhost"
    headers: dict[str, str] = field(default_factory=dict)
    jar: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    def send(
        self, method: str, path: str, *, headers: dict[str, str | None] | None = None, form: dict[str, str] | None = None, **more: Any
    ):
        sent: dict[str, str | None] = {"Host": self.host, **self.headers}
        if self.jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        if method != "GET":
            sent |= {"Origin": OWN, "Sec-Fetch-Site": "same-origin", "CSRF-Token": self.csrf}
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            more["raw"] = "&".join(f"{name}={value}" for name, value in form.items()).encode()
        kept = {name: value for name, value in {**sent, **(headers or {})}.items() if value}
        answer = self.edge.send(method, path, headers=kept, **more)
        for cookie in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(cookie).items():
                if morsel["max-age"] == "0":
                    self.jar.pop(name, None)
                else:
                    self.jar[name] = morsel.value
        return answer

    def sign_in(self, begun: dict[str, Any] | None = None, **form: str):
        self.edge.services.answers["begin_page_session"] = begun or session()
        answer = self.send("POST", "/sign-in", form={"username": "officer%40lampung-timur", "password": "kopi", **form})
        if answer.status_code == 303:
            self.csrf = Visit((begun or session())["credential"], ANONYMOUS).csrf_token
        return answer

    def methods(self) -> list[str]:
        """What services were asked since the last time."""
        asked = [method for _, method, _, _ in self.edge.services.calls]
        self.edge.services.calls.clear()
        return asked


@pytest.fixture
def browser(edge) -> Browser:
    return Browser(edge)


@pytest.fixture
def guest(browser) -> Browser:
    """Somebody who is signed in."""
    assert browser.sign_in().status_code == 303
    browser.methods()
    return browser


class TestCookie:
    def test_by_tls_it_is_of_this_host_alone(self):
        browser = Browser(make_edge(trusted_proxies=1), "mpp.example.id", {"X-Forwarded-Proto": "https"})
        browser.edge.services.answers["begin_page_session"] = session()
        answer = browser.send("POST", "/sign-in", form={"username": "a", "password": "b"}, headers={"Origin": "https://mpp.example.id"})
        [cookie] = answer.headers.getlist("Set-Cookie")
        assert re.fullmatch(r"__Host-mpp=[!#-+\--:<-\[\]-~]+; Path=/; HttpOnly; SameSite=Lax; Secure", cookie)

    def test_on_this_machine_it_goes_without_tls_under_its_port(self, browser):
        browser.host = "127.0.0.1:8080"
        browser.edge.services.answers["begin_page_session"] = session()
        form, headers = {"username": "a", "password": "b"}, {"Origin": "http://127.0.0.1:8080"}
        [cookie] = browser.send("POST", "/sign-in", form=form, headers=headers).headers.getlist("Set-Cookie")
        assert re.fullmatch(r"mpp-loopback-8080=[^;]+; Path=/; HttpOnly; SameSite=Lax", cookie)

    @pytest.mark.parametrize("host", ["mpp.example.id", "192.168.1.5:8000", "localhost.example.id", "127.0.0.1.example.id"])
    def test_elsewhere_there_is_none_without_tls(self, guest, host):
        """Also not for a name of somebody else's that leads to this machine."""
        cookies = "; ".join(f"{name}={value}" for name, value in guest.jar.items())
        answer = guest.send("GET", "/account", headers={"Host": host, "Cookie": cookies})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/account")
        shown = guest.send("GET", "/sign-in", headers={"Host": host})
        assert (shown.status_code, "https" in shown.text) == (403, True)
        refused = guest.send("POST", "/sign-in", form={"username": "a", "password": "b"}, headers={"Host": host, "Origin": None})
        assert refused.status_code == 403
        assert not guest.methods()

    def test_what_a_client_says_of_tls_does_not_count_without_a_proxy(self, browser):
        answer = browser.send("GET", "/sign-in", headers={"Host": "mpp.example.id", "X-Forwarded-Proto": "https"})
        assert answer.status_code == 403

    def test_one_that_browsers_would_drop_holds_no_token(self, browser):
        browser.sign_in(session(agencies=[f"AGENCY-{number:04}" for number in range(175)]))
        [value] = browser.jar.values()
        assert len(value) < MOST_COOKIE_BYTES
        assert value == f"{CREDENTIAL}~"
        browser.edge.services.answers["renew_page_session"] = session()
        assert browser.send("GET", TICKETS).status_code == 200
        assert browser.methods().count("renew_page_session") >= 1


class TestSigningIn:
    def test_who_signs_in_goes_where_they_wanted_to(self, browser):
        answer = browser.sign_in(next="/account%3Fa=b")
        assert (answer.status_code, answer.headers["Location"], answer.headers["Cache-Control"]) == (303, "/account?a=b", "no-store")
        page = browser.send("GET", "/account")
        assert ("officer@lampung-timur" in page.text, page.headers["Cache-Control"]) == (True, "no-store")
        assert "Petugas loket" in page.text
        assert page.text.count(f'name="csrf_token" value="{browser.csrf}"') == 2
        assert browser.send("GET", "/sign-in").headers["Location"] == "/account"

    @pytest.mark.parametrize(
        "elsewhere",
        ["https://evil.example", "//evil.example", "/%5Cevil.example", "/%09/evil.example", "%0d%0aX:y", "javascript:x", "", "/sign-in"],
    )
    def test_nobody_is_led_elsewhere(self, browser, elsewhere):
        assert browser.sign_in(next=elsewhere).headers["Location"] == "/account"
        assert browser.send("GET", f"/sign-in?next={elsewhere}").headers["Location"] == "/account"

    @pytest.mark.parametrize("code", ["credentials_invalid", "sign_in_delayed", "account_not_valid", "service_unavailable"])
    @pytest.mark.parametrize("language", ["id", "en"])
    def test_who_may_not_is_told_why_on_the_page(self, browser, code, language):
        browser.edge.services.answers["begin_page_session"] = DomainError(code, retry_after=4)
        form = {"username": "%3Cb%3Esari", "password": "kopi"}
        answer = browser.send("POST", "/sign-in", form=form, headers={"Accept-Language": language})
        assert answer.status_code == PROBLEMS[code].status
        assert f'role="alert">{PROBLEMS[code].title(language)}' in answer.text
        assert 'value="&lt;b&gt;sari"' in answer.text
        assert "kopi" not in answer.text
        assert not answer.headers.getlist("Set-Cookie")

    def test_every_attempt_counts(self, edge_with):
        browser = Browser(edge_with(login_rate="2/minute"))
        assert [browser.send("POST", "/sign-in", form={"username": "a", "password": ""}).status_code for _ in range(3)] == [401, 401, 429]

    def test_a_session_that_the_browser_showed_before_is_over(self, guest):
        """Whoever planted it there is not signed in as who signs in now (session fixation)."""
        guest.sign_in(session("supervisor"))
        assert guest.methods()[:2] == ["begin_page_session", "end_page_session"]

    @pytest.mark.parametrize("raw", [b"%ff", b"a", b"username=a&username=b&password=c", b"username=%00&password=b", b"\xff=", b"a=b&" * 50])
    def test_an_unreadable_form_is_refused(self, browser, raw):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert browser.send("POST", "/sign-in", raw=raw, headers=headers).status_code == 400

    def test_nothing_but_a_form_is_read(self, browser):
        assert browser.send("POST", "/sign-in", json_body={"username": "a", "password": "b"}).status_code == 415


class TestRequests:
    def test_a_page_reads_and_changes_as_its_person(self, guest):
        assert guest.send("GET", TICKETS).status_code == 200
        assert guest.send("POST", OPEN).status_code == 200
        assert {context.actor.id for _, _, _, context in guest.edge.services.calls} == {"officer@lampung-timur"}
        assert guest.send("GET", "/v1/lampung-tengah/tickets").status_code == 403

    def test_a_token_counts_alone(self, guest):
        assert guest.send("GET", TICKETS, role="auditor").status_code == 200
        assert guest.edge.services.context.actor.role == "auditor"
        answer = guest.send("POST", OPEN, role="supervisor", headers={"Origin": "https://elsewhere.example", "CSRF-Token": None})
        assert answer.status_code == 200, "programs with a token need no proof of a page"
        assert problem_in(guest.send("GET", TICKETS, headers={"Authorization": "Bearer x"}))["code"] == "token_invalid"

    @pytest.mark.parametrize(
        "headers",
        [
            {"CSRF-Token": None},
            {"CSRF-Token": "x"},
            {"CSRF-Token": "é"},
            {"Origin": "https://evil.example"},
            {"Origin": "http://localhost:81"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": None, "Origin": None},
        ],
    )
    @pytest.mark.parametrize(("method", "path"), [("POST", OPEN), ("POST", TICKETS), ("PATCH", "/v1/lampung-timur/sites/sukadana")])
    def test_another_site_cannot_have_it_change_anything(self, guest, headers, method, path):
        body = (
            {"site": "sukadana", "service": "CPL-KTP", "channel": "web"}
            if path == TICKETS
            else {"name": "MPP"}
            if method == "PATCH"
            else None
        )
        guest.edge.services.answers["issue_ticket"] = AssertionError("must not be asked")
        guest.sign_in(session("administrator"))
        guest.methods()
        answer = guest.send(method, path, json_body=body, headers=headers)
        assert (answer.status_code, problem_in(answer)["code"]) == (403, "csrf_refused")
        assert not guest.methods()

    @pytest.mark.parametrize("path", ["/sign-out", "/sign-out/everywhere"])
    def test_another_site_cannot_sign_anybody_out_or_in(self, guest, path):
        for form, headers in (
            ({}, {}),
            ({"csrf_token": "x"}, {}),
            ({"csrf_token": guest.csrf}, {"Origin": "https://evil.example"}),
            ({"csrf_token": guest.csrf}, {"Sec-Fetch-Site": "same-site"}),
        ):
            assert guest.send("POST", path, form=form, headers=headers).status_code == 403
        form = {"username": "a", "password": "b"}
        assert guest.send("POST", "/sign-in", form=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert not guest.methods()

    def test_a_proof_is_good_for_its_own_session_alone(self, guest):
        other = Browser(guest.edge)
        other.sign_in({**session(), "credential": CREDENTIAL[:-1] + "H"})
        assert other.csrf != guest.csrf
        assert guest.send("POST", OPEN, headers={"CSRF-Token": other.csrf}).status_code == 403

    def test_a_cookie_that_is_none_of_ours_is_no_session(self, browser):
        for value in ("x", "~", f"{CREDENTIAL}~x.y.z~", "a b", f"{CREDENTIAL};~"):
            browser.jar = {"mpp-loopback-localhost": value}
            assert browser.send("GET", TICKETS).status_code == 401
        assert "renew_page_session" not in browser.methods()


class TestRenewal:
    def test_a_young_token_is_used_as_it_is(self, guest):
        assert guest.send("GET", TICKETS).status_code == 200
        assert guest.methods() == ["list_tickets"]

    def test_half_way_the_next_one_is_put_into_the_cookie(self, browser):
        browser.sign_in(session(age=301))
        browser.edge.services.answers["renew_page_session"] = newer = session()
        browser.methods()
        assert browser.send("GET", TICKETS).status_code == 200
        assert browser.methods() == ["renew_page_session", "list_tickets"]
        assert newer["access_token"] in "".join(browser.jar.values())
        assert browser.send("POST", OPEN).status_code == 200, "the proof of its pages is the same"
        assert browser.methods() == ["open_counter"]

    def test_tabs_that_still_show_the_old_one_are_served_too(self, browser):
        browser.sign_in(session(age=599, life=600))
        old = dict(browser.jar)
        browser.edge.services.answers["renew_page_session"] = session()
        for _ in range(4):
            browser.jar = dict(old)
            assert browser.send("GET", TICKETS).status_code == 200

    def test_while_the_catalogue_is_away_a_good_token_is_good(self, browser):
        browser.sign_in(session(age=400))
        browser.edge.services.answers["renew_page_session"] = Unavailable("away")
        browser.methods()
        assert [browser.send("GET", TICKETS).status_code for _ in range(3)] == [200] * 3
        assert browser.methods().count("renew_page_session") == 1, "it is not waited for again at once"

    def test_an_expired_one_waits_for_the_catalogue(self, browser):
        browser.sign_in()
        browser.jar = {name: f"{CREDENTIAL}~{session(age=601)['access_token']}" for name in browser.jar}
        browser.edge.services.answers["renew_page_session"] = Unavailable("away")
        assert problem_in(browser.send("GET", TICKETS))["code"] == "service_unavailable"
        browser.edge.services.answers["renew_page_session"] = session()
        assert browser.send("GET", TICKETS).status_code == 200

    def test_when_the_session_is_over_the_cookie_goes(self, browser):
        browser.sign_in(session(age=400))
        browser.edge.services.answers["renew_page_session"] = DomainError("session_ended")
        kept = dict(browser.jar)
        answer = browser.send("GET", TICKETS)
        assert problem_in(answer)["code"] == "token_invalid"
        assert not browser.jar
        browser.jar = dict(kept)
        answer = browser.send("GET", "/account")
        assert (answer.status_code, answer.headers["Location"], browser.jar) == (303, "/sign-in?next=/account", {})

    def test_a_citizen_in_the_same_browser_takes_a_number_all_the_same(self, browser):
        browser.sign_in(session(age=400))
        browser.edge.services.answers["renew_page_session"] = DomainError("session_ended")
        body = {"site": "sukadana", "service": "CPL-KTP", "channel": "web"}
        answer = browser.send("POST", TICKETS, json_body=body)
        assert answer.status_code == 201
        assert browser.edge.services.context.actor.role == "anonymous"

    def test_public_pages_ask_nobody(self, browser):
        browser.sign_in(session(age=400))
        browser.methods()
        assert browser.send("GET", "/v1/lampung-timur/sites").status_code == 200
        assert browser.send("GET", "/static/board.css").status_code == 200
        assert browser.methods() == ["list_sites"]

    def test_asking_for_a_dead_session_is_limited_as_for_anybody(self, edge_with):
        browser = Browser(edge_with(anonymous_rate="3/minute"))
        browser.jar = {"mpp-loopback-localhost": f"{CREDENTIAL}~"}
        browser.edge.services.answers["renew_page_session"] = DomainError("session_ended")
        codes = []
        for _ in range(3):
            browser.jar = {"mpp-loopback-localhost": f"{CREDENTIAL}~"}
            codes.append(browser.send("GET", TICKETS).status_code)
        assert codes[-1] == 429
        assert browser.methods().count("renew_page_session") <= 3


class TestSigningOut:
    @pytest.mark.parametrize(("path", "everywhere"), [("/sign-out", False), ("/sign-out/everywhere", True)])
    def test_it_ends_the_session_and_takes_the_cookie(self, guest, path, everywhere):
        answer = guest.send("POST", path, form={"csrf_token": guest.csrf})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?signed-out=1")
        [(_, method, payload, context)] = guest.edge.services.calls
        assert (method, payload) == ("end_page_session", {"credential": CREDENTIAL, "everywhere": everywhere})
        assert (context.actor.role, context.client) == ("system", "192.0.2.0/24")
        assert not guest.jar
        assert "Anda sudah keluar." in guest.send("GET", answer.headers["Location"]).text

    def test_who_is_signed_out_already_is_led_to_the_form(self, browser):
        answer = browser.send("POST", "/sign-out", form={})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
