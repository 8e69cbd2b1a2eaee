"""What routes do. Almost all do the same: check the payload, ask a service, dress its answer."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway import cursors
from gateway.answers import Answer, encoded
from gateway.call import Call, Surroundings
from gateway.parameters import checked_payload, query_values
from gateway.preconditions import IDEMPOTENCY_REPLAYED, TICKET_TOKEN, content_tag, entity_tag, expected_version, is_unchanged
from gateway.problems import Refusal
from gateway.request_body import nothing_of, read_object
from services.chassis.metrics_page import CONTENT_TYPE, metrics_page
from services.contracts.asyncapi import asyncapi_document

_LONGEST_TICKET_TOKEN = 200

_KEPT_BY_ITS_READER = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
"""What needs a token to be read may be kept by its reader alone, who asks each time whether it is still true."""


def ask_service(surroundings: Surroundings, call: Call) -> Answer:
    """Call the service of the route with what came in path, query, headers and body; answer what it says."""
    return dressed(call, service_answer(surroundings, call))


def or_nothing(surroundings: Surroundings, call: Call) -> Answer:
    """Call the service of the route; 204 when it has nothing to answer, as when nobody waits."""
    found = service_answer(surroundings, call)
    return Answer(204) if found is None else dressed(call, found)


def sign_in(surroundings: Surroundings, call: Call) -> Answer:
    """Begin, carry on or end a session. Every attempt counts against the login rate of the client."""
    surroundings.limits.count_login(call.client, call.headers)
    return Answer(200, service_answer(surroundings, call))


def keys(surroundings: Surroundings, _call: Call) -> Answer:
    """The keys that verify access tokens."""
    public = surroundings.tokens.state.public
    if not public:
        raise Refusal("service_unavailable", failing=["catalog"])
    return Answer(200, {"keys": public})


def live(_surroundings: Surroundings, _call: Call) -> Answer:
    """The process answers: it is alive."""
    return Answer(200, {"status": "alive"})


def ready(surroundings: Surroundings, call: Call) -> Answer:
    """Whether this process can do its work; 503 names what is missing."""
    failing = dict(surroundings.probes.ready())
    if failing:
        raise Refusal("service_unavailable", failing=sorted(failing))
    return Answer(200, {"status": "ready"})


def metrics(surroundings: Surroundings, _call: Call) -> Answer:
    """All metrics of this process in Prometheus' text format."""
    surroundings.probes.ready()  # so that `mpp_ready` is of now
    return Answer(200, metrics_page(), media_type=CONTENT_TYPE)


def openapi(surroundings: Surroundings, call: Call) -> Answer:
    """This document."""
    return Answer(200, surroundings.openapi[call.language], headers={"Content-Language": call.language, "Vary": "Accept-Language"})


def asyncapi(_surroundings: Surroundings, call: Call) -> Answer:
    """The description of all events."""
    return Answer(200, _asyncapi(call.language), headers={"Content-Language": call.language, "Vary": "Accept-Language"})


@functools.cache
def _asyncapi(language: str) -> bytes:
    return encoded(asyncapi_document(language))


def service_answer(surroundings: Surroundings, call: Call) -> Any:
    """Return what the route's service says to what came in path, query, headers and body."""
    route, settings = call.route, surroundings.settings
    if route.rpc is None:
        raise ValueError(f"{route.operation_id} names no method of a service")
    context = call.context(settings.command_deadline)
    payload = payload_of(surroundings, call)
    # The time counts from here: a client that sends slowly has a limit of its own.
    answer = surroundings.rpc.call(route.rpc.service, route.rpc.method, payload, context.within(settings.command_deadline))
    if context.told.get("repeated"):
        call.headers[IDEMPOTENCY_REPLAYED] = "true"
    return with_cursor(call, payload, answer) if route.paged else answer


def with_cursor(call: Call, payload: Mapping[str, Any], page: dict[str, Any]) -> dict[str, Any]:
    """Return a page of a service as callers see it: its ``next_cursor`` bound to this list (:mod:`gateway.cursors`)."""
    mark = page["next_cursor"]
    if mark is None:
        return page
    return {**page, "next_cursor": cursors.sealed(mark, call.route.operation_id, call.regency, payload)}


def payload_of(surroundings: Surroundings, call: Call) -> dict[str, Any]:
    """Return the payload of the route's contract from path, query, headers and body; raises ``Refusal``."""
    route = call.route
    parameters = _parameters(call)
    read = nothing_of if route.any_body else read_object
    body = read(call.request, surroundings.settings.max_body_bytes) if route.method != "GET" else {}
    payload = checked_payload(route, parameters, body)
    if route.guarded and "If-Match" not in call.request.headers:
        raise Refusal("precondition_required")
    if route.paged and cursors.CURSOR in payload:
        payload[cursors.CURSOR] = cursors.opened(payload[cursors.CURSOR], route.operation_id, call.regency, payload)
    return payload


def _parameters(call: Call) -> dict[str, Any]:
    """Return the members of the payload that do not come from the body."""
    route, headers = call.route, call.request.headers
    values = query_values(route, call.request.environ.get("QUERY_STRING", ""))
    values.update({name: value for name, value in call.path_values.items() if name in route.payload_fields})
    if "if_match" in route.payload_fields:
        version = expected_version(headers.get("If-Match"))
        if version is not None:
            values["if_match"] = version
    if "token" in route.from_headers & route.payload_fields.keys() and TICKET_TOKEN in headers:
        values["token"] = _ticket_token(headers[TICKET_TOKEN])
    return values


def _ticket_token(text: str) -> str:
    # A token that cannot be one is a wrong token: the answer is the same for both.
    if not 0 < len(text) <= _LONGEST_TICKET_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise Refusal("ticket_token_invalid")
    return text


def dressed(call: Call, content: Any) -> Answer:
    """Return the answer with its entity tag and location; 304 when the reader holds this version already."""
    route = call.route
    headers = {}
    if route.digested:
        body = encoded(content)
    tag = entity_tag(content) if route.tagged else content_tag(body) if route.digested else None
    if tag is not None:
        headers["ETag"] = tag
        if route.kept and not route.cacheable:
            headers |= _KEPT_BY_ITS_READER
        if route.revalidated and is_unchanged(call.request.headers.get("If-None-Match"), tag):
            return Answer(304, None, headers)
    if route.location is not None:
        headers["Location"] = route.location.format(**call.path_values, id=quote(content["id"]))
    return Answer(route.success, body if route.digested else content, headers)
