"""Which operation goes on from the answer of another (OpenAPI links): for readers, and for tests that walk through the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.route import Route

Link = dict[str, Any]

_ID: Final = "$response.body#/id"
_REGENCY: Final = {"path.regency": "$request.path.regency"}

_AT_COUNTER = ("startTicket", "recallTicket", "undoCall", "holdTicket", "returnTicket", "markNoShow")
_WAITING = ("getTicket", "callTicket", "cancelTicket", "confirmPrinting", "setPriority")

_NEXT_STEPS: Final[dict[str, tuple[str, ...]]] = {
    "issueTicket": _WAITING,
    "transferTicket": _WAITING,
    "rejoinTicket": _WAITING,
    "returnTicket": _WAITING,
    "callNext": _AT_COUNTER,
    "callTicket": _AT_COUNTER,
    "resumeTicket": _AT_COUNTER,
    "startTicket": ("completeTicket", "transferTicket", "holdTicket"),
    "holdTicket": ("resumeTicket", "cancelTicket"),
    "markNoShow": ("rejoinTicket",),
    "completeTicket": ("getTicket",),
    "createWebhook": ("getWebhook", "updateWebhook", "testWebhook", "pauseWebhook", "rotateWebhookSecret", "deleteWebhook"),
    "pauseWebhook": ("resumeWebhook",),
    "createSubscription": ("getSubscription", "deleteSubscription", "unsubscribe"),
}
"""Operations on the very object that was answered."""

_BODIES: Final[dict[str, dict[str, dict[str, str]]]] = {
    "issueAccessToken": {"refreshAccessToken": {"refresh_token": "$response.body#/refresh_token"}},
    "refreshAccessToken": {"signOut": {"refresh_token": "$response.body#/refresh_token"}},
    "beginPairing": {"claimPairing": {"device_code": "$response.body#/device_code"}},
}
"""Operations whose body holds something of the answer."""

_COUNTER_STEPS: Final[dict[str, tuple[str, ...]]] = {"openCounter": ("callNext", "getDesk", "pauseCounter", "closeCounter")}


def links_of(route: Route) -> dict[str, Link]:
    """Return the links of a route's answer by name."""
    return {link["operationId"]: link for link in _links(route)}


def _links(route: Route) -> Iterator[Link]:
    name = route.operation_id
    for following in _NEXT_STEPS.get(name, ()):
        yield {"operationId": following, "parameters": {**_REGENCY, "path.id": _ID}}
    for following in _COUNTER_STEPS.get(name, ()):
        yield {"operationId": following, "parameters": {**_REGENCY, "path.counter": "$request.path.counter"}}
    for following, body in _BODIES.get(name, {}).items():
        yield {"operationId": following, "requestBody": body}
    if route.rpc is not None and route.rpc.service == "catalog" and route.of_regency:
        yield from _of_collection(route)
    if route.paged:
        parameters = {f"path.{path}": f"$request.path.{path}" for path in route.path_parameters}
        yield {"operationId": name, "parameters": {**parameters, "query.cursor": "$response.body#/next_cursor"}}


def _of_collection(route: Route) -> Iterator[Link]:
    """An object that was made is read, and one that was read or changed is changed by the version that was seen."""
    verb = next((verb for verb in ("create", "get", "update") if route.operation_id.startswith(verb) and route.tagged), None)
    if verb is None:
        return
    one = route.operation_id.removeprefix(verb)
    held = {"header.If-Match": "$response.header.ETag"}
    if verb == "create":
        yield {"operationId": f"get{one}", "parameters": {**_REGENCY, "path.id": _ID}}
    yield {"operationId": f"update{one}", "parameters": {**_REGENCY, "path.id": _ID, **held}}
