"""Signing in with an identity provider, as the browser sees it: where it is sent, what it keeps, and what it is told."""

from __future__ import annotations

import pytest

from services.chassis.errors import DomainError
from services.contracts.problems import PROBLEMS
from tests.unit.gateway.conftest import problem_in
from tests.unit.gateway.test_page_sessions import CREDENTIAL, Browser, session

pytestmark = pytest.mark.unit

AWAY = "https://sso.lampungtimurkab.example/authorize?client_id=mpp"
BACK = "/sign-in/sso-lampung-timur/callback?code=abc&state=def&iss=https%3A%2F%2Fsso.example"
FLOW = "mpp-loopback-localhost-flow"


@pytest.fixture
def browser(edge) -> Browser:
    browser = Browser(edge)
    edge.services.answers["begin_provider_sign_in"] = {"url": AWAY, "flow": "sealed-note"}
    edge.services.answers["finish_provider_sign_in"] = {**session(), "next": "/account?a=b"}
    return browser


@pytest.fixture
def begun(browser) -> Browser:
    """A browser on its way to the provider."""
    browser.send("GET", "/sign-in/sso-lampung-timur?next=/account")
    browser.methods()
    return browser


def test_the_form_offers_the_providers(browser):
    page = browser.send("GET", "/sign-in?next=/boards")
    assert '<a href="/sign-in/sso-lampung-timur?next=/boards">Akun Pegawai Lampung Timur</a>' in page.text
    browser.edge.services.answers["list_identity_providers"] = DomainError("service_unavailable")
    assert "<form" in browser.send("GET", "/sign-in").text, "and stays without them"


def test_a_browser_is_sent_there_with_a_note(browser):
    answer = browser.send("GET", "/sign-in/sso-lampung-timur?next=/account")
    assert (answer.status_code, answer.headers["Location"], answer.headers["Cache-Control"]) == (303, AWAY, "no-store")
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert cookie == f"{FLOW}=sealed-note; Max-Age=600; Path=/; HttpOnly; SameSite=Lax"
    assert browser.edge.services.payload == {"provider": "sso-lampung-timur", "next": "/account"}


def test_it_comes_back_and_is_signed_in(begun):
    answer = begun.send("GET", BACK)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account?a=b")
    [(_, method, payload, context)] = begun.edge.services.calls
    sent = {"code": "abc", "state": "def", "issuer": "https://sso.example"}
    assert (method, payload) == ("finish_provider_sign_in", {"provider": "sso-lampung-timur", "flow": "sealed-note", **sent})
    assert (context.actor.role, context.client) == ("system", "192.0.2.0/24")
    assert list(begun.jar) == ["mpp-loopback-localhost"], "the note is gone"
    assert "officer@lampung-timur" in begun.send("GET", "/account").text


def test_a_session_that_it_showed_before_is_over(browser):
    browser.sign_in()
    browser.send("GET", "/sign-in/sso-lampung-timur")
    browser.methods()
    browser.send("GET", BACK)
    assert browser.methods() == ["finish_provider_sign_in", "end_page_session"]


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/sign-in/x"])
def test_nobody_is_led_elsewhere(begun, elsewhere):
    begun.edge.services.answers["finish_provider_sign_in"] = {**session(), "next": elsewhere}
    assert begun.send("GET", BACK).headers["Location"] == "/account"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("error=access_denied&state=def", "oidc_cancelled"),
        ("error=server_error", "oidc_refused"),
        ("error=%3Cscript%3E", "oidc_refused"),
        ("", "oidc_expired"),
        ("code=abc", "oidc_expired"),
        ("state=def", "oidc_expired"),
        ("code=abc&code=abd&state=def", "oidc_expired"),
        ("code=a%20b&state=def", "oidc_expired"),
        ("code=%00&state=def", "oidc_expired"),
        (f"code={'a' * 2001}&state=def", "oidc_expired"),
        ("a&" * 30, "oidc_expired"),
    ],
)
def test_what_does_not_come_back_as_it_should_is_told_and_asked_of_nobody(begun, query, code):
    answer = begun.send("GET", f"/sign-in/sso-lampung-timur/callback?{query}")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sign-in?problem={code}")
    assert (begun.methods(), begun.jar) == ([], {})
    assert PROBLEMS[code].title("id") in begun.send("GET", answer.headers["Location"]).text


