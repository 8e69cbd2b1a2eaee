"""The one place that turns an error into a problem document (RFC 9457).

Codes, statuses and sentences come from ``services.contracts.problems``; this module lays them out. What a caller
sees of a fault is ``unexpected`` and nothing of the inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.contracts.field_rules import Message
from services.contracts.problems import PROBLEMS, field_errors
from services.contracts.redaction import without_numbers

MEDIA_TYPE: Final = "application/problem+json"

_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "code"})
"""Members that RFC 9457 and this API define; a detail of the same name is called ``current_<name>``."""

_RETRY_SECONDS = {"service_unavailable": 2, "deadline_exceeded": 1, "busy": 1}
"""When asking again makes sense; a rate limit brings its own time."""

_CHALLENGE = 'Bearer realm="mpp"'


class Refusal(Exception):
    """The edge refuses a request; ``code`` is one of the published problem codes.

    ``headers`` belong to the answer (``Allow``, ``Retry-After``), ``details`` to the document.
    """

    def __init__(self, code: str, headers: Mapping[str, str] | None = None, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.headers = dict(headers or {})
        self.details = details


def invalid(code: str, field_name: str, rule: str, **parameters: Any) -> Refusal:
    """Return the refusal of one field; ``rule`` is one of ``services.contracts.field_rules``. A NIK for a name is not repeated."""
    text = str(Message(rule, **parameters))
    return Refusal(code, errors=[{"field": without_numbers(field_name), "rule": rule, "parameters": parameters, "message": text}])


@dataclass(frozen=True)
class ProblemAnswer:
    """A problem ready to be sent: the document, its status and the headers that belong to it."""

    status: int
    document: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def is_published(error: BaseException) -> bool:
    """Whether an error carries a published code; everything else is a fault of ours."""
    code = getattr(error, "code", None)
    return isinstance(code, str) and code in PROBLEMS


def problem_of(error: BaseException, language: str) -> ProblemAnswer:
    """Return the answer for any exception, in ``language`` ("id" or "en")."""
    if not is_published(error):
        return problem("unexpected", language)
    details = getattr(error, "details", None) or {}
    return problem(str(getattr(error, "code", "")), language, details, getattr(error, "headers", None))


def problem(
    code: str,
    language: str,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemAnswer:
    """Return the problem document of a published code with ``details`` as extension members."""
    published, details = PROBLEMS[code], details or {}
    document: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": published.title(language),
        "status": published.status,
        "detail": published.detail(language, details),
        "code": code,
    }
    if document["detail"] is None:
        del document["detail"]
    for name, value in details.items():
        if name == "errors":
            document["errors"] = field_errors(details, language)
        else:
            document[f"current_{name}" if name in _MEMBERS else name] = value
    return ProblemAnswer(published.status, document, {**_headers_of(code, published.status, details), **(headers or {})})


def _headers_of(code: str, status: int, details: Mapping[str, Any]) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"' if code == "token_invalid" else _CHALLENGE}
    if status == 429 and "retry_after" in details:
        return {"Retry-After": str(details["retry_after"])}
    if code in _RETRY_SECONDS:
        return {"Retry-After": str(_RETRY_SECONDS[code])}
    return {}
