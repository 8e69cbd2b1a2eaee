"""Reads the file that `MPP_OIDC_PROVIDERS` names. Secrets stand in the environment: `MPP_OIDC_SECRET_<ID>`.

`deploy/operations/oidc.md` explains it with an example. A mistake in it keeps the service from starting, with one sentence: who
would be admitted by half a rule is nothing to guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from services.catalog.domain.providers import GrantRule, Provider
from services.chassis.settings import Settings, SettingsError
from services.contracts.authorisation import ROLES_OF_PEOPLE

_ID = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,59}")
_CODE = re.compile(r"[A-Za-z0-9-]{1,60}")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

_MEMBERS = frozenset(
    {
        *("id", "name", "issuer", "client_id", "authentication", "scopes", "accounts", "account_claim", "claims_from", "prompt"),
        *("session_hours", "regencies", "rules"),
    }
)
_RULE_MEMBERS = frozenset({"claim", "values", "regency", "role", "agencies", "counters"})


def providers_of(settings: Settings) -> dict[str, Provider]:
    """Return the configured providers by id; raises ``SettingsError`` for what is no usable configuration."""
    if not settings.oidc_providers:
        return {}
    if not settings.delivery.public_url:
        raise SettingsError("MPP_PUBLIC_URL is not set: identity providers send people back to it.")
    path = Path(settings.oidc_providers)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        listed = document["providers"]
        found = [_provider(entry, settings.oidc_secrets) for entry in listed]
    except OSError as error:
        raise SettingsError(f"MPP_OIDC_PROVIDERS: {path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = str(error) if isinstance(error, _Mistake) else f"it is no list of providers ({type(error).__name__})"
        raise SettingsError(f"MPP_OIDC_PROVIDERS: {path}: {reason}.") from error
    providers = {provider.id: provider for provider in found}
    if len(providers) != len(found) or len({(each.issuer, each.client_id) for each in found}) != len(found):
        raise SettingsError(f"MPP_OIDC_PROVIDERS: {path}: an id, or an issuer with the same client, stands there twice.")
    return providers


class _Mistake(ValueError):
    """Says what is wrong, without a full stop."""


def _provider(entry: Mapping[str, Any], secrets: Mapping[str, str]) -> Provider:
    identifier = entry["id"]
    _check(isinstance(identifier, str) and _ID.fullmatch(identifier), f"id {identifier!r} must be small letters, digits and hyphens")
    unknown = sorted(set(entry) - _MEMBERS)
    _check(not unknown, f"{identifier}: {', '.join(unknown)} means nothing here")
    issuer = entry["issuer"]
    _check(is_fetchable(issuer, issuer), f"{identifier}: issuer must be an https address without query")
    authentication = _one_of(entry, "authentication", ("basic", "post", "none"))
    secret = secrets.get(identifier, "")
    variable = f"MPP_OIDC_SECRET_{identifier.upper().replace('-', '_')}"
    _check(bool(secret) != (authentication == "none"), f"{identifier}: {variable} must be set, unless authentication is none")
    regencies = _texts(entry.get("regencies"), _SLUG, f"{identifier}: regencies")
    rules = tuple(_rule(identifier, rule, regencies) for rule in entry["rules"])
    _check(rules, f"{identifier}: without rules it admits nobody")
    hours = entry.get("session_hours", 12)
    _check(type(hours) is int and 1 <= hours <= 12, f"{identifier}: session_hours must be 1 to 12")
    scopes = tuple(str(scope) for scope in entry.get("scopes", ("openid", "profile")))
    _check("openid" in scopes, f"{identifier}: scopes must hold openid")
    return Provider(
        id=identifier,
        names=_names(identifier, entry["name"]),
        issuer=issuer,
        client_id=_text(entry, "client_id", identifier),
        client_secret=secret,
        authentication=authentication,
        scopes=scopes,
        accounts=_one_of(entry, "accounts", ("existing", "create")),
        account_claim=_text({"account_claim": "preferred_username", **entry}, "account_claim", identifier),
        claims_from=_one_of(entry, "claims_from", ("id_token", "userinfo")),
        prompt=_one_of(entry, "prompt", ("", "login", "select_account", "consent")),
        session_hours=hours,
        regencies=regencies,
        rules=rules,
    )


def _rule(identifier: str, entry: Mapping[str, Any], regencies: tuple[str, ...]) -> GrantRule:
    where = f"{identifier}: rules"
    unknown = sorted(set(entry) - _RULE_MEMBERS)
    _check(not unknown, f"{where}: {', '.join(unknown)} means nothing here")
    _check(entry["regency"] in regencies, f"{where}: {entry['regency']!r} is none of its regencies")
    _check(entry["role"] in ROLES_OF_PEOPLE, f"{where}: role must be one of {', '.join(ROLES_OF_PEOPLE)}")
    values = entry["values"]
    _check(isinstance(values, list) and values and all(isinstance(each, str) and each for each in values), f"{where}: values must be texts")
    agencies, counters = (
        None if entry.get(name) is None else _texts(entry[name], _CODE, f"{where}: {name}") for name in ("agencies", "counters")
    )
    return GrantRule(_text(entry, "claim", identifier), frozenset(values), entry["regency"], entry["role"], agencies, counters)


def _names(identifier: str, name: Any) -> dict[str, str]:
    names = {"id": name, "en": name} if isinstance(name, str) else dict(name)
    right = all(isinstance(text, str) and 0 < len(text) <= 80 and text.isprintable() for text in names.values())
    _check(right and set(names) == {"id", "en"}, f"{identifier}: name must be a text, or one each for id and en")
    return names


def _texts(listed: Any, pattern: re.Pattern[str], where: str) -> tuple[str, ...]:
    right = isinstance(listed, list) and listed and all(isinstance(each, str) and pattern.fullmatch(each) for each in listed)
    _check(right, f"{where} must be a list of ids")
    return tuple(listed)


def _text(entry: Mapping[str, Any], name: str, identifier: str) -> str:
    text = entry[name]
    _check(isinstance(text, str) and 0 < len(text) <= 200 and text.isprintable(), f"{identifier}: {name} must be a text")
    return str(text)


def _one_of(entry: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> Any:
    value = entry.get(name, choices[0])
    _check(value in choices, f"{entry['id']}: {name} must be one of {', '.join(filter(None, choices))}")
    return value


def _check(right: Any, mistake: str) -> None:
    if not right:
        raise _Mistake(mistake)


def is_fetchable(url: Any, issuer: str) -> bool:
    """Whether an address may be fetched on a provider's behalf: by TLS; on this machine also without, if the issuer is here too."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url or len(url) > 500:
        return False
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and parts.username is None and not parts.fragment
    except ValueError:
        return False
    here = all(each.scheme == "http" and each.hostname in _LOOPBACK for each in (parts, urlsplit(issuer)))
    return usable and (parts.scheme == "https" or here) and not (url == issuer and parts.query)
