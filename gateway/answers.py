"""What leaves the gateway: compact JSON in UTF-8, with the headers that keep browsers and caches honest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from werkzeug.wrappers import Response

from gateway.problems import MEDIA_TYPE, ProblemAnswer

JSON: Final = "application/json"

_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_STREAMED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No cache keeps a stream and no proxy (nginx reads the second) collects it."""

_PRIVATE = "no-store"
_REVALIDATE = "no-cache"


@dataclass(frozen=True)
class Answer:
    """The answer of an operation. ``content`` is JSON data, or text with its own ``media_type``, or ``None``, or an
    iterator of bytes whose end nobody knows: it is closed when the answer ends, however it ends."""

    status: int = 200
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = JSON
    cookies: tuple[str, ...] = ()
    """Values of ``Set-Cookie``."""


def encoded(content: Any) -> bytes:
    """Return compact JSON in UTF-8."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def response_of(answer: Answer, *, cacheable: bool) -> Response:
    """Return the HTTP response of an operation; what is not ``cacheable`` may be kept by nobody."""
    response = _response_of(answer, cacheable=cacheable and not answer.cookies)
    for cookie in answer.cookies:
        response.headers.add("Set-Cookie", cookie)
    return response


def _response_of(answer: Answer, *, cacheable: bool) -> Response:
    headers = {**_SECURITY, "Cache-Control": _REVALIDATE if cacheable else _PRIVATE, **answer.headers}
    if answer.content is None:
        response = Response(status=answer.status, headers=headers)
        del response.headers["Content-Type"]
        return response
    if isinstance(answer.content, Iterator):
        headers.update(_STREAMED)
        return Response(answer.content, status=answer.status, headers=headers, content_type=answer.media_type, direct_passthrough=True)
    body = answer.content if isinstance(answer.content, bytes) else encoded(answer.content)
    return Response(body, status=answer.status, headers=headers, content_type=answer.media_type)


def response_of_problem(answer: ProblemAnswer, language: str) -> Response:
    """Return the HTTP response of a problem document."""
    headers = {
        **_SECURITY,
        "Cache-Control": _PRIVATE,
        "Content-Language": language,
        "Vary": "Accept-Language",
        **answer.headers,
    }
    return Response(encoded(answer.document), status=answer.status, headers=headers, content_type=MEDIA_TYPE)
