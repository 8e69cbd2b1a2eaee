"""Pages for who writes a program: the reference of the API, what its problems mean, and how routes go away."""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gateway.answers import Answer
from gateway.call import Call, Surroundings
from gateway.pages.rendering import DOCUMENTATION_POLICY, page
from gateway.problems import problem
from gateway.route import SHORTEST_NOTICE
from services.contracts.problems import LOCALES, PROBLEMS

_NAMED = re.compile(r"\{(\w+)\}")
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """An operation of the document, and where its reference stands in ``/docs``."""

    method: str
    path: str
    href: str


def reference(_surroundings: Surroundings, call: Call) -> Answer:
    """Everything that the API offers, to read and to try."""
    return page("docs.html", call.language, headers={"Content-Security-Policy": DOCUMENTATION_POLICY})


def deprecation(_surroundings: Surroundings, call: Call) -> Answer:
    """What is promised about changes, and how a program hears of them."""
    return page("deprecation.html", call.language, languages=_first(call.language), days=SHORTEST_NOTICE.days)


def problems(_surroundings: Surroundings, call: Call) -> Answer:
    """All codes by status."""
    by_status: dict[int, list[dict[str, str]]] = defaultdict(list)
    for code, known in sorted(PROBLEMS.items()):
        by_status[known.status].append({"code": code, "title": known.title(call.language)})
    groups = [{"status": f"{status} {HTTPStatus(status).phrase}", "problems": found} for status, found in sorted(by_status.items())]
    return page("problems.html", call.language, groups=groups)


def one_problem(surroundings: Surroundings, call: Call) -> Answer:
    """What a code means, what to do about it, and where it may come from. It is what the ``type`` of a problem document names."""
    code = call.path_values["code"]
    known = PROBLEMS.get(code)
    if known is None:
        return page("message.html", call.language, 404, {"Cache-Control": "no-store"}, word="no_such_problem", known=False)
    advice = {
        language: [_readable(text) for text in dict.fromkeys((known.detail_in(language), *known.fuller_in(language))) if text]
        for language in LOCALES
    }
    example = problem(code, call.language, {"retry_after": 7} if known.status == HTTPStatus.TOO_MANY_REQUESTS else {})
    return page(
        "problem.html",
        call.language,
        code=code,
        status_line=f"{known.status} {HTTPStatus(known.status).phrase}",
        titles={language: known.title(language) for language in LOCALES},
        advice=advice,
        languages=_first(call.language),
        members=_members(code),
        example=json.dumps(example.document, ensure_ascii=False, indent=2),
        beside=example.headers,
        operations=operations_by_problem(surroundings.openapi[call.language]).get(code, ()),
    )


@functools.lru_cache(maxsize=4)
def operations_by_problem(document: bytes) -> Mapping[str, tuple[Operation, ...]]:
    """Return by code which operations an OpenAPI document says may answer with it."""
    found: dict[str, list[Operation]] = defaultdict(list)
    for path, methods in json.loads(document).get("paths", {}).items():
        for method in _METHODS:
            for code in _codes(methods.get(method, {})):
                href = f"/docs#/{methods[method]['tags'][0]}/{methods[method]['operationId']}"
                found[code].append(Operation(method.upper(), path, href))
    return {code: tuple(operations) for code, operations in found.items()}


def _codes(operation: Mapping[str, Any]) -> Iterator[str]:
    for response in operation.get("responses", {}).values():
        yield from response.get("content", {}).get("application/problem+json", {}).get("examples", {})


def _members(code: str) -> list[str]:
    """Return the names of members that a problem's sentences quote."""
    known = PROBLEMS[code]
    texts = [text for text in (known.detail_en, *(english for _, english in known.fuller)) if text]
    return sorted({name for text in texts for name in _NAMED.findall(text)})


def _readable(text: str) -> str:
    """Return a sentence with the names of what an answer fills in."""
    return _NAMED.sub("‹\\1›", text)


def _first(language: str) -> list[str]:
    """Return both languages, that of the reader first."""
    return sorted(LOCALES, key=lambda other: other != language)
