"""The event log over HTTP: which stream is meant, and who keeps it."""

from __future__ import annotations

from typing import Any, Final

from gateway.answers import Answer
from gateway.call import Call, Surroundings
from gateway.operations import payload_of
from gateway.parameters import query_values
from gateway.problems import Refusal, invalid
from services.chassis.context import SYSTEM, CallContext
from services.chassis.errors import DomainError
from services.chassis.settings import SERVICES

NOTHING_YET: Final[dict[str, Any]] = {"items": [], "next_cursor": None}


def read(surroundings: Surroundings, call: Call) -> Answer:
    """Answer a page of one stream. A stream in which nothing has happened yet is empty, not unknown."""
    payload = payload_of(surroundings, call)
    source, site = payload.get("source"), payload.get("site")
    if source is not None and site is not None:
        raise invalid("parameter_invalid", "site", "unknown")
    owner = _owner(call, source) if source is not None else "ticketing" if site is not None else "catalog"
    context = call.context(surroundings.settings.command_deadline)
    try:
        return Answer(200, surroundings.rpc.call(owner, "read_events", payload, context))
    except DomainError as error:
        if error.code != "stream_unknown":
            raise
    site = _site_of(source) if source is not None else site
    if site is not None:  # raises for a site that does not exist
        surroundings.rpc.call("catalog", "get_site", {"id": site}, CallContext(call.regency, SYSTEM, deadline=context.deadline))
    return Answer(200, NOTHING_YET)


def streams(surroundings: Surroundings, call: Call) -> Answer:
    """Answer all streams of the regency, whichever service writes them."""
    query_values(call.route, call.request.environ.get("QUERY_STRING", ""))  # takes none
    context = call.context(surroundings.settings.command_deadline)
    found = [item for owner in SERVICES for item in surroundings.rpc.call(owner, "list_streams", {}, context)["items"]]
    return Answer(200, {"items": sorted(found, key=lambda stream: str(stream["source"]))})


def _owner(call: Call, source: str) -> str:
    """Return the service that writes a stream; raises ``stream_unknown`` for one of another regency or of nobody."""
    _, _, regency, owner, *_ = source.split("/")
    if regency != call.regency or owner not in SERVICES:
        raise Refusal("stream_unknown", regency=call.regency)
    return owner


def _site_of(source: str) -> str | None:
    _, found, site = source.partition("/sites/")
    return site if found else None
