"""Signing in with an identity provider in a real browser, through a gateway: there, back, at work, taken back, and out again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.platform.browser import browser
from tests.platform.deployment import DeployedPlatform
from tests.platform.identity_provider import IdentityProvider
from tests.platform.journeys import OKU_TIMUR
from tests.platform.page_browser import PageBrowser
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

HALL = OKU_TIMUR
REVOKED_WITHIN_SECONDS = 5.0
SECRET = "rahasia"


@dataclass
class Office:
    """The platform with an identity provider beside it."""

    platform: DeployedPlatform
    op: IdentityProvider

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.platform.http_ports[0]}"

    def person(self, login: str, *groups: str) -> str:
        self.op.add(login, SECRET, preferred_username=login, name="Rina Wati", groups=list(groups))
        self.op.write()
        return f"{login}@{HALL.regency}"


@pytest.fixture(scope="module")
def office(deployed_platform: DeployedPlatform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Officers of one regency sign in with the provider."""
    folder = tmp_path_factory.mktemp("oidc")
    op = IdentityProvider(folder / "provider", "ES256")
    public_url = f"http://127.0.0.1:{deployed_platform.http_ports[0]}"
    op.redirect_uris, op.post_logout_redirect_uris = [f"{public_url}/sign-in/pegawai/callback"], [f"{public_url}/sign-in"]
    rule = {"claim": "groups", "values": ["mpp-loket"], "regency": HALL.regency, "role": "officer"}
    names = {"name": {"id": "Akun Pegawai OKU Timur", "en": "OKU Timur staff account"}, "regencies": [HALL.regency], "rules": [rule]}
    entry = {"id": "pegawai", "issuer": op.issuer, "client_id": op.client_id, "accounts": "create", **names}
    file = folder / "providers.yaml"
    file.write_text(yaml.safe_dump({"providers": [entry]}))
    environment = {"MPP_OIDC_PROVIDERS": str(file), "MPP_OIDC_SECRET_PEGAWAI": op.client_secret, "MPP_PUBLIC_URL": public_url}
    with op, deployed_platform.catalog_with(**environment):
        eventually(lambda: deployed_platform.client().get("/v1/auth/oidc").body["items"], within=30)
        yield Office(deployed_platform, op)


def fill_in(page: Page, login: str) -> None:
    """Sign in at the provider."""
    expect(page.get_by_role("heading", name="Identity provider")).to_be_visible()
    page.get_by_label("Login").fill(login)
    page.get_by_label("Secret").fill(SECRET)
    page.get_by_role("button", name="Sign in").click()


def test_there_and_back_and_out_again(office: Office):
    account = office.person("rina", "mpp-loket")
    with browser() as chromium:
        context = chromium.new_context(locale="id")
        page = context.new_page()
        page.goto(f"{office.origin}/account")
        page.get_by_role("link", name="Akun Pegawai OKU Timur").click()
        page.wait_for_url(f"{office.op.issuer}/**")
        fill_in(page, "rina")
        expect(page.get_by_text(account)).to_be_visible()
        assert page.url == f"{office.origin}/account"
        [cookie] = [each for each in context.cookies(office.origin) if each["name"].startswith("mpp-")]
        assert cookie["httpOnly"]
        csrf = page.locator("input[name=csrf_token]").first.get_attribute("value")
        change = "async ([path, csrf]) => (await fetch(path, {method: 'POST', headers: {'CSRF-Token': csrf}})).status"
        assert page.evaluate(change, [f"{HALL.path}/counters/{HALL.counters[1]}/open", csrf]) == 200

        page.get_by_role("button", name="Keluar", exact=True).click()
        page.wait_for_url(f"{office.op.issuer}/session/end**")
        page.get_by_role("button", name="Yes").click()
        page.wait_for_url(f"{office.origin}/sign-in**")
        assert not [each for each in context.cookies(office.origin) if each["name"].startswith("mpp-")]
        page.get_by_role("link", name="Akun Pegawai OKU Timur").click()
        expect(page.get_by_role("heading", name="Identity provider")).to_be_visible()  # signed out there, too


def test_who_changes_their_mind_or_is_not_admitted_is_told(office: Office):
    office.person("tamu", "somewhere")
    with browser() as chromium:
        page = chromium.new_context(locale="en").new_page()
        page.goto(f"{office.origin}/sign-in/pegawai")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).to_contain_text("The sign-in was cancelled")
        page.get_by_role("link", name="OKU Timur staff account").click()
        fill_in(page, "tamu")
        expect(page.get_by_role("alert")).to_contain_text("Your account has no access to this platform")
        assert page.url == f"{office.origin}/sign-in?problem=oidc_not_admitted"


def test_it_is_revoked_like_any_other_on_both_gateways(office: Office):
    account = office.person("dewi", "mpp-loket")
    platform = office.platform
    with PageBrowser(platform.http_ports[0]) as here, PageBrowser(platform.http_ports[1]) as there:
        begun = here.get("/sign-in/pegawai?next=/account")
        sent_back = office.op.sign_in(begun.headers["location"], "dewi", SECRET)
        back = here.come_back("/sign-in/pegawai/callback", sent_back)
        assert (back.status_code, back.headers["location"]) == (303, "/account")
        there.cookie = here.cookie
        tickets = f"{HALL.path}/tickets"
        assert [each.get(tickets).status_code for each in (here, there)] == [200, 200]
        again = here.come_back("/sign-in/pegawai/callback", sent_back)
        assert again.headers["location"] == "/sign-in?problem=oidc_expired", "the note is spent"
        platform.client(f"admin@{HALL.regency}").patch(f"{HALL.path}/accounts/{account}", {"active": False})
        held = here.cookie

        def refused() -> list[int]:
            for each in (here, there):
                each.cookie = held
            return [each.get(tickets).status_code for each in (here, there)]

        eventually(lambda: refused() == [401, 401], within=REVOKED_WITHIN_SECONDS)


def test_while_the_provider_is_away_passwords_work(office: Office):
    account = f"officer@{HALL.regency}"
    office.op.stop()
    try:
        with PageBrowser(office.platform.http_ports[0]) as visitor:
            sent = visitor.get("/sign-in/pegawai").headers["location"]  # its description is known: the browser finds nobody there
            assert sent.startswith(office.op.issuer)
            assert visitor.sign_in(account, office.platform.passwords[account]).status_code == 303
    finally:
        office.op.start()
