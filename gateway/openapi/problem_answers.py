"""Which problems a route can answer with, and how the document shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.openapi.components import header_references
from gateway.problems import MEDIA_TYPE, problem
from gateway.route import Route
from services.contracts.authorisation import OPERATOR
from services.contracts.problems import PROBLEMS

_HEADERS_BY_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def problem_codes(route: Route) -> frozenset[str]:
    """Return every code that the route can answer with: its own, and those that follow from what it is."""
    return frozenset((*route.problems, *_of_any_request(route), *_of_access(route), *_of_content(route)))


def _of_any_request(route: Route) -> Iterator[str]:
    yield from ("header_invalid", "uri_too_long", "headers_too_large", "token_invalid", "unexpected")
    if not route.infrastructure:
        yield from ("rate_limited", "not_acceptable", "host_unknown")
    if route.costly:
        yield "rate_limited"
    if route.path_parameters:
        yield "path_unknown"
    if route.of_regency:
        yield "regency_unknown"


def _of_access(route: Route) -> Iterator[str]:
    rule = route.rule
    if not rule.anonymous:
        yield "token_missing"
    if not rule.any_regency:
        yield from ("regency_forbidden", "role_forbidden")
    if rule.ticket_token:
        yield "ticket_token_invalid"
    if route.method != "GET" and not route.is_public:
        yield "csrf_refused"


def _of_content(route: Route) -> Iterator[str]:
    if route.rpc is None:
        return
    yield from ("parameter_invalid", "service_unavailable", "deadline_exceeded", "busy")
    if route.method != "GET":
        yield from ("json_malformed", "body_too_large")
    if route.method != "GET" and not route.any_body:
        yield from ("media_type_unsupported", "payload_invalid")
    if route.guarded:
        yield from ("precondition_required", "version_conflict", "header_invalid")
    if route.command:
        yield from ("idempotency_key_invalid", "idempotency_key_reused")


def problem_responses(route: Route, language: str) -> dict[str, Any]:
    """Return the problem answers of a route by status, with an example per code."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in sorted(problem_codes(route)):
        by_status[PROBLEMS[code].status].append(code)
    return {str(status): _response(route, status, codes, language) for status, codes in sorted(by_status.items())}


def notices(route: Route) -> tuple[str, ...]:
    """Return the headers that any answer of a route may carry: how far limits have been used, and when the route goes away."""
    limited = () if route.infrastructure and not route.costly else ("RateLimit", "RateLimit-Policy")
    return (*limited, *route.notice)


def problem_examples(routes: Iterable[Route], language: str) -> dict[str, Any]:
    """Return an example of every problem that any of the routes can answer with."""
    codes = sorted({code for route in routes for code in problem_codes(route)})
    return {code: {"value": problem(code, language).document} for code in codes}


def _response(route: Route, status: int, codes: list[str], language: str) -> dict[str, Any]:
    return {
        "description": "; ".join(PROBLEMS[code].title(language) for code in codes),
        "headers": header_references("Content-Language", *_HEADERS_BY_STATUS.get(status, ()), *notices(route)),
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Problem"},
                        {"properties": {"status": {"const": status}, "code": {"enum": codes}}},
                    ]
                },
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }


def roles_note(route: Route) -> list[str]:
    """Return the roles that may call a route, as the document lists them."""
    return sorted(route.rule.roles - {OPERATOR}) + ([OPERATOR] if OPERATOR in route.rule.roles else [])
