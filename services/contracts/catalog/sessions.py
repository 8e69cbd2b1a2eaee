"""Signing in, staying signed in, signing out; and what gateways must know to judge access tokens."""

from __future__ import annotations

from services.contracts.catalog.entities import MOST_VERSIONS
from services.contracts.schema import Choice, ContractSchema, ListOf, Part, Password, PlainText, Text, TrueOrFalse, WholeNumber
from services.contracts.values import AccountId, Opaque, Slug

LONGEST_LIFE = 366 * 86_400
"""Seconds; no session lasts longer."""


class SignIn(ContractSchema):
    """Begin a session. A user name of any form is taken, so that a refusal tells nothing about names."""

    username = Text(max_length=100, min_length=1, required=True)
    password = Password(min_length=1, required=True)


class RefreshSession(ContractSchema):
    """Ask for a new access token. A refresh token is good once: the answer holds the next one.

    An answer that was lost on the way may be asked for again within ten seconds. Later the old token counts as stolen, and
    the session ends.
    """

    refresh_token = Opaque(200, required=True)


class SignOut(ContractSchema):
    """End the session of a refresh token; `everywhere` ends all sessions of the same account."""

    refresh_token = Opaque(200, required=True)
    everywhere = TrueOrFalse(load_default=False)


class BeginPageSession(SignIn):
    """Begin a session of a browser, which its gateway holds and carries on."""


class RenewPageSession(ContractSchema):
    """Ask for a new access token of a browser's session. Its credential stays the same: tabs and gateways may ask at once."""

    credential = Opaque(200, required=True)


class EndPageSession(ContractSchema):
    """End a browser's session; `everywhere` ends all sessions of the same account."""

    credential = Opaque(200, required=True)
    everywhere = TrueOrFalse(load_default=False)


class PageSession(ContractSchema):
    """What a gateway puts into a browser's cookie: the credential, and an access token for `expires_in` seconds. The session ends
    after `ends_in` seconds, or when it was idle for too long."""

    credential = Opaque(200, required=True)
    access_token = Opaque(4096, required=True)
    expires_in = WholeNumber(1, LONGEST_LIFE, required=True)
    ends_in = WholeNumber(1, LONGEST_LIFE, required=True)


class PageSessionEnded(ContractSchema):
    """How many sessions were ended, and where to sign out as well: at the identity provider that the session began with, if any."""

    ended = WholeNumber(0, 1_000_000, required=True)
    logout_url = Opaque(2000, required=True, allow_none=True)


class ListIdentityProviders(ContractSchema):
    """With which identity providers people may sign in."""


class IdentityProvider(ContractSchema):
    """An identity provider (OpenID Connect): its `name` in the caller's language, and the regencies in which it signs people in. A browser
    begins at `/sign-in/{id}`."""

    id = Slug(required=True)
    name = PlainText(80, required=True)
    regencies = ListOf(Slug(), most=1_000, required=True)


class IdentityProviderList(ContractSchema):
    """All of them."""

    items = ListOf(Part(IdentityProvider), most=1_000, required=True)


class BeginProviderSignIn(ContractSchema):
    """Begin to sign in with an identity provider. `next`: where in our pages the person wanted to go."""

    provider = Slug(required=True)
    next = Opaque(400, allow_none=True, load_default=None)


class ProviderSignInBegun(ContractSchema):
    """`url` is where the browser goes; `flow` is a sealed note that it keeps, as proof that this browser began."""

    url = Opaque(4_000, required=True)
    flow = Opaque(3_000, required=True)


class FinishProviderSignIn(ContractSchema):
    """Finish it with what the provider has sent back: `code`, `state` and `issuer` (RFC 9207)."""

    provider = Slug(required=True)
    flow = Opaque(3_000, required=True)
    code = Opaque(2_000, required=True)
    state = Opaque(200, required=True)
    issuer = Opaque(500, allow_none=True, load_default=None)


class ProviderSignedIn(PageSession):
    """The browser's session, and where the person wanted to go."""

    next = Opaque(400, required=True, allow_none=True)


class EndSessions(ContractSchema):
    """End all sessions of a staff account or device, as after a loss. Its access tokens are void within seconds."""

    id = AccountId(required=True)


class SessionsEnded(ContractSchema):
    """How many sessions were ended."""

    ended = WholeNumber(0, 1_000_000, required=True)


class SessionTokens(ContractSchema):
    """The access token goes into the header `Authorization` (`Bearer` and the token) and lives `expires_in` seconds; the refresh
    token is shown once, to `POST /v1/auth/refresh`, within `refresh_expires_in` seconds."""

    access_token = Opaque(4096, required=True)
    token_type = Choice("Bearer", required=True)
    expires_in = WholeNumber(1, LONGEST_LIFE, required=True)
    refresh_token = Opaque(200, required=True)
    refresh_expires_in = WholeNumber(1, LONGEST_LIFE, required=True)


class PublicKey(ContractSchema):
    """A JSON Web Key (RFC 7517, RFC 8037) that verifies access tokens."""

    kid = Opaque(64, required=True)
    kty = Choice("OKP", required=True)
    crv = Choice("Ed25519", required=True)
    x = Opaque(64, required=True)
    alg = Choice("EdDSA", required=True)
    use = Choice("sig", required=True)


class Revocation(ContractSchema):
    """Access tokens that are void: those of a session, or those made from a version of the account before `version`."""

    subject = AccountId(required=True)
    session = Opaque(64, required=True, allow_none=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True, allow_none=True)


class GetTokenState(ContractSchema):
    """Public keys and revocations of late."""


class TokenState(ContractSchema):
    """What a verifier of access tokens must know."""

    keys = ListOf(Part(PublicKey), most=16, required=True)
    revocations = ListOf(Part(Revocation), most=1_000_000, required=True)
