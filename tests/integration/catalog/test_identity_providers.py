"""Signing in with a real OpenID provider, which runs beside: what its claims give here, and what they cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from services.catalog.domain import CatalogError
from services.catalog.identity_providers import exchange
from services.catalog.usecases import entities
from services.catalog.usecases.identity import SECONDS_TO_SIGN_IN, IdentityProviders
from services.catalog.usecases.page_sessions import PageSessions
from services.catalog.usecases.sessions import Sessions
from services.chassis.context import SYSTEM, CallContext
from services.chassis.delivery_settings import DeliverySettings
from services.chassis.settings import Settings
from services.contracts import catalog as contracts
from tests.integration.catalog.hall import SECRET, Hall, claims_of
from tests.platform.identity_provider import IdentityProvider, key

pytestmark = pytest.mark.integration

PUBLIC = "http://127.0.0.1:1"
NIK = "1807014506900003"


@pytest.fixture(scope="module")
def op(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    """The provider."""
    with provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


def provider(folder: Path, algorithm: str = "RS256", **options: Any) -> IdentityProvider:
    made = IdentityProvider(folder, algorithm, **options)
    made.redirect_uris = [f"{PUBLIC}/sign-in/sso/callback", f"{PUBLIC}/sign-in/second/callback"]
    made.post_logout_redirect_uris = [f"{PUBLIC}/sign-in"]
    return made


class Site:
    """A regency whose people sign in with the provider."""

    def __init__(self, hall: Hall, op: IdentityProvider, folder: Path, **configured: Any) -> None:
        self.hall, self.op = hall, op
        rules = [
            {"claim": "groups", "values": ["mpp-pengawas"], "regency": hall.regency, "role": "supervisor"},
            {"claim": "groups", "values": ["mpp-loket"], "regency": hall.regency, "role": "officer", "counters": None},
            {"claim": "realm_access.roles", "values": ["auditor"], "regency": hall.regency, "role": "auditor"},
        ]
        facts = {"name": "Akun Pegawai", "issuer": op.issuer, "client_id": op.client_id, "accounts": "create"}
        entry = {"id": "sso", **facts, "regencies": [hall.regency], "rules": rules, **configured}
        file = folder / "providers.yaml"
        file.write_text(yaml.safe_dump({"providers": [entry]}))
        settings = Settings(
            token_secrets=(SECRET,),
            oidc_providers=str(file),
            oidc_secrets={"sso": op.client_secret},
            delivery=DeliverySettings(public_url=PUBLIC),
        )
        self.providers = IdentityProviders(settings, PageSessions(settings, Sessions(settings)))
        self.context = CallContext(None, SYSTEM, client="192.0.2.0/24")

    def begin(self) -> dict[str, Any]:
        data = contracts.BeginProviderSignIn().load({"provider": "sso", "next": "/account"})
        begun = self.providers.begin(data)
        return contracts.ProviderSignInBegun().load(begun)

    def finish(self, note: str, sent_back: dict[str, str], **changed: Any) -> dict[str, Any]:
        payload = {"provider": "sso", "flow": note, "code": sent_back["code"], "state": sent_back["state"], "issuer": sent_back["iss"]}
        data = contracts.FinishProviderSignIn().load({**payload, **changed})
        answer = self.providers.finish(self.hall.database, self.context.within(20), data)
        return contracts.ProviderSignedIn().load(answer)

    def sign_in(self, login: str) -> dict[str, Any]:
        begun = self.begin()
        return self.finish(begun["flow"], self.op.sign_in(begun["url"], login, "rahasia"))

    def refused(self, login: str, **changed: Any) -> str:
        begun = self.begin()
        sent_back = self.op.sign_in(begun["url"], login, "rahasia")
        return code_of(lambda: self.finish(begun["flow"], sent_back, **changed))

    def new_person(self, *groups: str, login: str | None = None, **claims: Any) -> str:
        name = login or f"person{len(self.op.people)}"
        self.op.add(name, "rahasia", **{"preferred_username": name, "name": "Dewi  Anggraini", "groups": list(groups), **claims})
        self.op.write()
        return name

    def account(self, name: str) -> dict[str, Any]:
        with self.hall.database.regency_work(self.hall.regency) as work:
            return entities.get(work, "account", f"{name}@{self.hall.regency}")

    def audit(self) -> list[tuple[str, str, str]]:
        with self.hall.database.regency_work(self.hall.regency) as work:
            rows = work.execute(text("SELECT actor, action, subject FROM audit_log ORDER BY id"))
            return [(row.actor, row.action, row.subject) for row in rows]


@pytest.fixture
def site_with(hall: Hall, op: IdentityProvider, tmp_path: Path) -> Callable[..., Site]:
    return lambda **configured: Site(hall, op, tmp_path, **configured)


@pytest.fixture
def site(site_with) -> Site:
    return site_with()


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(CatalogError) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_whom_a_rule_admits_has_an_account_and_a_session(hall, tmp_path, algorithm):
    with provider(tmp_path / "op", algorithm) as op:
        site = Site(hall, op, tmp_path)
        name = site.new_person("somewhere-else", "mpp-loket")
        page = site.sign_in(name)
    claims = claims_of(page)
    assert (claims["sub"], claims["role"], claims["regency"]) == (f"{name}@{hall.regency}", "officer", hall.regency)
    assert page["next"] == "/account"
    assert site.account(name)["display_name"] == "Dewi Anggraini"
    assert hall.renew(page)
    actor = f"sso.sso@{hall.regency}"
    assert [row for row in site.audit() if row[0] == actor] == [(actor, "create_account", f"{name}@{hall.regency}")]
    assert (f"{name}@{hall.regency}", "sign_in") in [row[:2] for row in site.audit()]


def test_who_comes_again_is_the_same_account_whatever_they_are_called_now(site, hall):
    name = site.new_person("mpp-loket")
    first = site.sign_in(name)
    site.new_person("mpp-loket", login=name, preferred_username="another.name")
    second = site.sign_in(name)
    assert claims_of(first)["sub"] == claims_of(second)["sub"]
    assert claims_of(first)["sid"] != claims_of(second)["sid"]
    assert hall.renew(first), "and both sessions go on"


def test_other_groups_are_other_rights_from_the_next_sign_in_on(site, hall):
    name = site.new_person("mpp-loket")
    officer = site.sign_in(name)
    site.new_person("mpp-pengawas", login=name)
    assert claims_of(site.sign_in(name))["role"] == "supervisor"
    assert hall.is_void(officer)
    assert code_of(lambda: hall.renew(officer)) == "session_ended"
    assert site.account(name)["role"] == "supervisor"
    site.new_person(login=name, realm_access={"roles": ["x", "auditor"]})
    assert claims_of(site.sign_in(name))["role"] == "auditor"


@pytest.mark.parametrize("groups", [[], ["mpp"], "mpp", {"mpp-loket": 1}, [["mpp-loket"]]])
def test_who_lost_them_is_signed_out_and_not_admitted(site, hall, groups):
    name = site.new_person("mpp-loket")
    before = site.sign_in(name)
    site.new_person(login=name, groups=groups)
    assert site.refused(name) == "oidc_not_admitted"
    assert hall.is_void(before)
    assert code_of(lambda: hall.renew(before)) == "session_ended"


def test_a_stranger_leaves_nothing_behind(site, hall):
    name = site.new_person("mpp-somewhere")
    assert site.refused(name) == "oidc_not_admitted"
    assert code_of(lambda: site.account(name)) == "account_unknown"


def test_a_code_is_good_once(site, hall):
    begun = site.begin()
    sent_back = site.op.sign_in(begun["url"], site.new_person("mpp-loket"), "rahasia")
    assert site.finish(begun["flow"], sent_back)
    assert code_of(lambda: site.finish(begun["flow"], sent_back)) == "oidc_refused"


def test_a_code_of_another_browser_is_refused(site):
    """The thief has the address with code and state, but not the cookie; or his own cookie, and its state."""
    name = site.new_person("mpp-loket")
    victim, thief = site.begin(), site.begin()
    sent_back = site.op.sign_in(victim["url"], name, "rahasia")
    assert code_of(lambda: site.finish(thief["flow"], sent_back)) == "oidc_expired"
    own = site.op.sign_in(thief["url"], name, "rahasia")
    assert code_of(lambda: site.finish(thief["flow"], {**own, "code": sent_back["code"]})) == "oidc_refused", (
        "PKCE: the verifier is another"
    )


def test_what_was_not_begun_here_is_refused(site):
    name = site.new_person("mpp-loket")
    assert site.refused(name, state="A" * 43) == "oidc_expired"
    assert site.refused(name, flow="gAAAAABkZmxvdw") == "oidc_expired"
    assert site.refused(name, code="no-such-code") == "oidc_refused"
    assert site.refused(name, provider="nobody") == "oidc_unknown"


def test_what_was_begun_long_ago_is_refused(site, monkeypatch):
    begun = site.begin()
    sent_back = site.op.sign_in(begun["url"], site.new_person("mpp-loket"), "rahasia")
    then = time.time()
    monkeypatch.setattr(time, "time", lambda: then + SECONDS_TO_SIGN_IN + 1)
    assert code_of(lambda: site.finish(begun["flow"], sent_back)) == "oidc_expired"


@pytest.mark.parametrize("issuer", ["https://evil.example", None])
def test_the_answer_of_another_provider_is_refused(site, issuer):
    """Mix-up (RFC 9207): this one says who it is, so an answer without that is another's too."""
    assert site.refused(site.new_person("mpp-loket"), issuer=issuer) == "oidc_refused"


