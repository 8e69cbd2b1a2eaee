"""Asks an identity provider: its own description, its keys, the tokens for a code, what it knows of a person.

Every wait is bounded, no redirect is followed (what a provider answers leads nowhere else), answers are read up to a limit, and
only JSON. urllib3 speaks HTTP and TLS; proxies of the environment are not asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import urllib3
from urllib3.exceptions import HTTPError

from services.catalog.domain.providers import Provider
from services.catalog.identity_providers.configuration import is_fetchable
from services.chassis.logs import get_logger
from services.chassis.time_limit import TimeLimitExceeded, time_limit

CONNECT_SECONDS = 2.0
READ_SECONDS = 3.0
TOTAL_SECONDS = 4.0
"""Less than a command's deadline, so that its caller is told what is the matter."""

LARGEST_ANSWER = 262_144

DESCRIPTION_SECONDS = 3600.0
KEYS_SECONDS = 600.0
KEYS_PAUSE_SECONDS = 5.0
"""A key that is not known makes us ask at once (it may be new), but not more often than this."""

log = get_logger(__name__)


class ProviderUnavailable(Exception):
    """It does not answer, or not as a provider does."""


class CodeRefused(Exception):
    """It does not take the code: spent, expired, or for another."""


class Exchange:
    """One provider, with what is remembered of its description and keys."""

    def __init__(self, provider: Provider, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._monotonic = monotonic
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._http = urllib3.PoolManager(num_pools=4, maxsize=4, timeout=timeout, retries=False, cert_reqs="CERT_REQUIRED")
        self._described: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, list[dict[str, Any]]] | None = None

    def description(self) -> dict[str, Any]:
        """Return what the provider says of itself (OpenID Connect Discovery 1.0); raises ``ProviderUnavailable``."""
        if self._described is None or self._monotonic() - self._described[0] > DESCRIPTION_SECONDS:
            found = self._get(f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.provider.issuer:
                raise self._odd("issuer_differs")
            self._described = (self._monotonic(), found)
        return self._described[1]

    def endpoint(self, name: str) -> str:
        """Return one of its addresses; raises ``ProviderUnavailable`` when it has none that may be used."""
        url = self.description().get(name)
        if not is_fetchable(url, self.provider.issuer):
            raise self._odd(f"no_{name}")
        return str(url)

    def keys(self, wanted: str | None) -> list[dict[str, Any]]:
        """Return its public keys (JWK), asked for again when they are old, or the wanted one is not among them."""
        held = self._keys
        age = self._monotonic() - held[0] if held else float("inf")
        known = held is not None and (wanted is None or any(key.get("kid") == wanted for key in held[1]))
        if held is None or age > KEYS_SECONDS or (not known and age > KEYS_PAUSE_SECONDS):
            found = self._get(self.endpoint("jwks_uri")).get("keys")
            if not isinstance(found, list) or not all(isinstance(key, dict) for key in found):
                raise self._odd("no_keys")
            held = self._keys = (self._monotonic(), found)
        return held[1]

    def tokens(self, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        """Exchange a code; raises ``CodeRefused`` or ``ProviderUnavailable``."""
        provider = self.provider
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if provider.authentication == "basic":
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(provider.client_secret)}"
            headers |= urllib3.make_headers(basic_auth=pair)
        else:
            fields["client_id"] = provider.client_id
            if provider.authentication == "post":
                fields["client_secret"] = provider.client_secret
        status, answer = self._ask("POST", self.endpoint("token_endpoint"), headers, urlencode(fields))
        if status == 400 and answer.get("error") == "invalid_grant":
            raise CodeRefused
        if status != 200:
            raise self._odd("token_endpoint", status=status, error=str(answer.get("error"))[:40])
        return answer

    def userinfo(self, access_token: Any) -> dict[str, Any]:
        """Return what it knows of whom a token speaks; raises ``ProviderUnavailable``."""
        if not isinstance(access_token, str):
            raise self._odd("no_access_token")
        status, answer = self._ask("GET", self.endpoint("userinfo_endpoint"), {"Authorization": f"Bearer {access_token}"})
        if status != 200:
            raise self._odd("userinfo_endpoint", status=status)
        return answer

    def _get(self, url: str) -> dict[str, Any]:
        status, answer = self._ask("GET", url, {})
        if status != 200:
            raise self._odd("status", status=status)
        return answer

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: str | None = None) -> tuple[int, dict[str, Any]]:
        sent = {"Accept": "application/json", **headers}
        try:
            with time_limit(TOTAL_SECONDS):
                answer = self._http.request(method, url, headers=sent, body=body, redirect=False, preload_content=False)
                try:
                    content = answer.read(LARGEST_ANSWER + 1)
                finally:
                    answer.close()  # it may not have been read to its end
            document = json.loads(content) if len(content) <= LARGEST_ANSWER else None
        except (HTTPError, OSError, TimeLimitExceeded) as error:
            raise self._odd("unreachable", kind=type(error).__name__) from error
        except ValueError as error:
            raise self._odd("no_json", status=answer.status) from error
        if not isinstance(document, dict):
            raise self._odd("no_json", status=answer.status)
        return answer.status, document

    def _odd(self, reason: str, **facts: Any) -> ProviderUnavailable:
        """Write down what is the matter; nothing of a token or a person is among it."""
        log.warning("identity_provider_unavailable", provider=self.provider.id, reason=reason, **facts)
        return ProviderUnavailable(reason)
