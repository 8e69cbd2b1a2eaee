"""Every problem that an answer can have (RFC 9457): its stable code, HTTP status and words for the person who reads it.

A title says what is wrong. A detail, where one can be given, says what to do next; it may name what the error's details
hold (``{status}``), and is left out when they do not hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.contracts.field_rules import message
from services.contracts.problems.access import ACCESS_PROBLEMS, UNKNOWN_PROBLEMS
from services.contracts.problems.problem import ENGLISH, INDONESIAN, LOCALES, Problem, readable_instant
from services.contracts.problems.requests import REQUEST_PROBLEMS
from services.contracts.problems.rules import AVAILABILITY_PROBLEMS, RULE_PROBLEMS

__all__ = ["ENGLISH", "INDONESIAN", "LOCALES", "PROBLEMS", "Problem", "field_errors", "problem", "readable_instant"]

PROBLEMS: dict[str, Problem] = {
    **REQUEST_PROBLEMS,
    **ACCESS_PROBLEMS,
    **UNKNOWN_PROBLEMS,
    **RULE_PROBLEMS,
    **AVAILABILITY_PROBLEMS,
}
"""Problem by code."""


def problem(code: str) -> Problem:
    """The problem of a code; a code that this release does not know (from a newer service) is ``unexpected``."""
    return PROBLEMS.get(code, PROBLEMS["unexpected"])


def field_errors(details: Mapping[str, Any], locale: str) -> list[dict[str, str]]:
    """The errors by field of ``payload_invalid``, in the reader's language: ``[{"field", "rule", "message"}]``."""
    return [
        {
            "field": str(error.get("field", "")),
            "rule": str(error.get("rule", "invalid")),
            "message": message(error, locale),
        }
        for error in details.get("errors", ())
    ]
