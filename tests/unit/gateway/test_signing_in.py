"""Access tokens: which are accepted, for how long, and what a gateway does without the catalogue."""

import time

import jwt
import pytest

from gateway import authentication, token_state
from gateway.authentication import AccessTokens
from gateway.problems import Refusal
from gateway.token_state import ASK_SECONDS, KEYS_PAUSE_SECONDS, STALE_SECONDS, TokenState
from services.catalog.usecases.signing_keys import SigningKeys
from services.chassis.context import ANONYMOUS, Actor
from services.chassis.errors import DomainError
from services.contracts.access_tokens import REQUIRED
from tests import access_tokens
from tests.access_tokens import KEYS, SECRET, Catalogue, claims_of, token_of

pytestmark = pytest.mark.unit

TOKENS = AccessTokens(access_tokens.token_state())


@pytest.fixture
def claims():
    return claims_of(agencies=["CPL"])


def signed(claims, keys=KEYS):
    return "Bearer " + keys.sign(claims)


def refused(header, tokens=TOKENS, code="token_invalid"):
    with pytest.raises(Refusal) as caught:
        tokens.actor(header)
    assert caught.value.code == code


class Installation:
    """A gateway and its catalogue, with a clock that stands still."""

    def __init__(self):
        self.now, self.running, self.catalogue = 1_000_000.0, 500.0, Catalogue()
        self.state = TokenState(self.catalogue, monotonic=lambda: self.running)
        self.tokens = AccessTokens(self.state, now=lambda: self.now)

    def pass_by(self, seconds):
        self.now += seconds
        self.running += seconds

    def token(self, **claims):
        times = {"iat": int(self.now), "exp": int(self.now) + 600, "hold": int(self.now) + 43_200}
        return "Bearer " + token_of(**{**times, **claims})


@pytest.fixture
def installation():
    return Installation()


def test_signing_in_answers_what_the_catalogue_says(edge):
    body = {"username": "officer@lampung-timur", "password": "rahasia-loket-5"}
    response = edge.send("POST", "/v1/auth/token", json_body=body)
    assert response.status_code == 200
    assert response.json.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"}
    assert response.headers["Cache-Control"] == "no-store"
    assert edge.services.payload == body


@pytest.mark.parametrize("path", ["token", "refresh", "sign-out"])
def test_every_attempt_counts_against_the_rate_of_signing_in(edge_with, problem_of, path):
    edge = edge_with(login_rate="2/minute")
    answers = [edge.send("POST", f"/v1/auth/{path}", json_body={}) for _ in range(3)]
    assert problem_of(answers[-1])["code"] == "rate_limited"


def test_a_token_says_who_acts():
    actor = TOKENS.actor("Bearer " + token_of(agencies=["CPL"]))
    assert actor == Actor("officer@lampung-timur", "officer", "lampung-timur", ("CPL",))


def test_a_token_carries_the_site_of_a_device(edge):
    token = token_of("kiosk", site="sukadana")
    body = {"site": "sukadana", "service": "CPL-KTP", "channel": "kiosk"}
    edge.send("POST", "/v1/lampung-timur/tickets", json_body=body, headers={"Authorization": f"Bearer {token}"})
    assert edge.services.context.actor == Actor("kiosk@lampung-timur", "kiosk", "lampung-timur", None, "sukadana")


@pytest.mark.parametrize(("method", "code"), [("sign_in", "credentials_invalid"), ("refresh_session", "session_ended")])
def test_what_the_catalogue_refuses(edge, problem_of, method, code):
    edge.services.answers[method] = DomainError(code)
    body = {"username": "x", "password": "y"} if method == "sign_in" else {"refresh_token": "x"}
    response = edge.send("POST", "/v1/auth/" + ("token" if method == "sign_in" else "refresh"), json_body=body)
    assert (response.status_code, problem_of(response)["code"]) == (401, code)


def test_the_keys_are_public(edge):
    answer = edge.send("GET", "/.well-known/jwks.json")
    assert answer.json == {"keys": list(KEYS.public)}
    token = token_of()
    key = jwt.PyJWKSet.from_dict(answer.json)[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key.key, algorithms=["EdDSA"], audience="mpp-api", issuer="mpp")["role"] == "officer"
    assert not any("d" in public for public in KEYS.public)


