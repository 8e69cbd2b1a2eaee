"""The language of an answer: Indonesian first, English second."""

from __future__ import annotations

from werkzeug.http import parse_accept_header

from services.contracts.problems import INDONESIAN, LOCALES

_LONGEST_HEADER = 512
"""No browser sends more; a longer list is not worth the parsing."""


def preferred_language(accept_language: str | None) -> str:
    """Return "id" or "en" for an ``Accept-Language`` header; Indonesian when it names neither or is unusable."""
    if not accept_language or len(accept_language) > _LONGEST_HEADER:
        return INDONESIAN
    offered = [(_primary(tag), quality) for tag, quality in parse_accept_header(accept_language)]
    wanted = [(tag, quality) for tag, quality in offered if tag in LOCALES and quality > 0]
    return max(wanted, key=lambda item: item[1])[0] if wanted else INDONESIAN


def _primary(tag: str) -> str:
    return tag.partition("-")[0].strip().lower()