def test_a_note_is_good_for_its_own_provider_alone(site_with, hall, op, tmp_path):
    site = site_with()
    file = tmp_path / "providers.yaml"
    document = yaml.safe_load(file.read_text())
    document["providers"].append({**document["providers"][0], "id": "second", "client_id": "another"})
    file.write_text(yaml.safe_dump(document))
    settings = Settings(
        token_secrets=(SECRET,),
        oidc_providers=str(file),
        oidc_secrets={"sso": op.client_secret, "second": "x"},
        delivery=DeliverySettings(public_url=PUBLIC),
    )
    site.providers = IdentityProviders(settings, PageSessions(settings, Sessions(settings)))
    assert site.refused(site.new_person("mpp-loket"), provider="second") == "oidc_expired"


def test_its_keys_change_and_people_go_on_signing_in(hall, tmp_path, monkeypatch):
    op = provider(tmp_path / "op")
    with op:
        site = Site(hall, op, tmp_path)
        name = site.new_person("mpp-loket")
        assert site.sign_in(name)
    op.keys = [key("RS256"), *op.keys[1:]]
    monkeypatch.setattr(exchange, "KEYS_PAUSE_SECONDS", 0.0)
    with op:
        assert site.sign_in(name)


def test_while_it_is_away_that_is_said_and_passwords_work(hall, tmp_path):
    op = provider(tmp_path / "op")
    with op:
        site = Site(hall, op, tmp_path)
        name = site.new_person("mpp-loket")
        page = site.sign_in(name)
        begun = site.begin()
        sent_back = op.sign_in(begun["url"], name, "rahasia")
    assert code_of(lambda: site.finish(begun["flow"], sent_back)) == "oidc_unavailable"
    fresh = Site(hall, op, tmp_path)
    assert code_of(fresh.begin) == "oidc_unavailable"
    assert hall.sign_in_on_page(), "with a password"
    assert hall.renew(page), "and who was signed in with it goes on"


