"""Identity providers (OpenID Connect): whom they may sign in here, and with which rights. Plain rules; claims are passed in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

_LOCAL = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_WORDS = re.compile(r"[a-z0-9]+")
_LONGEST = 40
_IDENTITY_NUMBER = re.compile(r"\d{16}")


@dataclass(frozen=True)
class GrantRule:
    """Who shows one of these values in a claim has these rights. ``agencies`` and ``counters`` ``None``: all."""

    claim: str
    """Name of the claim; a dot leads into an object: ``realm_access.roles``."""
    values: frozenset[str]
    regency: str
    role: str
    agencies: tuple[str, ...] | None = None
    counters: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Provider:
    """An identity provider, as the deployment's configuration says."""

    id: str
    names: Mapping[str, str]
    """What people call it, by language."""
    issuer: str
    client_id: str
    rules: tuple[GrantRule, ...]
    regencies: tuple[str, ...]
    """The only ones in which it signs anybody in."""
    client_secret: str = field(default="", repr=False)
    authentication: Literal["basic", "post", "none"] = "basic"
    scopes: tuple[str, ...] = ("openid", "profile")
    accounts: Literal["create", "existing"] = "existing"
    """``create``: the first sign-in makes the account, and each one gives it the rights of the rule that matches. ``existing``: an
    administrator has made it and says what it may do; the provider says who somebody is."""
    account_claim: str = "preferred_username"
    claims_from: Literal["id_token", "userinfo"] = "id_token"
    prompt: str = ""
    session_hours: int = 12


def granted(provider: Provider, claims: Mapping[str, Any]) -> GrantRule | None:
    """Return the first rule that admits whoever has these claims; ``None`` for nobody of ours."""
    return next((rule for rule in provider.rules if rule.values & _values(claims, rule.claim)), None)


def _values(claims: Mapping[str, Any], path: str) -> set[str]:
    """Return the values of a claim as text: it may be one, or a list of them. Whatever else it is gives nothing."""
    value: Any = claims
    if path in claims:  # a name with dots of its own, such as https://example.id/roles
        value = claims[path]
    else:
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
    listed = value if isinstance(value, list) else [value]
    return {each for each in listed if isinstance(each, str)}


def existing_account(provider: Provider, claims: Mapping[str, Any], regency: str) -> str | None:
    """Return which account somebody means to be: exactly what the provider calls them, or that and the regency; ``None`` for none.

    Nothing is made to fit: two names there must not become one here.
    """
    wanted = claims.get(provider.account_claim)
    if not isinstance(wanted, str):
        return None
    local = wanted.removesuffix(f"@{regency}")
    return f"{local}@{regency}" if _LOCAL.fullmatch(local) and len(local) <= _LONGEST else None


def new_account(provider: Provider, claims: Mapping[str, Any], identity: bytes, regency: str) -> str:
    """Return the user name of somebody new: what the provider calls them, else something that follows from who they are.

    A name that may be a NIK is not used: user names stand in the audit log and on screens.
    """
    wanted = claims.get(provider.account_claim)
    local = wanted.lower().partition("@")[0][:_LONGEST] if isinstance(wanted, str) else ""
    if not _LOCAL.fullmatch(local):
        local = ".".join(_WORDS.findall(local))
    if not local or _IDENTITY_NUMBER.search(local):
        local = f"sso-{identity.hex()[:12]}"
    return f"{local}@{regency}"


def display_name(claims: Mapping[str, Any], account: str) -> str:
    """Return what to call somebody new."""
    name = claims.get("name")
    text = " ".join(name.split())[:100] if isinstance(name, str) else ""
    return text if text and text.isprintable() else account
