"""Signing in with an identity provider (OpenID Connect): off to its page, and back with a code."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import parse_qs, quote

from gateway.answers import Answer
from gateway.call import Call, Surroundings
from gateway.origin import network_of
from gateway.pages.refusals import SIGN_IN
from gateway.pages.signing_in import ACCOUNT, TOLD, go_to
from gateway.problems import Refusal
from services.chassis.context import SYSTEM, CallContext
from services.chassis.errors import DomainError
from services.contracts import shapes

SECONDS_ELSEWHERE: Final = 600
"""So long the note of a beginning is kept."""

EXCHANGE_SECONDS: Final = 12.0
"""The catalogue asks the provider up to three things, each for some seconds."""

_LONGEST = {"code": 2_000, "state": 200, "iss": 500, "error": 200, "next": 300}


def begin(surroundings: Surroundings, call: Call) -> Answer:
    """Send a browser to the provider, with a note of where it began."""
    pages = surroundings.page_sessions
    if not pages.are_safe(call.request):
        raise Refusal("csrf_refused")
    try:
        surroundings.limits.count_login(call.client)
        begun = _ask(surroundings, call, "begin_provider_sign_in", {"provider": _provider(call), "next": _given(call, "next")})
    except (Refusal, DomainError) as error:
        return _told(error)
    return Answer(303, None, {"Location": begun["url"]}, cookies=(pages.flow_cookie(call.request, begun["flow"], SECONDS_ELSEWHERE),))


def finish(surroundings: Surroundings, call: Call) -> Answer:
    """Sign in whom the provider vouches for. The address, which holds the code, is left at once, whatever comes of it."""
    pages, request = surroundings.page_sessions, call.request
    if not pages.are_safe(request):
        raise Refusal("csrf_refused")
    spent = pages.flow_cookie(request, "", 0)
    try:
        surroundings.limits.count_login(call.client)
        signed_in = _ask(surroundings, call, "finish_provider_sign_in", _sent_back(call, pages.flow(request)))
        visit = pages.begun(request, signed_in)
    except (Refusal, DomainError) as error:
        return _told(error, spent)
    pages.end_former(request, call.client)
    return go_to(signed_in["next"] or ACCOUNT, visit.cookie or "", spent)


def _sent_back(call: Call, flow: str | None) -> dict[str, Any]:
    code, state, issuer, error = (_given(call, name) for name in ("code", "state", "iss", "error"))
    if flow is None:
        raise Refusal("oidc_expired")
    if error is not None:
        raise Refusal("oidc_cancelled" if error == "access_denied" else "oidc_refused")
    if code is None or state is None:
        raise Refusal("oidc_expired")
    return {"provider": _provider(call), "flow": flow, "code": code, "state": state, "issuer": issuer}


def _provider(call: Call) -> str:
    name = call.path_values["provider"]
    if not shapes.SLUG.regex.fullmatch(name) or len(name) > 40:
        raise Refusal("oidc_unknown")
    return name


def _given(call: Call, name: str) -> str | None:
    """Return a parameter of the address that stands there once and is printable; anything else is none."""
    try:
        values = parse_qs(call.request.environ.get("QUERY_STRING", ""), max_num_fields=20).get(name, [])
    except ValueError:  # too many
        return None
    right = len(values) == 1 and len(values[0]) <= _LONGEST[name] and shapes.OPAQUE.regex.fullmatch(values[0])
    return values[0] if right else None


def _ask(surroundings: Surroundings, call: Call, method: str, payload: dict[str, Any]) -> Any:
    deadline = time.time() + EXCHANGE_SECONDS
    context = CallContext(None, SYSTEM, deadline=deadline, locale=call.language, client=network_of(call.client))
    return surroundings.rpc.call("catalog", method, payload, context)


def _told(error: Refusal | DomainError, *cookies: str) -> Answer:
    """Tell of it on the form, from which anybody can begin again."""
    if error.code not in TOLD:
        raise error
    return Answer(303, None, {"Location": f"{SIGN_IN}?problem={quote(error.code)}", "Cache-Control": "no-store"}, cookies=cookies)
