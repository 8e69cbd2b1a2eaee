"""Signing in with an identity provider: begun with a sealed note in the browser, finished with a code, answered with a session of ours.

The session is one of :mod:`services.catalog.usecases.page_sessions`: what an administrator takes back is void as quickly as any
other. No token of the provider is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from services.catalog.domain import CatalogError, Entity
from services.catalog.domain.providers import GrantRule, Provider, display_name, existing_account, granted, new_account
from services.catalog.identity_providers.configuration import providers_of
from services.catalog.identity_providers.exchange import CodeRefused, Exchange, ProviderUnavailable
from services.catalog.identity_providers.id_token import TokenInvalid, claims_of
from services.catalog.store import entities as store
from services.catalog.store import identities
from services.catalog.usecases import entities
from services.catalog.usecases.page_sessions import PageSessions
from services.catalog.usecases.sessions import end
from services.catalog.usecases.signing_in import found_in
from services.chassis import audit
from services.chassis.context import Actor, CallContext
from services.chassis.database import Database, UnitOfWork
from services.chassis.encryption import Keyring, KeyUnknown
from services.chassis.errors import DomainError
from services.chassis.logs import get_logger
from services.chassis.offload import offload
from services.chassis.settings import Settings

SECONDS_TO_SIGN_IN = 600
"""At the provider, with its second factor and a forgotten password."""

_FLOW = "oidc-sign-in"

log = get_logger(__name__)


class IdentityProviders:
    """The use cases of signing in elsewhere."""

    def __init__(self, settings: Settings, pages: PageSessions) -> None:
        self._exchanges = {name: Exchange(provider) for name, provider in providers_of(settings).items()}
        self._pages = pages
        self._keyring = Keyring(settings.required_token_secrets())
        self._public_url = settings.delivery.public_url

    def listed(self, context: CallContext) -> dict[str, Any]:
        """The configured providers, in the caller's language."""
        providers = [exchange.provider for exchange in self._exchanges.values()]
        shown = [{"id": each.id, "name": each.names[context.locale], "regencies": list(each.regencies)} for each in providers]
        return {"items": shown}

    def begin(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Where to send a browser, and what it has to bring back. Nothing is stored: a flood of beginnings fills no table.

        :raises CatalogError: ``oidc_unknown``, ``oidc_unavailable``.
        """
        exchange = self._exchange(data["provider"])
        provider = exchange.provider
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self._redirect_uri(provider),
            "scope": " ".join(provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
            **({"prompt": provider.prompt} if provider.prompt else {}),
        }
        with _told(provider):
            url = _with_query(exchange.endpoint("authorization_endpoint"), asked)
        now = int(time.time())
        flow = {"provider": provider.id, "state": state, "nonce": nonce, "verifier": verifier, "at": now, "next": data.get("next")}
        return {"url": url, "flow": self._keyring.encrypt(json.dumps(flow), _FLOW)}

    def finish(self, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
        """A session for whom the provider names, and where they wanted to go.

        :raises CatalogError: ``oidc_expired`` for what was not begun in this browser, or too long ago; ``oidc_refused`` when code or token
            are not what they should be; ``oidc_unavailable``; ``oidc_not_admitted``, ``oidc_account_taken``, ``account_not_valid``.
        """
        exchange = self._exchange(data["provider"])
        provider = exchange.provider
        flow = self._opened(data["flow"], provider, data["state"])
        claims = self._proven(exchange, flow, data)
        identity = _hash_of(provider, claims["sub"])
        rule = granted(provider, claims)
        for regency in {each.regency for each in provider.rules} - ({rule.regency} if rule else set()):
            _take_back(database, context, provider, regency, identity)
        if rule is None:
            raise CatalogError("oidc_not_admitted")
        acting = replace(context, actor=Actor(f"{provider.id}.sso@{rule.regency}", "identity_provider", rule.regency))
        with _mapped(rule.regency), database.regency_work(rule.regency, context=acting) as work:
            account = _account(work, provider, rule, claims, identity)
            found = account and found_in(work, account)
            if not found or not found.active or (provider.accounts == "existing" and found.role != rule.role):
                raise CatalogError("oidc_not_admitted")
            longest = timedelta(hours=provider.session_hours)
            session = self._pages.begin(work, rule.regency, found, provider=provider.id, longest=longest)
        return {**session, "next": flow["next"]}

    def sign_out(self, database: Database, context: CallContext, data: Mapping[str, Any]) -> dict[str, Any]:
        """End a browser's session, and say where to sign out as well (RP-Initiated Logout 1.0)."""
        ended, name = self._pages.sign_out(database, context, data)
        return {"ended": ended, "logout_url": self._logout_url(self._exchanges.get(name or ""))}

    def _logout_url(self, exchange: Exchange | None) -> str | None:
        if exchange is None:
            return None
        asked = {"client_id": exchange.provider.client_id, "post_logout_redirect_uri": f"{self._public_url}/sign-in"}
        try:
            return _with_query(exchange.endpoint("end_session_endpoint"), asked)
        except ProviderUnavailable:
            return None  # away, or has none: here they are signed out in any case

    def _exchange(self, name: str) -> Exchange:
        if name not in self._exchanges:
            raise CatalogError("oidc_unknown", provider=name)
        return self._exchanges[name]

    def _redirect_uri(self, provider: Provider) -> str:
        """One for each provider: none can pass on what another one has sent (RFC 9700, 4.4.2.2)."""
        return f"{self._public_url}/sign-in/{provider.id}/callback"

    def _opened(self, sealed: str, provider: Provider, state: str) -> dict[str, Any]:
        try:
            flow: dict[str, Any] = json.loads(self._keyring.decrypt(sealed, _FLOW))
        except KeyUnknown:
            raise CatalogError("oidc_expired") from None
        begun_here = flow["provider"] == provider.id and hmac.compare_digest(flow["state"].encode(), state.encode())
        if not begun_here or time.time() - flow["at"] > SECONDS_TO_SIGN_IN:
            raise CatalogError("oidc_expired")
        return flow

    def _proven(self, exchange: Exchange, flow: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """Exchange the code; return what the provider vouches for."""
        provider, issuer = exchange.provider, data.get("issuer")
        with _told(provider):
            says_issuer = exchange.description().get("authorization_response_iss_parameter_supported") is True
            if issuer != provider.issuer and (issuer is not None or says_issuer):
                raise _refused(provider, "issuer")  # RFC 9207: the answer of another provider
            tokens = exchange.tokens(data["code"], self._redirect_uri(provider), flow["verifier"])
            claims = claims_of(exchange, tokens.get("id_token"), flow["nonce"], flow["at"])
            if provider.claims_from == "userinfo":
                told = exchange.userinfo(tokens.get("access_token"))
                if told.get("sub") != claims["sub"]:
                    raise _refused(provider, "userinfo")
                claims = {**told, "iss": claims["iss"], "sub": claims["sub"]}
        return claims


@contextmanager
def _told(provider: Provider) -> Iterator[None]:
    """Turn what the exchange raises into what callers are told."""
    try:
        yield
    except ProviderUnavailable as error:
        raise CatalogError("oidc_unavailable", provider=provider.id) from error
    except CodeRefused as error:
        raise _refused(provider, "code") from error
    except TokenInvalid as error:
        raise _refused(provider, f"token: {error}") from error


def _refused(provider: Provider, reason: str) -> CatalogError:
    log.warning("identity_provider_refused", provider=provider.id, reason=reason)
    return CatalogError("oidc_refused", provider=provider.id)


def _with_query(url: str, members: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(members)}"


def _hash_of(provider: Provider, subject: str) -> bytes:
    """What an identity is found by. It takes its time, as a password's does: what the provider calls a person may be a NIK."""
    salt = hashlib.sha256(f"mpp:{provider.issuer}".encode()).digest()
    digest: bytes = offload(hashlib.scrypt, subject.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
    return digest


def _take_back(database: Database, context: CallContext, provider: Provider, regency: str, identity: bytes) -> None:
    """Who is not admitted any more, or elsewhere now, is signed out where they were."""
    with _mapped(regency), database.regency_work(regency, context=context) as work:
        account = identities.account_of(work, provider.id, identity)
        if account is not None:
            end(work, regency, account)


def _account(work: UnitOfWork, provider: Provider, rule: GrantRule, claims: Mapping[str, Any], identity: bytes) -> str | None:
    """The account of somebody whom a rule admits, with the rights that it gives; ``None`` when there is none to be had."""
    store.one_at_a_time(work)
    account = identities.account_of(work, provider.id, identity)
    if account is not None:
        if provider.accounts == "create":
            _give(work, rule, account)
        return account
    if provider.accounts == "existing":
        account = existing_account(provider, claims, rule.regency)
        if account is None or store.find(work, "account", account) is None:
            return None
    else:
        account = new_account(provider, claims, identity, rule.regency)
        if entities.in_use(work, "account", account):
            raise CatalogError("oidc_account_taken")  # whoever chooses names there must not choose an account here
        _make(work, rule, account, display_name(claims, account))
    if not identities.link(work, provider.id, identity, account):
        raise CatalogError("oidc_account_taken")
    return account


def _rights(rule: GrantRule) -> Entity:
    lists = {name: None if value is None else list(value) for name, value in (("agencies", rule.agencies), ("counters", rule.counters))}
    return {"role": rule.role, **lists}


def _make(work: UnitOfWork, rule: GrantRule, account: str, name: str) -> None:
    facts = {"id": account, "display_name": name, "valid_from": None, "valid_until": None, "active": True}
    made = entities.add(work, "account", {**facts, **_rights(rule)})
    audit.record(work, "create_account", {}, made)


def _give(work: UnitOfWork, rule: GrantRule, account: str) -> None:
    """Give an account the rights of the rule, and no others; what it was signed in with before is void by that."""
    current = store.find(work, "account", account)
    if current is None:
        raise CatalogError("oidc_not_admitted")
    changed = entities.change(work, "account", current, _rights(rule))
    if changed != current:
        audit.record(work, "update_account", {}, changed)


@contextmanager
def _mapped(regency: str) -> Iterator[None]:
    """A rule that names a regency, an agency or a counter that is not there admits nobody, and is told in the log."""
    try:
        yield
    except (CatalogError, DomainError) as error:
        if error.code not in ("regency_unknown", "reference_unknown", "payload_invalid"):
            raise
        log.error("identity_rule_unusable", regency=regency, code=error.code)
        raise CatalogError("oidc_not_admitted") from error
