"""ID tokens: which prove who somebody is, and which prove nothing."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from services.catalog.domain.providers import Provider
from services.catalog.identity_providers.exchange import Exchange
from services.catalog.identity_providers.id_token import LEEWAY_SECONDS, TokenInvalid, claims_of

pytestmark = pytest.mark.unit

PROVIDER = Provider("sso", {"id": "SSO", "en": "SSO"}, "https://sso.example.id", "mpp", (), ())
RSA_KEY, OTHER_KEY, EC_KEY = (
    rsa.generate_private_key(65537, 2048),
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
)
RSA_JWK: dict[str, Any] = {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "one", "use": "sig"}
EC_JWK: dict[str, Any] = {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "two", "use": "sig"}
NOW = 0
"""Times of claims are told from the moment in which a token is made."""

CLAIMS: dict[str, Any] = {
    "iss": PROVIDER.issuer,
    "aud": "mpp",
    "sub": "u-1",
    "nonce": "n" * 43,
    "iat": NOW,
    "exp": NOW + 300,
}


class Keys(Exchange):
    """A provider whose keys are known."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        super().__init__(PROVIDER)
        self._known = list(keys)

    def keys(self, wanted: str | None) -> list[dict[str, Any]]:
        return self._known


def token(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "one", **claims: Any) -> str:
    now = int(time.time())
    kept = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    kept |= {name: kept[name] + now for name in ("iat", "exp", "nbf") if isinstance(kept.get(name), int)}
    return jwt.encode(kept, key, algorithm, headers={} if kid is None else {"kid": kid})


def read(text: Any, *keys: dict[str, Any]) -> dict[str, Any]:
    return claims_of(Keys(*(keys or (RSA_JWK, EC_JWK))), text, "n" * 43, time.time())


def why_not(text: Any, *keys: dict[str, Any]) -> str:
    with pytest.raises(TokenInvalid) as caught:
        read(text, *keys)
    return str(caught.value)


def test_what_the_provider_made_for_us_proves_who_it_is():
    assert read(token(groups=["a"]))["groups"] == ["a"]
    assert read(token(EC_KEY, "ES256", "two"))["sub"] == "u-1"
    assert read(token(aud=["mpp"]))
    assert read(token(aud=["mpp", "other"], azp="mpp"))
    assert read(token(azp="mpp"))


def test_clocks_may_differ_a_little():
    assert read(token(iat=NOW + LEEWAY_SECONDS - 5, exp=NOW + 600))
    assert read(token(exp=NOW - LEEWAY_SECONDS + 5))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": PROVIDER.issuer + "/"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": []},
        {"aud": ["mpp", "other"]},
        {"aud": ["mpp", "other"], "azp": "other"},
        {"azp": "other"},
        {"nonce": "m" * 43},
        {"nonce": ""},
        {"exp": NOW - LEEWAY_SECONDS - 5},
        {"iat": NOW - LEEWAY_SECONDS - 5},
        {"iat": NOW + LEEWAY_SECONDS + 60},
        {"nbf": NOW + LEEWAY_SECONDS + 60},
        {"sub": ""},
        {"sub": "x" * 256},
        {"iat": "now"},
        {"exp": "later"},
        *({name: None} for name in ("iss", "aud", "sub", "exp", "iat", "nonce")),
    ],
)
def test_what_was_made_for_others_at_other_times_or_elsewhere_proves_nothing(claims):
    assert why_not(token(**claims))


def test_a_signature_of_another_key_proves_nothing():
    assert why_not(token(OTHER_KEY))
    assert why_not(token(kid="unknown")) == "key"
    assert why_not(token(EC_KEY, "ES256", "one")) == "key"
    head, body, _ = token().split(".")
    assert why_not(f"{head}.{body}.{token(OTHER_KEY).split('.')[2]}")
    forged = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "sub": "admin"}).encode()).decode().rstrip("=")
    assert why_not(f"{head}.{forged}.{token().split('.')[2]}")


def test_a_signature_with_what_is_public_proves_nothing():
    """HMAC with the public key as secret, and no signature at all: both were accepted by libraries once."""
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "one", "typ": "JWT"}).encode()).decode().rstrip("=")
    body = token().split(".")[1]
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(f"{head}.{body}".encode(), public)
    assert why_not(f"{head}.{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}") == "algorithm"
    assert why_not(jwt.encode(CLAIMS, "", "none", headers={"kid": "one"})) == "algorithm"


def test_a_token_without_a_key_id_may_use_the_only_key_of_its_kind():
    assert read(token(kid=None))
    assert why_not(token(kid=None), RSA_JWK, {**RSA_JWK, "kid": "another"}) == "key"


@pytest.mark.parametrize("changed", [{"use": "enc"}, {"alg": "RS512"}])
def test_a_key_for_something_else_is_not_used(changed):
    assert why_not(token(), {**RSA_JWK, **changed}) == "key"


@pytest.mark.parametrize("text", [None, "", "x", "a.b.c", 7, "x" * 40_000, token() + ".x"])
def test_what_is_no_token_proves_nothing(text):
    assert why_not(text)
