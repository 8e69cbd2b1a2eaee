"""Finds the route of a request path, exactly: nothing is redirected, merged or normalised.

A path that could mean something else to a proxy in front of us (``//``, ``..``, an encoded slash, control
characters, invalid UTF-8) is an unknown path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from gateway.problems import Refusal
from gateway.route import Route

LONGEST_SEGMENT = 200


@dataclass(frozen=True)
class Found:
    """A route and the values of the parameters in its path."""

    route: Route
    path_values: dict[str, str]


@dataclass(frozen=True)
class _Template:
    segments: tuple[str, ...]
    routes: dict[str, Route]

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        values = {}
        for pattern, segment in zip(self.segments, segments, strict=True):
            if pattern.startswith("{"):
                values[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return values

    def not_allowed(self) -> Refusal:
        allowed = sorted({*self.routes, *(("HEAD",) if "GET" in self.routes else ()), "OPTIONS"})
        return Refusal("method_not_allowed", headers={"Allow": ", ".join(allowed)}, allowed=allowed)


class Router:
    """The route table, arranged for look-up by number of segments. Literal segments win over parameters."""

    def __init__(self, routes: Iterable[Route]) -> None:
        by_path: dict[str, dict[str, Route]] = defaultdict(dict)
        for route in routes:
            if route.method in by_path[route.path]:
                raise ValueError(f"two routes for {route.method} {route.path}")
            by_path[route.path][route.method] = route
        templates = [_Template(tuple(path.split("/")[1:]), methods) for path, methods in by_path.items()]
        templates.sort(key=lambda template: [segment.startswith("{") for segment in template.segments])
        self._by_length: dict[int, list[_Template]] = defaultdict(list)
        for template in templates:
            self._by_length[len(template.segments)].append(template)

    def find(self, method: str, raw_path: str) -> Found:
        """Return the route; raises ``Refusal`` with ``path_unknown`` or ``method_not_allowed`` (and ``Allow``)."""
        segments = decoded_segments(raw_path)
        for template in self._by_length.get(len(segments), ()):
            values = template.match(segments)
            if values is None:
                continue
            route = template.routes.get("GET" if method == "HEAD" else method)
            if route is None:
                raise template.not_allowed()
            return Found(route, values)
        raise Refusal("path_unknown")


def decoded_segments(raw_path: str) -> tuple[str, ...]:
    """Split a raw request path and decode each segment; raises ``Refusal("path_unknown")`` for tricks."""
    if raw_path == "/":
        return ("",)
    if not raw_path.startswith("/") or not raw_path.isascii():
        raise Refusal("path_unknown")
    return tuple(_decoded(segment) for segment in raw_path.split("/")[1:])


def _decoded(segment: str) -> str:
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("path_unknown") from None
    if not text or len(text) > LONGEST_SEGMENT or text in (".", "..") or "/" in text or "\\" in text:
        raise Refusal("path_unknown")
    if not text.isprintable():
        raise Refusal("path_unknown")
    return text