def test_a_name_that_somebody_has_here_is_not_given_to_anybody_there(site, hall):
    """`sari` is an account with a password: whoever calls themselves that at the provider is somebody else."""
    site.new_person("mpp-pengawas", login="sari")
    assert site.refused("sari") == "oidc_account_taken"
    assert site.account("sari")["role"] == "officer"
    site.new_person("mpp-pengawas", login="kios")
    assert site.refused("kios") == "oidc_account_taken", "devices share the space of names"


def test_two_people_there_are_not_one_here(site):
    first = site.new_person("mpp-loket", preferred_username="Budi Santoso")
    second = site.new_person("mpp-loket", preferred_username="budi.santoso")
    assert claims_of(site.sign_in(first))["sub"] == f"budi.santoso@{site.hall.regency}"
    assert site.refused(second) == "oidc_account_taken"


def test_accounts_that_exist_are_linked_where_that_is_the_policy(site_with, hall):
    site = site_with(accounts="existing")
    site.new_person("mpp-loket", login="subject-1", preferred_username="sari")
    assert claims_of(site.sign_in("subject-1"))["sub"] == f"sari@{hall.regency}"
    site.new_person("mpp-loket", login="subject-2", preferred_username="sari")
    assert site.refused("subject-2") == "oidc_account_taken"
    site.new_person("mpp-loket", login="subject-3", preferred_username="ketut")
    assert site.refused("subject-3") == "oidc_not_admitted", "an administrator here, for whom no rule opens this door"
    for named in ("SARI", "sari@elsewhere.example", "nobody", "kios", ""):
        other = site.new_person("mpp-loket", preferred_username=named)
        assert site.refused(other) == "oidc_not_admitted"
    hall.change("account", "sari", agencies=[])
    assert claims_of(site.sign_in("subject-1"))["agencies"] == [], "rights are what the administrator says"


