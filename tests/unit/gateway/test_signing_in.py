"""Access tokens: what login answers, and which tokens are accepted afterwards."""

import time

import jwt
import pytest

from gateway import authentication
from gateway.authentication import ALGORITHM, AUDIENCE, ISSUER, LIFETIME_SECONDS, AccessTokens
from gateway.problems import Refusal
from services.chassis.context import ANONYMOUS, Actor
from services.chassis.errors import DomainError

pytestmark = pytest.mark.unit

SECRET = "a secret of the tests, 32 characters or more"
CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "officer@lampung-timur",
    "role": "officer",
    "regency": "lampung-timur",
    "agencies": ["CPL"],
    "jti": "1",
}


@pytest.fixture
def claims():
    return {**CLAIMS, "iat": int(time.time()), "exp": int(time.time()) + 60}


def signed(claims, secret=SECRET, algorithm=ALGORITHM, **headers):
    return "Bearer " + jwt.encode(claims, secret, algorithm=algorithm, headers=headers)


def refused(header):
    with pytest.raises(Refusal) as caught:
        AccessTokens(SECRET).actor(header)
    assert caught.value.code == "token_invalid"


def test_login_answers_a_token_that_says_who_acts(edge):
    edge.services.answers["authenticate"] = {
        "subject": "officer@lampung-timur", "role": "officer", "regency": "lampung-timur", "agencies": ["CPL"],
    }  # fmt: skip
    body = {"username": "officer@lampung-timur", "password": "demo"}
    response = edge.send("POST", "/v1/auth/token", json_body=body)
    assert response.status_code == 200
    assert (response.json["token_type"], response.json["expires_in"]) == ("Bearer", LIFETIME_SECONDS)
    assert response.headers["Cache-Control"] == "no-store"
    actor = AccessTokens(SECRET).actor("Bearer " + response.json["access_token"])
    assert (actor.id, actor.role, actor.regency, actor.agencies) == ("officer@lampung-timur", "officer", "lampung-timur", ("CPL",))
    assert edge.services.payload == body


def test_a_token_carries_the_site_of_a_device(edge):
    edge.services.answers["authenticate"] = {
        "subject": "kiosk@lampung-timur", "role": "kiosk", "regency": "lampung-timur", "agencies": None, "site": "sukadana",
    }  # fmt: skip
    token = edge.send("POST", "/v1/auth/token", json_body={"username": "kiosk@lampung-timur", "password": "demo"}).json["access_token"]
    body = {"site": "sukadana", "service": "CPL-KTP", "channel": "kiosk"}
    edge.send("POST", "/v1/lampung-timur/tickets", json_body=body, headers={"Authorization": f"Bearer {token}"})
    assert edge.services.context.actor == Actor("kiosk@lampung-timur", "kiosk", "lampung-timur", None, "sukadana")


def test_a_token_of_before_there_were_sites_in_it_is_bound_to_none(claims):
    assert AccessTokens(SECRET).actor(signed(claims)).site is None


def test_wrong_credentials(edge, problem_of):
    edge.services.answers["authenticate"] = DomainError("credentials_invalid")
    response = edge.send("POST", "/v1/auth/token", json_body={"username": "x", "password": "y"})
    assert problem_of(response)["code"] == "credentials_invalid"
    assert response.status_code == 401


def test_no_header_is_nobody():
    assert AccessTokens(SECRET).actor(None) == ANONYMOUS


def test_the_word_bearer_is_read_in_any_case(claims):
    assert AccessTokens(SECRET).actor(signed(claims).replace("Bearer", "bEARER")).role == "officer"


@pytest.mark.parametrize("name", sorted({*CLAIMS, "iat", "exp"}))
def test_every_claim_is_required(claims, name):
    del claims[name]
    refused(signed(claims))


@pytest.mark.parametrize(
    "changes",
    [
        {"site": 5}, {"site": ["sukadana"]},
        {"exp": 1}, {"exp": "9999999999"}, {"exp": 1e12}, {"exp": None}, {"iat": 99_999_999_999}, {"iat": None},
        {"iss": "somebody"}, {"aud": "other"}, {"sub": ""}, {"sub": 5}, {"role": "king"}, {"role": None}, {"role": ["officer"]},
        {"regency": None}, {"regency": 5}, {"role": "operator"}, {"agencies": "CPL"}, {"agencies": [1]}, {"role": "anonymous"},
        {"role": "system"},
    ],
)  # fmt: skip
def test_a_claim_that_makes_no_sense_is_refused(claims, changes):
    refused(signed({**claims, **changes}))


def test_a_token_of_another_secret_is_refused(claims):
    refused(signed(claims, secret="another secret, also of 32 characters"))


def test_a_token_without_a_signature_is_refused(claims):
    refused("Bearer " + jwt.encode(claims, "", algorithm="none"))


def test_a_token_of_another_algorithm_is_refused(claims):
    refused(signed(claims, secret=SECRET * 2, algorithm="HS512"))


def test_a_token_ends_when_it_says():
    now = [1_000_000.0]
    tokens = AccessTokens(SECRET, now=lambda: now[0])
    identity = {"subject": "a@b", "role": "officer", "regency": "b", "agencies": None}
    header = "Bearer " + tokens.issue(identity)["access_token"]
    now[0] += LIFETIME_SECONDS - 1
    assert tokens.actor(header).id == "a@b"
    now[0] += 1
    with pytest.raises(Refusal):
        tokens.actor(header)


def test_a_token_that_was_accepted_before_is_refused_from_its_end_on(claims):
    now = [float(claims["iat"])]
    tokens, header = AccessTokens(SECRET, now=lambda: now[0]), signed(claims)
    for moment in (claims["iat"], claims["iat"] + 1, claims["exp"] - 0.001):
        now[0] = moment
        assert tokens.actor(header).id == claims["sub"]
    for moment in (claims["exp"], claims["exp"] + 3600, claims["iat"] - 6):
        now[0] = moment
        with pytest.raises(Refusal):
            tokens.actor(header)


def test_a_token_that_differs_from_an_accepted_one_is_looked_at(claims):
    tokens, header = AccessTokens(SECRET), signed(claims)
    tokens.actor(header)
    head, body, signature = header.split(".")
    forged = signed({**claims, "role": "administrator"}, secret="x" * 40).split(".")
    for wrong in (f"{head}.{forged[1]}.{signature}", f"{head}.{body}.{forged[2]}", f"{head}.{body}."):
        with pytest.raises(Refusal):
            tokens.actor(wrong)


def test_a_flood_of_tokens_takes_no_more_than_its_place(claims, monkeypatch):
    monkeypatch.setattr(authentication, "MOST_REMEMBERED", 3)
    tokens = AccessTokens(SECRET)
    for number in range(10):
        assert tokens.actor(signed({**claims, "jti": str(number)})).id == claims["sub"]
        assert len(tokens._seen) <= 3
