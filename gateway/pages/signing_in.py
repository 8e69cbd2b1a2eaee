"""The pages on which people sign in and out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs

from gateway.answers import Answer
from gateway.call import Call, Surroundings
from gateway.pages.refusals import SIGN_IN
from gateway.pages.rendering import page
from gateway.problems import Refusal, problem_of
from services.chassis.context import CallContext
from services.chassis.errors import DomainError

ACCOUNT: Final = "/account"

LONGEST_NAME = 100
LONGEST_PASSWORD = 200

_ONE_OF_OURS = re.compile(r"/(?![/\\\\])[A-Za-z0-9/_.~%?=&-]{0,300}")
PROVIDERS_SECONDS = 1.0
"""Nobody waits longer for a choice that the form does not depend on."""

TOLD = frozenset(
    {
        *("oidc_unavailable", "oidc_expired", "oidc_refused", "oidc_cancelled", "oidc_not_admitted", "oidc_account_taken"),
        *("oidc_unknown", "account_not_valid", "rate_limited", "busy", "deadline_exceeded", "service_unavailable"),
    }
)
"""What the form tells of a sign-in elsewhere that came to nothing."""

_RETRIED = frozenset({"credentials_invalid", "sign_in_delayed", "account_not_valid", "rate_limited", "busy", "service_unavailable"})


def show(surroundings: Surroundings, call: Call) -> Answer:
    """The form; who is signed in already goes on."""
    wanted = parse_qs(call.request.environ.get("QUERY_STRING", "")).get("next", [ACCOUNT])[0]
    if not surroundings.page_sessions.are_safe(call.request):
        return page("message.html", call.language, 403, word="needs_tls", known=False)
    if call.visit is not None:
        return go_to(wanted)
    told = parse_qs(call.request.environ.get("QUERY_STRING", "")).get("problem", [""])[0]
    return _form(surroundings, call, wanted, Refusal(told) if told in TOLD else None)


def sign_in(surroundings: Surroundings, call: Call) -> Answer:
    """Begin a session and go on, or say why not."""
    username, password, wanted = (call.form.get(name, "") for name in ("username", "password", "next"))
    if not surroundings.page_sessions.are_safe(call.request):
        raise Refusal("csrf_refused")
    try:
        surroundings.limits.count_login(call.client)
        if not 0 < len(username.strip()) <= LONGEST_NAME or not 0 < len(password) <= LONGEST_PASSWORD:
            raise Refusal("credentials_invalid")
        visit = surroundings.page_sessions.sign_in(call.request, call.client, username.strip(), password)
    except (Refusal, DomainError) as error:
        if error.code not in _RETRIED:
            raise
        return _form(surroundings, call, wanted, error, username)
    return go_to(wanted, visit.cookie or "")


def account(_surroundings: Surroundings, call: Call) -> Answer:
    """Who is signed in, and the ways out."""
    if call.visit is None:
        raise Refusal("token_missing")
    return page("account.html", call.language, headers=_PERSONAL, forms=True, actor=call.actor, csrf_token=call.visit.csrf_token)


def sign_out(surroundings: Surroundings, call: Call) -> Answer:
    """End this session."""
    return _signed_out(surroundings, call, everywhere=False)


def sign_out_everywhere(surroundings: Surroundings, call: Call) -> Answer:
    """End all sessions of the account, also those of programs that use a token."""
    return _signed_out(surroundings, call, everywhere=True)


_NOT_KEPT = {"Cache-Control": "no-store"}
_PERSONAL = {"Vary": "Accept-Language, Cookie"}


def _signed_out(surroundings: Surroundings, call: Call, *, everywhere: bool) -> Answer:
    if call.visit is None:
        raise Refusal("token_missing")
    elsewhere = surroundings.page_sessions.end(call.visit.credential, call.client, everywhere=everywhere)
    gone = surroundings.page_sessions.forgotten(call.request)
    if elsewhere is None:
        return Answer(303, None, {"Location": f"{SIGN_IN}?signed-out=1"}, cookies=(gone,))
    # Not a redirect: the policy for forms holds on the whole way, and this way leads to another host.
    left = page("signed_out.html", call.language, headers={"Refresh": f"0; url={elsewhere}"}, elsewhere=elsewhere)
    return replace(left, cookies=(gone,))


def _form(surroundings: Surroundings, call: Call, wanted: str, error: Refusal | DomainError | None = None, username: str = "") -> Answer:
    refused = None if error is None else problem_of(error, call.language)
    left = "signed-out=1" in call.request.environ.get("QUERY_STRING", "")
    return page(
        "sign_in.html",
        call.language,
        200 if refused is None else refused.status,
        {**_NOT_KEPT, **{name: value for name, value in (refused.headers if refused else {}).items() if name == "Retry-After"}},
        forms=True,
        wanted=_ours(wanted),
        username=username[:LONGEST_NAME],
        refused=None if refused is None else refused.document,
        signed_out=left and refused is None,
        providers=_providers(surroundings, call),
    )


def _providers(surroundings: Surroundings, call: Call) -> list[dict[str, Any]]:
    """The identity providers to choose from; none while the catalogue does not say, for that must not keep the form away."""
    context = CallContext(None, locale=call.language).within(PROVIDERS_SECONDS)
    try:
        listed: list[dict[str, Any]] = surroundings.rpc.call("catalog", "list_identity_providers", {}, context)["items"]
    except DomainError:
        return []
    return listed


def go_to(wanted: str, *cookies: str) -> Answer:
    """Lead a browser to one of our pages."""
    return Answer(303, None, {"Location": _ours(wanted), **_NOT_KEPT}, cookies=cookies)


def _ours(wanted: str) -> str:
    """Return an address within this host: a link must lead nobody elsewhere behind a sign-in (open redirect)."""
    return wanted if _ONE_OF_OURS.fullmatch(wanted) and not wanted.startswith(SIGN_IN) else ACCOUNT
