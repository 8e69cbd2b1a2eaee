"""Identity providers: whom their claims admit, with which rights and name; and which configurations are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.catalog.domain.providers import GrantRule, Provider, display_name, existing_account, granted, new_account
from services.catalog.identity_providers.configuration import is_fetchable, providers_of
from services.chassis.delivery_settings import DeliverySettings
from services.chassis.settings import Settings, SettingsError
from services.contracts import shapes
from tests.handbook.pages import blocks

pytestmark = pytest.mark.unit

HOME = "lampung-timur"
RULES = (
    GrantRule("groups", frozenset({"head", "deputy"}), HOME, "supervisor"),
    GrantRule("groups", frozenset({"counter"}), HOME, "officer", ("CPL",), ("sukadana-05",)),
    GrantRule("realm_access.roles", frozenset({"audit"}), HOME, "auditor"),
    GrantRule("https://example.id/roles", frozenset({"desk"}), HOME, "front_desk"),
)
PROVIDER = Provider("sso", {"id": "SSO", "en": "SSO"}, "https://sso.example.id", "mpp", RULES, (HOME,))


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["counter"]}, "officer"),
        ({"groups": "counter"}, "officer"),
        ({"groups": ["counter", "deputy"]}, "supervisor"),
        ({"realm_access": {"roles": ["audit", 7, None]}}, "auditor"),
        ({"https://example.id/roles": ["desk"]}, "front_desk"),
        ({}, None),
        ({"groups": ["counters", "COUNTER", " counter"]}, None),
        ({"groups": {"counter": True}}, None),
        ({"groups": [["counter"]]}, None),
        ({"groups": None, "realm_access": ["audit"]}, None),
        ({"realm_access": {"roles": {"audit": 1}}}, None),
        ({"role": "administrator", "regency": HOME}, None),
    ],
)
def test_the_first_rule_that_matches_gives_rights_and_nothing_else_does(claims, role):
    rule = granted(PROVIDER, claims)
    assert (rule and rule.role) == role
    if role == "officer":
        assert rule is not None
        assert (rule.agencies, rule.counters) == (("CPL",), ("sukadana-05",))


@pytest.mark.parametrize(
    ("named", "local"),
    [
        ("sari.dewi", "sari.dewi"),
        ("Sari.Dewi@lampungtimur.example", "sari.dewi"),
        ("Sari  Dewi", "sari.dewi"),
        ("sari--dewi", "sari.dewi"),
        ("1807014506900003", None),
        ("nik-1807014506900003", None),
        ("ñ", None),
        ("", None),
        (None, None),
        (["sari"], None),
        ("x" * 80, "x" * 40),
    ],
)
def test_somebody_new_is_called_what_they_are_called_there_if_that_is_a_name(named, local):
    account = new_account(PROVIDER, {"preferred_username": named}, bytes(range(32)), HOME)
    assert account == f"{local or 'sso-000102030405'}@{HOME}"
    assert shapes.ACCOUNT_ID.regex.fullmatch(account)


@pytest.mark.parametrize(
    ("named", "account"),
    [
        ("sari", f"sari@{HOME}"),
        (f"sari@{HOME}", f"sari@{HOME}"),
        ("Sari", None),
        ("sari@elsewhere", None),
        (f"sari@{HOME}@{HOME}", None),
        ("sari dewi", None),
        ("", None),
        (None, None),
    ],
)
def test_an_account_that_exists_is_meant_exactly_or_not_at_all(named, account):
    assert existing_account(PROVIDER, {"preferred_username": named}, HOME) == account


def test_names_of_people_are_one_line():
    assert display_name({"name": " Dewi\n Anggraini "}, "x") == "Dewi Anggraini"
    assert display_name({"name": "a\x00b"}, "x") == display_name({"name": ["a"]}, "x") == display_name({}, "x") == "x"
    assert len(display_name({"name": "a" * 500}, "x")) == 100


ENTRY: dict[str, Any] = {
    "id": "sso-lampung",
    "name": {"id": "Akun Pegawai", "en": "Staff account"},
    "issuer": "https://sso.example.id/realms/mpp",
    "client_id": "mpp",
    "regencies": [HOME],
    "rules": [{"claim": "groups", "values": ["loket"], "regency": HOME, "role": "officer", "agencies": ["CPL"]}],
}


def settings(folder: Path, *entries: Any, **changed: Any) -> Settings:
    file = folder / "providers.yaml"
    file.write_text(yaml.safe_dump({"providers": list(entries)}))
    usual = {"oidc_secrets": {"sso-lampung": "s3cret"}, "delivery": DeliverySettings(public_url="https://mpp.example.id")}
    return Settings(**{"oidc_providers": str(file), **usual, **changed})


def test_what_is_configured(tmp_path):
    [provider] = providers_of(settings(tmp_path, ENTRY)).values()
    assert (provider.client_secret, provider.accounts, provider.authentication) == ("s3cret", "existing", "basic")
    assert provider.rules == (GrantRule("groups", frozenset({"loket"}), HOME, "officer", ("CPL",)),)
    assert "s3cret" not in repr(provider), "it must not come into a log"
    assert providers_of(Settings()) == {}


def test_the_example_of_the_handbook_is_a_configuration(tmp_path):
    [example], [variables] = blocks("oidc", "yaml"), blocks("oidc", "text")
    entries = yaml.safe_load(example)["providers"]
    settings_of = Settings.from_environment(dict(line.split("=", 1) for line in variables.split()))
    found = providers_of(settings(tmp_path, *entries, oidc_secrets=settings_of.oidc_secrets, delivery=settings_of.delivery))
    assert [provider.id for provider in found.values()] == ["sso-lampung-timur"]
    assert settings_of.oidc_providers == "/oidc/providers.yaml"


RULE = ENTRY["rules"][0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"issuer": "http://sso.example.id"}, "issuer"),
        ({"issuer": "https://sso.example.id?x=1"}, "issuer"),
        ({"issuer": "https://user@sso.example.id"}, "issuer"),
        ({"id": "SSO"}, "id"),
        ({"rules": []}, "admits nobody"),
        ({"rules": [{**RULE, "regency": "lampung-tengah"}]}, "none of its regencies"),
        ({"rules": [{**RULE, "role": "operator"}]}, "role must be"),
        ({"rules": [{**RULE, "role": "kiosk"}]}, "role must be"),
        ({"rules": [{**RULE, "role": "consumer"}]}, "role must be"),
        ({"rules": [{**RULE, "values": []}]}, "values"),
        ({"rules": [{**RULE, "values": "loket"}]}, "values"),
        ({"rules": [{**RULE, "values": [True]}]}, "values"),
        ({"rules": [{**RULE, "agency": "CPL"}]}, "agency means nothing"),
        ({"rules": [{**RULE, "agencies": []}]}, "agencies"),
        ({"regencies": []}, "regencies"),
        ({"regencies": HOME}, "regencies"),
        ({"acounts": "create"}, "acounts means nothing"),
        ({"accounts": "all"}, "accounts must be"),
        ({"authentication": "none"}, "MPP_OIDC_SECRET_SSO_LAMPUNG"),
        ({"scopes": ["profile"]}, "openid"),
        ({"session_hours": 24}, "session_hours"),
        ({"session_hours": True}, "session_hours"),
        ({"name": {"id": "x"}}, "name"),
        ({"client_id": ""}, "client_id"),
    ],
)
def test_a_configuration_that_could_mean_something_else_is_refused(tmp_path, changed, said):
    with pytest.raises(SettingsError, match="MPP_OIDC_PROVIDERS") as caught:
        providers_of(settings(tmp_path, {**ENTRY, **changed}))
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(SettingsError, match="MPP_OIDC_SECRET_SSO_LAMPUNG must be set"):
        providers_of(settings(tmp_path, ENTRY, oidc_secrets={}))
    with pytest.raises(SettingsError, match="MPP_PUBLIC_URL"):
        providers_of(settings(tmp_path, ENTRY, delivery=DeliverySettings()))
    with pytest.raises(SettingsError, match="cannot be read"):
        providers_of(replace(settings(tmp_path, ENTRY), oidc_providers=str(tmp_path / "none.yaml")))
    for entries in ([ENTRY, ENTRY], [None], ["x"], [{**ENTRY, "rules": None}], [[ENTRY]]):
        with pytest.raises(SettingsError, match="MPP_OIDC_PROVIDERS"):
            providers_of(settings(tmp_path, *entries))


@pytest.mark.parametrize(
    ("url", "issuer", "usable"),
    [
        ("https://login.example.id/token", "https://sso.example.id", True),
        ("http://127.0.0.1:3000/token", "http://127.0.0.1:3000", True),
        ("http://127.0.0.1/token", "https://sso.example.id", False),
        ("http://169.254.169.254/token", "http://127.0.0.1:3000", False),
        ("http://sso.example.id/token", "https://sso.example.id", False),
        ("file:///etc/passwd", "https://sso.example.id", False),
        ("https:///token", "https://sso.example.id", False),
        ("https://user:pass@sso.example.id/", "https://sso.example.id", False),
        ("https://sso.example.id/\r\nX: y", "https://sso.example.id", False),
        (None, "https://sso.example.id", False),
    ],
)
def test_only_addresses_by_tls_are_asked(url, issuer, usable):
    assert is_fetchable(url, issuer) is usable
