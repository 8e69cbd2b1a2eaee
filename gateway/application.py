"""The WSGI application: in which order a request is checked, and what every answer has in common.

The order is part of the API. Rate, then path, then token, then regency, then role: only then is anything of the
request's content looked at, so that a refused caller learns nothing from it and costs nothing.
"""

from __future__ import annotations

import functools
import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from werkzeug.wrappers import Request, Response

from gateway.access import authorise
from gateway.answers import JSON, Answer, response_of, response_of_problem
from gateway.call import Call, Surroundings
from gateway.forms import read_form
from gateway.language import preferred_language
from gateway.openapi.problem_answers import problem_codes
from gateway.page_sessions import CSRF_FIELD, CSRF_HEADER, Visit
from gateway.pages.refusals import page_instead
from gateway.preconditions import TICKET_TOKEN
from gateway.problems import MEDIA_TYPE, ProblemAnswer, Refusal, is_published, problem_of
from gateway.rate_limit import client_of
from gateway.regency_requests import RegencyRequests
from gateway.route import Route
from gateway.routing import Found, Router
from services.chassis import metrics
from services.chassis.context import ANONYMOUS, Actor
from services.chassis.errors import DomainError
from services.chassis.logs import get_logger
from services.chassis.tenancy import checked_slug

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = get_logger(__name__)


class Exchange:
    """A request on its way through, and what is known of it so far."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.started = time.perf_counter()
        self.request = Request(environ, populate_request=False)
        self.method: str = environ["REQUEST_METHOD"]  # as it was sent: methods are case-sensitive
        headers = self.request.headers
        self.language = preferred_language(headers.get("Accept-Language"))
        self.request_id = _given(headers.get("Request-Id"), _REQUEST_ID) or os.urandom(16).hex()
        self.traceparent = _given(headers.get("traceparent"), _TRACEPARENT) or _new_trace()
        self.route: Route | None = None
        self.regency: str | None = None
        self.actor: Actor = ANONYMOUS
        self.visit: Visit | None = None
        self.headers: dict[str, str] = {}
        """Of the answer, whatever it is."""

    @property
    def raw_path(self) -> str:
        """The path as it was sent, before any decoding."""
        environ = self.request.environ
        raw = environ.get("RAW_PATH_INFO")
        return str(raw if raw is not None else environ.get("REQUEST_URI", "")).split("?", 1)[0]


class Application:
    """Serves the route table."""

    def __init__(self, routes: Iterable[Route], surroundings: Surroundings) -> None:
        known = tuple(routes)
        self._router = Router(known)
        self._surroundings = surroundings
        self._regencies = RegencyRequests()
        metrics.begin_routes((route.path, route.method) for route in known)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        exchange = Exchange(environ)
        response = self._response(exchange)
        response.headers.update(exchange.headers)
        response.headers["Request-Id"] = exchange.request_id
        response.headers["traceparent"] = exchange.traceparent
        if exchange.visit is not None and exchange.visit.cookie is not None and "Set-Cookie" not in response.headers:
            response.headers["Set-Cookie"] = exchange.visit.cookie
        if exchange.route is None or not exchange.route.page:
            self._surroundings.cors.dress(exchange.request, response)
        _record(exchange, response.status_code)
        if exchange.regency is not None and exchange.route is not None and exchange.route.of_regency:
            self._regencies.count(exchange.regency, response.status_code)
        return response(environ, start_response)

    def _response(self, exchange: Exchange) -> Response:
        try:
            if self._is_preflight(exchange):
                return self._surroundings.cors.allowed(exchange.request)
            call = self._admitted(exchange)
            answer = call.route.operation(self._surroundings, call)
            return response_of(answer, cacheable=call.route.cacheable)
        except Exception as error:  # noqa: BLE001 - whatever fails, the caller gets a problem document
            if not is_published(error):
                _log_fault(exchange, error)
            refused = problem_of(error, exchange.language)
            if refused.document["code"] == "method_not_allowed" and _asks_what_is_allowed(exchange):
                return response_of(Answer(204, None, refused.headers), cacheable=False)
            if exchange.route is not None and exchange.route.page:
                return response_of(page_instead(exchange.route, exchange.raw_path, refused, exchange.language), cacheable=False)
            _tell_undocumented(exchange.route, refused)
            return response_of_problem(refused, exchange.language)

    def _admitted(self, exchange: Exchange) -> Call:
        """Check a request up to the point where its content matters; raises ``Refusal`` or ``DomainError``."""
        request, limits = exchange.request, self._surroundings.limits
        client = client_of(request, self._surroundings.settings.trusted_proxies)
        found = self._find(exchange)
        if not isinstance(found, Exception) and not found.route.infrastructure:
            _check_host(request, self._surroundings.settings.allowed_hosts)
        if not isinstance(found, Exception):
            exchange.route = found.route
            exchange.headers.update(found.route.notice)
        actor = self._identify(exchange, client)
        watched = exchange.route is not None and exchange.route.infrastructure
        if exchange.route is not None and exchange.route.costly:
            limits.count_watcher(client, exchange.route.path, exchange.headers)
        elif not watched and (actor == ANONYMOUS or isinstance(actor, Exception)):
            limits.count_anonymous(client, exchange.headers)
        if isinstance(found, Refusal):
            raise found
        if isinstance(actor, Exception):
            raise actor
        exchange.actor = actor
        route, regency = found.route, found.path_values.get("regency")
        authorise(route.rule, actor, regency, has_ticket_token=TICKET_TOKEN in request.headers)
        if regency is not None:
            exchange.regency = _known_form(regency)
        if not route.infrastructure:
            _check_acceptable(request, route.media_type)
        form = self._checked_change(exchange, route) if route.method != "GET" else {}
        known = (route, request, actor, client, exchange.language, found.path_values, exchange.traceparent)
        return Call(*known, exchange.visit, form, exchange.headers)

    def _identify(self, exchange: Exchange, client: str) -> Actor | Refusal | DomainError:
        """Who calls: by a token, or by the cookie of one of our pages; a token counts alone."""
        request, route, near = exchange.request, exchange.route, self._surroundings
        try:
            if "Authorization" in request.headers or route is None or route.infrastructure:
                return near.tokens.actor(request.headers.get("Authorization"))
            count = functools.partial(near.limits.count_anonymous, client, exchange.headers)
            exchange.visit = near.page_sessions.visit(request, client, needed=not route.is_public, count=count)
        except (Refusal, DomainError) as refusal:
            over = isinstance(refusal, Refusal) and "Set-Cookie" in refusal.headers
            if route is not None and over and route.rule.admits(ANONYMOUS.role, shows_ticket_token=TICKET_TOKEN in request.headers):
                return ANONYMOUS  # a citizen's page in a browser where somebody of the staff was signed in
            return refusal
        return ANONYMOUS if exchange.visit is None else exchange.visit.actor

    def _checked_change(self, exchange: Exchange, route: Route) -> Mapping[str, str]:
        """Refuse what another site has a browser change (``csrf_refused``); return the form that a page of ours sends."""
        request, pages = exchange.request, self._surroundings.page_sessions
        guarded = exchange.visit if not route.is_public else None
        if route.page or guarded is not None:
            pages.check_own_page(request)
        form = read_form(request, self._surroundings.settings.max_body_bytes) if route.page else {}
        if guarded is not None:
            pages.check_token(guarded, form.get(CSRF_FIELD) if route.page else request.headers.get(CSRF_HEADER))
        return form

    def _is_preflight(self, exchange: Exchange) -> bool:
        """Whether a browser asks if another site's script may call a route of the API."""
        request = exchange.request
        if not self._surroundings.cors.asks(exchange.method, request):
            return False
        self._surroundings.limits.count_watcher(client_of(request, self._surroundings.settings.trusted_proxies), "preflight")
        found = self._router.find(request.headers["Access-Control-Request-Method"], exchange.raw_path)
        return not found.route.page

    def _find(self, exchange: Exchange) -> Found | Refusal:
        try:
            return self._router.find(exchange.method, exchange.raw_path)
        except Refusal as refusal:
            return refusal


