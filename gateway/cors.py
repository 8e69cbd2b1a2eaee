"""Frontends on other hosts: whose scripts may call the API (CORS), by ``MPP_CORS_ORIGINS``; nobody's unless configured.

Named origins alone, and never with cookies: a script from elsewhere shows a token, or acts as anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from werkzeug.wrappers import Request, Response

from gateway.openapi.components import HEADERS

MAX_AGE_SECONDS: Final = 7_200
"""Browsers ask no more often; Chromium keeps no answer for longer."""

_MAY_SEND: Final = ", ".join(
    (
        *("Accept-Language", "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID"),
        *("Request-Id", "Ticket-Token", "traceparent"),
    )
)
_MAY_READ: Final = ", ".join(sorted(HEADERS))


class Cors:
    """The rule of one gateway."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)

    def asks(self, method: str, request: Request) -> bool:
        """Whether a browser asks on behalf of an admitted origin if its script may send a request (preflight)."""
        return method == "OPTIONS" and "Access-Control-Request-Method" in request.headers and self._admits(request)

    def allowed(self, request: Request) -> Response:
        """Return the answer that lets the script send what it wants to."""
        headers = {
            "Access-Control-Allow-Methods": request.headers["Access-Control-Request-Method"],
            "Access-Control-Allow-Headers": _MAY_SEND,
            "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
            "Cache-Control": "no-store",
        }
        return Response(status=204, headers=headers)

    def dress(self, request: Request, response: Response) -> None:
        """Let an admitted origin's script read an answer, and tell caches that answers differ by origin."""
        if not self._origins:
            return
        response.vary.add("Origin")
        if self._admits(request):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = _MAY_READ

    def _admits(self, request: Request) -> bool:
        return request.headers.get("Origin") in self._origins