def test_what_this_browser_did_not_begin_is_refused(browser):
    assert browser.send("GET", BACK).headers["Location"] == "/sign-in?problem=oidc_expired"
    assert browser.methods() == []


@pytest.mark.parametrize(
    "code", ["oidc_unavailable", "oidc_expired", "oidc_refused", "oidc_not_admitted", "oidc_account_taken", "account_not_valid"]
)
@pytest.mark.parametrize("language", ["id", "en"])
def test_what_the_catalogue_refuses_is_told_on_the_form(begun, code, language):
    begun.edge.services.answers["finish_provider_sign_in"] = DomainError(code)
    answer = begun.send("GET", BACK)
    assert (answer.headers["Location"], begun.jar) == (f"/sign-in?problem={code}", {})
    page = begun.send("GET", answer.headers["Location"], headers={"Accept-Language": language})
    assert (page.status_code, f'role="alert">{PROBLEMS[code].title(language)}' in page.text) == (PROBLEMS[code].status, True)
    assert "<form" in page.text


def test_a_provider_that_is_away_or_unknown(browser):
    for code in ("oidc_unavailable", "oidc_unknown"):
        browser.edge.services.answers["begin_provider_sign_in"] = DomainError(code)
        assert browser.send("GET", "/sign-in/sso-lampung-timur").headers["Location"] == f"/sign-in?problem={code}"
    browser.methods()
    assert browser.send("GET", "/sign-in/UPPER").headers["Location"] == "/sign-in?problem=oidc_unknown"
    assert browser.methods() == []


def test_no_other_problem_can_be_put_on_the_form(browser):
    for problem in ("unexpected", "%3Cscript%3E", "credentials_invalid"):
        page = browser.send("GET", f"/sign-in?problem={problem}")
        assert (page.status_code, "alert" in page.text) == (200, False)


def test_every_attempt_counts(edge_with):
    browser = Browser(edge_with(login_rate="2/minute"))
    browser.edge.services.answers["begin_provider_sign_in"] = {"url": AWAY, "flow": "sealed-note"}
    where = [browser.send("GET", "/sign-in/sso-lampung-timur").headers["Location"] for _ in range(3)]
    assert where == [AWAY, AWAY, "/sign-in?problem=rate_limited"]


def test_without_tls_elsewhere_there_is_none(browser):
    for path in ("/sign-in/sso-lampung-timur", BACK):
        assert browser.send("GET", path, headers={"Host": "mpp.example.id"}).status_code == 403
    assert browser.methods() == []


def test_who_signs_out_here_is_led_to_sign_out_there(begun):
    begun.send("GET", BACK)
    begun.csrf = ""
    begun.sign_in({**session(), "credential": CREDENTIAL})
    there = "https://sso.lampungtimurkab.example/logout?client_id=mpp&x=%22"
    begun.edge.services.answers["end_page_session"] = {"ended": 1, "logout_url": there}
    answer = begun.send("POST", "/sign-out", form={"csrf_token": begun.csrf})
    assert (answer.status_code, answer.headers["Refresh"], begun.jar) == (200, f"0; url={there}", {})
    assert f'href="{there.replace("&", "&amp;")}"' in answer.text
    assert "form-action 'none'" in answer.headers["Content-Security-Policy"]


def test_programs_read_the_list(edge):
    answer = edge.send("GET", "/v1/auth/oidc", headers={"Accept-Language": "en"})
    assert answer.json["items"][0]["id"] == "sso-lampung-timur"
    assert edge.services.context.locale == "en"
    edge.services.answers["list_identity_providers"] = DomainError("service_unavailable")
    assert problem_in(edge.send("GET", "/v1/auth/oidc"))["code"] == "service_unavailable"