def _check_host(request: Request, allowed: tuple[str, ...]) -> None:
    """Refuse a request for a name that is not ours, where it is said which are; who watches the process comes by its address."""
    name = request.headers.get("Host", "")
    if allowed and re.sub(r":[0-9]*$", "", name).lower() not in allowed:
        raise Refusal("host_unknown")


def _asks_what_is_allowed(exchange: Exchange) -> bool:
    """Whether somebody asks for the methods of an address; a browser that asks for another site's script has been refused."""
    return exchange.method == "OPTIONS" and "Access-Control-Request-Method" not in exchange.request.headers


def _known_form(regency: str) -> str:
    """Return a slug that can be one; raises ``regency_unknown`` before a service has to."""
    try:
        return checked_slug(regency)
    except DomainError as unknown:
        raise Refusal("regency_unknown") from unknown


def _new_trace() -> str:
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00"


def _given(value: str | None, pattern: re.Pattern[str]) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None


def _check_acceptable(request: Request, offered: str) -> None:
    accepted, problems = request.accept_mimetypes, [MEDIA_TYPE] if offered == JSON else []
    if accepted and not accepted.best_match([offered, *problems]):
        raise Refusal("not_acceptable", available=[offered])


def _record(exchange: Exchange, status: int) -> None:
    seconds = time.perf_counter() - exchange.started
    route = exchange.route.path if exchange.route else "unknown"
    method = exchange.method if exchange.method in _METHODS else "other"
    metrics.HTTP_REQUESTS.labels(route, method, f"{status // 100}xx").observe(seconds)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        metrics.HTTP_FAILURES.labels(route, method if exchange.route else "other").inc()
    if exchange.route is None or not exchange.route.infrastructure:
        log.info(
            "http_request",
            method=method,
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 1),
            regency=exchange.regency,
            role=exchange.actor.role,
            request_id=exchange.request_id,
            traceparent=exchange.traceparent,
        )


def _tell_undocumented(route: Route | None, answer: ProblemAnswer) -> None:
    """Say when a route answers with a code that its documentation does not list: that is a mistake of ours."""
    code = answer.document["code"]
    if route is not None and code not in problem_codes(route):
        log.error("problem_undocumented", route=route.path, method=route.method, code=code)


def _log_fault(exchange: Exchange, error: Exception) -> None:
    """Log where it happened, not the message: it may quote what a person has sent."""
    frames = traceback.extract_tb(error.__traceback__)
    log.error(
        "http_fault",
        error=type(error).__name__,
        route=exchange.route.path if exchange.route else "unknown",
        request_id=exchange.request_id,
        traceparent=exchange.traceparent,
        at=[f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    )
