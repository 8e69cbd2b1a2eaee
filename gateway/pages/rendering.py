"""Makes pages and hands out what belongs to them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.answers import Answer
from gateway.pages.words import WORDS
from gateway.preconditions import is_unchanged
from services.contracts.problems import readable_instant

HTML: Final = "text/html; charset=utf-8"

_FOLDER = Path(__file__).parent
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action {forms}; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline, nothing from elsewhere: whatever text a catalogue holds, it stays text, also in the hands of our scripts."""

_NOT_NEEDED = "accelerometer camera display-capture geolocation gyroscope magnetometer microphone midi payment serial usb"

_OF_PAGES = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _NOT_NEEDED.split()),
    # Nothing to other sites; with "no-referrer" browsers would send our own forms with the origin "null".
    "Referrer-Policy": "same-origin",
}

DOCUMENTATION_POLICY = _POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""The renderer's style sheet holds its icons itself."""

_SECONDS_TO_RETRY = 5


@functools.cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(local_time=_local_time, minutes=minutes, instant=readable_instant)
    return environment


def page(
    template: str, language: str, status: int = 200, headers: Mapping[str, str] | None = None, *, forms: bool = False, **values: Any
) -> Answer:
    """Return a page in ``language`` ("id" or "en"); ``forms``: it has some, which are sent to us."""
    words = WORDS[language]
    html = _templates().get_template(template).render(language=language, words=words, **values)
    policy = _POLICY.format(forms="'self'" if forms else "'none'")
    always = {**_OF_PAGES, "Content-Security-Policy": policy, "Content-Language": language, "Vary": "Accept-Language"}
    return Answer(status, html.encode(), {**always, **(headers or {})}, HTML)


def page_of_problem(status: int, language: str, headers: Mapping[str, str]) -> Answer:
    """Return the page that tells a person what a problem document tells a program."""
    word = {400: "refused", 403: "refused", 404: "not_found", 422: "not_found", 429: "too_many", 503: "unavailable"}.get(status, "failed")
    again = {"Refresh": str(_SECONDS_TO_RETRY)} if status in (429, 503) else {}
    shown = 404 if status == 422 else status  # an address that cannot be one is, for a person, one that does not exist
    return page("message.html", language, shown, {**headers, **again, "Cache-Control": "no-store"}, word=word, known=status in (404, 422))


@functools.cache
def _file(path: Path) -> tuple[bytes, str]:
    content = path.read_bytes()
    return content, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


@functools.cache
def _static_files() -> Mapping[str, Path]:
    """Return style sheets and scripts by name: our own, and those of others (:mod:`gateway.pages.vendoring`)."""
    files = [*(_FOLDER / "static").iterdir(), *(_FOLDER / "vendor").iterdir()]
    return {path.name: path for path in sorted(files) if path.suffix in _MEDIA_TYPES}


def static_names() -> tuple[str, ...]:
    """Return the names of all style sheets and scripts."""
    return tuple(sorted(_static_files()))


def static(name: str, if_none_match: str | None) -> Answer | None:
    """Return a style sheet or script; ``None`` when there is none of that name."""
    path = _static_files().get(name)
    if path is None:
        return None
    content, tag = _file(path)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if is_unchanged(if_none_match, tag):
        return Answer(304, None, headers)
    return Answer(200, content, headers, _MEDIA_TYPES[Path(name).suffix])


def _local_time(instant: str, timezone: str, language: str) -> str:
    """Write the time of day as people do: 10.12 in Indonesian, 10:12 in English."""
    local = datetime.fromisoformat(instant).astimezone(ZoneInfo(timezone))
    return f"{local:%H:%M}" if language == "en" else f"{local:%H.%M}"


def minutes(seconds: int | None) -> str:
    """Write an estimate in whole minutes, rounded up: nobody should come too late."""
    return "–" if seconds is None else str(-(-seconds // 60))
