"""What a problem is: an HTTP status and its words in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    fuller: tuple[tuple[str, str], ...] = ()
    """Better details in both languages, the best first, where the details have what they name. Names that end in ``_at`` are instants."""

    def title(self, locale: str) -> str:
        """What is wrong, in Indonesian unless `locale` is ``en``."""
        return self.title_en if locale == ENGLISH else self.title_id

    def detail_in(self, locale: str) -> str | None:
        """What to do next as it is written, with the names of what is filled in."""
        return self.detail_en if locale == ENGLISH else self.detail_id

    def fuller_in(self, locale: str) -> tuple[str, ...]:
        """The better details as they are written."""
        return tuple(english if locale == ENGLISH else indonesian for indonesian, english in self.fuller)

    def detail(self, locale: str, details: Mapping[str, Any]) -> str | None:
        """What to do next, as fully as `details` allow; None when there is nothing to say or they lack what the sentence needs."""
        words = {key: readable_instant(value, locale) if key.endswith("_at") else _words(value) for key, value in details.items()}
        for indonesian, english in (*self.fuller, (self.detail_id, self.detail_en)):
            template = english if locale == ENGLISH else indonesian
            try:
                return None if template is None else template.format_map(words)
            except (KeyError, IndexError):
                continue
        return None


def readable_instant(value: str, locale: str) -> str:
    """An RFC 3339 time as people say it, in its own offset: ``Rabu, 25 Maret 2026 pukul 08.00 WIB``.

    What cannot be read (the details of a newer service) is shown as it is.
    """
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _words(value)
    zone = _ZONES.get(instant.utcoffset() or timedelta(0), f"{instant:%z}")
    weekday, month = instant.weekday(), instant.month - 1
    if locale == ENGLISH:
        return f"{_WEEKDAYS_EN[weekday]}, {instant.day} {_MONTHS_EN[month]} {instant.year} at {instant:%H:%M} {zone}"
    return f"{_WEEKDAYS_ID[weekday]}, {instant.day} {_MONTHS_ID[month]} {instant.year} pukul {instant:%H.%M} {zone}"


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


_ZONES = {timedelta(hours=7): "WIB", timedelta(hours=8): "WITA", timedelta(hours=9): "WIT"}
_WEEKDAYS_ID = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS_ID = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)
_MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
