"""Operations on what changes by itself: boards of sites and tickets that somebody follows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.answers import Answer, encoded
from gateway.board.streams import Stream
from gateway.board.watch import in_order, tag_of
from gateway.call import Call, Surroundings
from gateway.operations import payload_of, service_answer
from gateway.preconditions import TICKET_TOKEN, is_unchanged
from gateway.route import EVENT_STREAM

_TICKET_TAG = re.compile(r'"([0-9]{1,9})\.[0-9a-f]{24}"')


def board(surroundings: Surroundings, call: Call) -> Answer:
    """Answer the newest board; 304 when the reader holds it."""
    site = payload_of(surroundings, call)["site"]
    shown = surroundings.boards.board(str(call.regency), site, surroundings.settings.command_deadline)
    return _tagged(call, shown.body, shown.tag)


def board_stream(surroundings: Surroundings, call: Call) -> Answer:
    """Stream the site's boards: the newest at once, then each change."""
    regency, site, seconds = str(call.regency), payload_of(surroundings, call)["site"], surroundings.settings.command_deadline
    if call.request.method == "HEAD":
        surroundings.boards.board(regency, site, seconds)
        return Answer(200, b"", media_type=EVENT_STREAM)
    stream = surroundings.boards.board_stream(regency, site, call.client, seconds)
    return _streaming(call, stream)


def ticket(surroundings: Surroundings, call: Call) -> Answer:
    """Answer a ticket; who asks again and again is answered from what the gateway knows already.

    The first time, and whenever somebody holds a newer state than we do, ticketing is asked.
    """
    regency, token = str(call.regency), call.request.headers.get(TICKET_TOKEN)
    held = call.request.headers.get("If-None-Match")
    parameters = payload_of(surroundings, call)
    if held is not None and token is not None:
        known = surroundings.boards.ticket(regency, parameters["id"], token, _version_in(held))
        if known is not None:
            return _ticket_answer(call, known)
    answer = service_answer(surroundings, call)
    if held is not None and token is not None:
        surroundings.boards.follow(regency, answer, token, surroundings.settings.command_deadline)
    return _ticket_answer(call, answer)


def ticket_stream(surroundings: Surroundings, call: Call) -> Answer:
    """Stream a ticket's states, until the last one."""
    answer = service_answer(surroundings, call)
    if call.request.method == "HEAD":
        return Answer(200, b"", media_type=EVENT_STREAM)
    token, seconds = call.request.headers.get(TICKET_TOKEN), surroundings.settings.command_deadline
    stream = surroundings.boards.ticket_stream(str(call.regency), answer, token, call.client, seconds)
    return _streaming(call, stream)


def _streaming(call: Call, stream: Stream) -> Answer:
    environ = call.request.environ
    stream.attach(environ.get("mpp.connection"), chunked=environ.get("mpp.chunked", True))
    return Answer(200, stream, media_type=EVENT_STREAM)


def _ticket_answer(call: Call, answer: Mapping[str, Any]) -> Answer:
    place = {name: answer[name] for name in ("position", "estimated_wait_seconds")}
    body = encoded({**in_order(answer), **place})
    return _tagged(call, body, f'"{answer["version"]}.{tag_of(body)[1:]}')


def _tagged(call: Call, body: bytes, tag: str) -> Answer:
    if is_unchanged(call.request.headers.get("If-None-Match"), tag):
        return Answer(304, None, {"ETag": tag})
    return Answer(200, body, {"ETag": tag})


def _version_in(if_none_match: str) -> int:
    """Return the newest version of the ticket that the reader says to hold."""
    return max((int(version) for version in _TICKET_TAG.findall(if_none_match)), default=0)
