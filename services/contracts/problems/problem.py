"""What a problem is: an HTTP status and its words in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INDONESIAN, ENGLISH = "id", "en"
LOCALES = (INDONESIAN, ENGLISH)
"""Languages of titles and details; the first is used when the reader asks for none of them."""


@dataclass(frozen=True)
class Problem:
    """A kind of refusal or failure, in both languages."""

    status: int
    title_id: str
    title_en: str
    detail_id: str | None = None
    detail_en: str | None = None

    def title(self, locale: str) -> str:
        """What is wrong, in Indonesian unless `locale` is ``en``."""
        return self.title_en if locale == ENGLISH else self.title_id

    def detail(self, locale: str, details: Mapping[str, Any]) -> str | None:
        """What to do next; None when there is nothing to say or `details` lack what the sentence needs."""
        template = self.detail_en if locale == ENGLISH else self.detail_id
        if template is None:
            return None
        try:
            return template.format_map({key: _words(value) for key, value in details.items()})
        except (KeyError, IndexError):
            return None


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