def test_no_header_is_nobody():
    assert TOKENS.actor(None) == ANONYMOUS


def test_the_word_bearer_is_read_in_any_case(claims):
    assert TOKENS.actor(signed(claims).replace("Bearer", "bEARER")).role == "officer"


@pytest.mark.parametrize("name", sorted({*REQUIRED, "regency", "agencies", "site"}))
def test_every_claim_is_required(claims, name):
    del claims[name]
    refused(signed(claims))


@pytest.mark.parametrize(
    "changes",
    [
        {"site": 5}, {"site": ["sukadana"]}, {"ver": "1"}, {"ver": None}, {"sid": 7}, {"hold": 1.5}, {"hold": None},
        {"exp": 1}, {"exp": "9999999999"}, {"exp": 1e12}, {"exp": None}, {"iat": 99_999_999_999}, {"iat": None},
        {"iss": "somebody"}, {"aud": "other"}, {"sub": ""}, {"sub": 5}, {"role": "king"}, {"role": None}, {"role": ["officer"]},
        {"regency": None}, {"regency": 5}, {"role": "operator"}, {"agencies": "CPL"}, {"agencies": [1]}, {"role": "anonymous"},
        {"role": "system"},
    ],
)  # fmt: skip
def test_a_claim_that_makes_no_sense_is_refused(claims, changes):
    refused(signed({**claims, **changes}))


def test_a_token_of_another_secret_is_refused(claims):
    stranger = SigningKeys(["another secret, also of 32 characters"])
    refused(signed(claims, stranger))
    disguised = jwt.encode(claims, stranger._private[0], algorithm="EdDSA", headers={"kid": KEYS.public[0]["kid"]})
    refused("Bearer " + disguised)


def test_a_token_without_a_signature_is_refused(claims):
    refused("Bearer " + jwt.encode(claims, "", algorithm="none", headers={"kid": KEYS.public[0]["kid"]}))


@pytest.mark.parametrize("secret", [SECRET, KEYS.public[0]["x"]])
def test_a_token_of_another_algorithm_is_refused(claims, secret):
    """Also one whose secret is the public key, which anybody knows."""
    refused("Bearer " + jwt.encode(claims, secret, algorithm="HS256", headers={"kid": KEYS.public[0]["kid"]}))


def test_a_token_that_differs_from_an_accepted_one_is_looked_at(claims):
    header = signed(claims)
    TOKENS.actor(header)
    head, body, signature = header.split(".")
    forged = signed({**claims, "role": "administrator"}).split(".")
    for wrong in (f"{head}.{forged[1]}.{signature}", f"{head}.{body}.{forged[2]}", f"{head}.{body}."):
        refused(wrong)


def test_a_flood_of_tokens_takes_no_more_than_its_place(claims, monkeypatch):
    monkeypatch.setattr(authentication, "MOST_REMEMBERED", 3)
    tokens = AccessTokens(access_tokens.token_state())
    for number in range(10):
        assert tokens.actor(signed({**claims, "jti": str(number)})).id == claims["sub"]
        assert len(tokens._seen) <= 3


class TestTime:
    def test_a_token_ends_when_it_says(self, installation):
        installation.state.ask()
        header = installation.token()
        for seconds in (0, 300, 299):
            installation.pass_by(seconds)
            installation.state.ask()
            assert installation.tokens.actor(header).id == "officer@lampung-timur"
        installation.pass_by(1)
        installation.state.ask()
        refused(header, installation.tokens)

    def test_a_token_of_the_future_is_none(self, installation):
        header = installation.token(iat=int(installation.now) + 6)
        refused(header, installation.tokens)
        installation.pass_by(2)
        assert installation.tokens.actor(header)

    def test_while_the_catalogue_is_away_nobody_is_signed_out(self, installation):
        header = installation.token()
        installation.tokens.actor(header)
        installation.catalogue.away = True
        for _ in range(6):
            installation.pass_by(7_100)
            installation.state.ask()
            assert installation.tokens.actor(header).role == "officer"
        installation.pass_by(600)
        refused(header, installation.tokens)  # the session itself is over

    def test_once_it_is_back_the_token_is_over(self, installation):
        header = installation.token()
        installation.tokens.actor(header)
        installation.catalogue.away = True
        installation.pass_by(700)
        assert installation.tokens.actor(header)
        installation.catalogue.away = False
        installation.state.ask()
        refused(header, installation.tokens)

    def test_a_short_silence_changes_nothing(self, installation):
        header = installation.token()
        installation.pass_by(595)
        installation.state.ask()
        installation.pass_by(STALE_SECONDS - 1)
        refused(header, installation.tokens)


