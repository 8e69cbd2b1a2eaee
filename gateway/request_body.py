"""Reads a request's JSON body strictly, and never more of it than the limit.

Everything that two parsers could understand differently is refused: duplicate members, NaN, byte order marks,
other encodings. Text that PostgreSQL or UTF-8 cannot hold (NUL, lone surrogates) is refused before any schema
sees it, also in the names of members.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, Protocol

from werkzeug.http import parse_options_header
from werkzeug.wrappers import Request

from gateway.problems import Refusal, invalid

JSON = "application/json"

DEEPEST = 32
"""Levels of nesting; the deepest contract has five."""

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that every JSON parser reads exactly (RFC 8259, section 6)."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What neither PostgreSQL nor UTF-8 can hold."""

_BLOCK = 16_384


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_object(request: Request, limit: int) -> dict[str, Any]:
    """Return the body as an object; ``{}`` when there is none.

    Raises ``Refusal``: ``body_too_large``, ``media_type_unsupported``, ``json_malformed`` or ``payload_invalid``.
    """
    raw = read_body(request, limit)
    if not raw:
        return {}
    _check_media_type(request)
    value = _parse(raw)
    if not isinstance(value, dict):
        raise invalid("payload_invalid", "", "not_object")
    _check_values(value)
    return value


def nothing_of(request: Request, limit: int) -> dict[str, Any]:
    """Read a body of any media type and forget it; refuses one that is too large or cut short."""
    read_body(request, limit)
    return {}


def read_body(request: Request, limit: int) -> bytes:
    """Return the body as it came. Raises ``Refusal``: ``body_too_large``, or ``json_malformed`` for one that is cut short."""
    declared = request.content_length
    if declared is not None and declared > limit:
        raise Refusal("body_too_large", limit=limit)
    stream: _Stream = request.environ["wsgi.input"]
    if declared is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    blocks: list[bytes] = []
    size = 0
    wanted = limit + 1 if declared is None else declared
    try:
        while size < wanted:
            block = stream.read(min(_BLOCK, wanted - size))
            if not block:
                break
            blocks.append(block)
            size += len(block)
    except (OSError, ValueError) as cut_short:  # the client went away, was too slow, or broke the chunk framing
        raise Refusal("json_malformed") from cut_short
    if size > limit:
        raise Refusal("body_too_large", limit=limit)
    if declared is not None and size < declared:
        raise Refusal("json_malformed")
    return b"".join(blocks)


def _check_media_type(request: Request) -> None:
    media_type, options = parse_options_header(request.headers.get("Content-Type"))
    charset = options.get("charset", "utf-8").lower()
    if media_type.lower() != JSON or charset not in ("utf-8", "utf8"):
        raise Refusal("media_type_unsupported", accepted=[JSON])
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise Refusal("media_type_unsupported", accepted=[JSON])


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as malformed:
        raise Refusal("json_malformed") from malformed


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member appears twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("out of range")
    return number


def _check_values(document: dict[str, Any]) -> None:
    """Walk the document, without recursion, and refuse what nothing may store."""
    pending: list[tuple[str, int, Any]] = [("", 1, document)]
    while pending:
        path, depth, value = pending.pop()
        if depth > DEEPEST:
            raise Refusal("json_malformed")
        if isinstance(value, dict):
            for name, member in value.items():
                _check_text(name, path)
                pending.append((f"{path}.{name[:80]}" if path else name[:80], depth + 1, member))
        elif isinstance(value, list):
            pending.extend((f"{path}.{index}" if path else str(index), depth + 1, item) for index, item in enumerate(value))
        elif isinstance(value, str):
            _check_text(value, path)
        elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            raise invalid("payload_invalid", path, "out_of_range", min=-LARGEST_INTEGER, max=LARGEST_INTEGER)


def _check_text(text: str, path: str) -> None:
    if UNSTORABLE.search(text):
        raise invalid("payload_invalid", path, "unreadable_characters")