def test_who_was_deactivated_here_stays_out(site, hall):
    name = site.new_person("mpp-loket")
    site.sign_in(name)
    hall.change("account", name, active=False)
    assert site.refused(name) == "oidc_not_admitted"
    assert site.account(name)["active"] is False


def test_days_of_an_assignment_count(site, hall):
    name = site.new_person("mpp-loket")
    site.sign_in(name)
    hall.change("account", name, valid_until="2020-01-01")
    assert site.refused(name) == "account_not_valid"


def test_a_rule_that_names_what_is_not_there_admits_nobody(site_with, hall):
    rules = [{"claim": "groups", "values": ["mpp-loket"], "regency": hall.regency, "role": "officer", "agencies": ["NIX"]}]
    site = site_with(rules=rules)
    name = site.new_person("mpp-loket")
    assert site.refused(name) == "oidc_not_admitted"
    assert code_of(lambda: site.account(name)) == "account_unknown"


def test_a_rule_for_a_regency_that_is_not_there_admits_nobody(site_with):
    rules = [{"claim": "groups", "values": ["mpp-loket"], "regency": "not-there-yet", "role": "officer"}]
    site = site_with(rules=rules, regencies=["not-there-yet"])
    assert site.refused(site.new_person("mpp-loket")) == "oidc_not_admitted"
    assert site.refused(site.new_person("somewhere")) == "oidc_not_admitted"


def test_no_nik_is_kept(site, hall):
    site.new_person("mpp-loket", login=NIK)
    page = site.sign_in(NIK)
    assert claims_of(page)["sub"].startswith("sso-")
    with hall.database.regency_work(hall.regency) as work:
        tables = work.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")).scalars().all()
        assert "identity" in tables
        for table in tables:
            if work.execute(text("SELECT has_table_privilege(:name, 'SELECT')"), {"name": table}).scalar():
                rows = work.execute(text(f'SELECT t::text FROM "{table}" t')).scalars()
                assert not [row for row in rows if NIK in row or NIK.encode().hex() in row], table


def test_claims_from_userinfo(hall, tmp_path):
    with provider(tmp_path / "op", claimsOnlyFromUserinfo=True) as op:
        site = Site(hall, op, tmp_path)
        name = site.new_person("mpp-loket")
        assert site.refused(name) == "oidc_not_admitted", "its ID tokens say nothing of groups"
        site = Site(hall, op, tmp_path, claims_from="userinfo")
        assert claims_of(site.sign_in(name))["role"] == "officer"


def test_a_session_may_be_shorter(site_with):
    site = site_with(session_hours=1)
    assert site.sign_in(site.new_person("mpp-loket"))["ends_in"] == 3600


def test_signing_out_tells_where_to_sign_out_as_well(site, hall):
    page = site.sign_in(site.new_person("mpp-loket"))
    data = contracts.EndPageSession().load({"credential": page["credential"]})
    answer = contracts.PageSessionEnded().load(site.providers.sign_out(hall.database, site.context, data))
    assert answer["ended"] == 1
    assert answer["logout_url"].startswith(f"{site.op.issuer}/session/end?client_id=mpp&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1")
    local = contracts.EndPageSession().load({"credential": hall.sign_in_on_page()["credential"]})
    assert site.providers.sign_out(hall.database, site.context, local) == {"ended": 1, "logout_url": None}