class TestRevoked:
    @pytest.mark.parametrize(
        ("revocation", "void"),
        [
            ({"session": "s-1", "version": None}, True),
            ({"session": "s-2", "version": None}, False),
            ({"session": None, "version": 4}, True),
            ({"session": None, "version": 3}, False),
            ({"session": None, "version": 4, "subject": "other@lampung-timur"}, False),
        ],
    )
    def test_what_was_revoked_is_void(self, installation, revocation, void):
        header = installation.token(sid="s-1", ver=3)
        assert installation.tokens.actor(header)
        installation.catalogue.revocations.append({"subject": "officer@lampung-timur", **revocation})
        installation.state.ask()
        if void:
            refused(header, installation.tokens)
        else:
            assert installation.tokens.actor(header)

    def test_the_newest_version_counts(self, installation):
        for version in (3, 9, 5):
            installation.catalogue.revocations.append({"subject": "officer@lampung-timur", "session": None, "version": version})
        installation.state.ask()
        refused(installation.token(ver=8), installation.tokens)
        assert installation.tokens.actor(installation.token(ver=9))

    def test_it_stays_void_while_the_catalogue_is_away(self, installation):
        header = installation.token(sid="s-1")
        installation.catalogue.revocations.append({"subject": "officer@lampung-timur", "session": "s-1", "version": None})
        installation.state.ask()
        installation.catalogue.away = True
        installation.pass_by(5_000)
        installation.state.ask()
        refused(header, installation.tokens)


class TestKeys:
    def test_a_new_key_is_asked_for_at_once(self, installation):
        installation.state.ask()
        newer = SigningKeys(["a newer secret of 32 characters or more", SECRET])
        installation.catalogue.keys = newer
        installation.pass_by(KEYS_PAUSE_SECONDS)
        claims = claims_of(iat=int(installation.now), exp=int(installation.now) + 60)
        assert installation.tokens.actor(signed(claims, newer)).role == "officer"
        assert installation.tokens.actor(installation.token()), "the older one goes on being good"

    def test_an_old_key_is_forgotten_with_its_secret(self, installation):
        installation.catalogue.keys = SigningKeys(["a newer secret of 32 characters or more"])
        refused(installation.token(), installation.tokens)

    def test_a_dropped_key_is_dropped_for_tokens_that_were_seen_before(self, installation):
        header = installation.token()
        assert installation.tokens.actor(header)
        installation.catalogue.keys = SigningKeys(["a newer secret of 32 characters or more"])
        installation.state.ask()
        refused(header, installation.tokens)

    def test_a_flood_of_unknown_keys_asks_no_more_than_once_a_second(self, installation):
        installation.state.ask()
        for _ in range(100):
            refused(signed(claims_of(), SigningKeys(["x" * 40])), installation.tokens)
            installation.pass_by(0.05)
        assert installation.catalogue.asked <= 7

    def test_without_any_key_the_gateway_says_what_is_missing(self, installation):
        installation.catalogue.away = True
        refused(installation.token(), installation.tokens, "service_unavailable")
        installation.catalogue.away = False
        installation.pass_by(KEYS_PAUSE_SECONDS)
        assert installation.tokens.actor(installation.token())


def test_the_state_is_asked_for_again_and_again(monkeypatch):
    monkeypatch.setattr(token_state, "ASK_SECONDS", 0.01)
    catalogue = Catalogue()
    state = TokenState(catalogue)
    state.start()
    try:
        until = time.monotonic() + 10
        while catalogue.asked < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert catalogue.asked >= 3
        assert state.age() < 5
    finally:
        state.stop()
    assert ASK_SECONDS < 5 - 2, "a revocation must be known within five seconds"
