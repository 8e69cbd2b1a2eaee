"""The shapes of values: which texts, numbers and lists a field takes.

A pattern is written for Python and for ECMA 262 alike (JSON Schema uses the latter), takes the whole value and
runs in linear time. What a pattern cannot say (a date that exists, a time zone that exists) is checked after it.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, validate

from services.contracts.field_rules import Message
from services.contracts.telephone import e164

_FARTHEST_OFFSET = timedelta(hours=16)
"""From here on PostgreSQL refuses an offset; those of the world lie between -12:00 and +14:00."""

_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_CONTROL_BUT_NEWLINE = r"\u0000-\u0009\u000b-\u001f\u007f-\u009f"
_UNREADABLE = re.compile(f"[{_CONTROL}\\ud800-\\udfff]")
_UNREADABLE_BUT_NEWLINE = re.compile(f"[{_CONTROL_BUT_NEWLINE}\\ud800-\\udfff]")


class Shape:
    """Takes texts that match `pattern` as a whole and pass `exists`; breaks `rule` otherwise."""

    def __init__(self, rule: str, pattern: str, exists: Callable[[str], bool] | None = None, *, lines: bool = False) -> None:
        # apispec publishes the pattern of the attribute `regex`
        self.regex = re.compile(f"^{pattern}$")
        self.rule = rule
        self.exists = exists
        self.unreadable = _UNREADABLE_BUT_NEWLINE if lines else _UNREADABLE

    def __call__(self, value: str) -> str:
        if self.unreadable.search(value):
            raise ValidationError([Message("unreadable_characters")])
        if not self.regex.fullmatch(value) or (self.exists and not self.exists(value)):
            raise ValidationError([Message(self.rule)])
        return value


class Notation(Shape):
    """A shape whose rule shows how long it is, so that what is too long breaks that rule."""


class TextLength(validate.Length):
    """Length of a text in characters (code points)."""

    def __init__(self, *, least: int, most: int, shape: Shape) -> None:
        super().__init__(min=least or None, max=most)
        self.shape = shape

    def __call__(self, value: Any) -> Any:
        if self.max is not None and len(value) > self.max:
            notation = isinstance(self.shape, Notation)
            raise ValidationError([Message(self.shape.rule) if notation else Message("too_long", max=self.max)])
        if self.min is not None and len(value) < self.min:
            raise ValidationError([Message("too_short", min=self.min)])
        return value


class ListLength(validate.Length):
    """Number of items of a list."""

    def __call__(self, value: Any) -> Any:
        if self.max is not None and len(value) > self.max:
            raise ValidationError([Message("too_many", max=self.max)])
        if self.min is not None and len(value) < self.min:
            raise ValidationError([Message("too_few", min=self.min)])
        return value


class Bounds(validate.Range):
    """Least and greatest value of a number."""

    def __call__(self, value: Any) -> Any:
        if not self.min <= value <= self.max:
            raise ValidationError([Message("out_of_range", min=self.min, max=self.max)])
        return value


class OneOf(validate.OneOf):
    """A closed set of words."""

    def __init__(self, choices: Iterable[str]) -> None:
        super().__init__(tuple(choices))

    def __call__(self, value: Any) -> Any:
        if value not in self.choices:
            raise ValidationError([Message("one_of", choices=", ".join(self.choices))])
        return value


def no_item_twice(value: list[Any]) -> list[Any]:
    """Refuses a list of texts in which one stands twice."""
    if len(set(value)) != len(value):
        raise ValidationError([Message("repeated")])
    return value


def at_least_one(value: dict[str, Any]) -> dict[str, Any]:
    """Refuses an object without a single member."""
    if not value:
        raise ValidationError([Message("nothing_given")])
    return value


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_partial_date(value: str) -> bool:
    return _is_date(value + "-01-01"[len(value) - 4 :])


def _is_instant(value: str) -> bool:
    try:
        instant = datetime.fromisoformat(value)
        instant.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and last hours of the calendar have no UTC
        return False
    return abs(instant.utcoffset() or timedelta(0)) < _FARTHEST_OFFSET


@functools.cache
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SLUG = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
_CODE = r"[A-Z0-9]{2,8}"

ONE_LINE = Shape("unreadable_characters", rf"[^{_CONTROL}]*")
PLAIN_TEXT = Shape("blank_start", rf"[^\s{_CONTROL}][^{_CONTROL}]*")
MULTILINE_TEXT = Shape("blank_start", rf"[^\s{_CONTROL}][^{_CONTROL_BUT_NEWLINE}]*", lines=True)
SLUG = Shape("slug", _SLUG)
WORD = Shape("word", r"[a-z]+(_[a-z]+)*")
AGENCY_CODE = Notation("agency_code", _CODE)
SERVICE_CODE = Notation("service_code", _CODE)
SERVICE_ID = Notation("service_id", rf"{_CODE}-{_CODE}")
COUNTER_ID = Shape("counter_id", rf"{_SLUG}-[0-9]{{2,3}}")
ACCOUNT_ID = Shape("account_id", rf"[a-z0-9]+([._-][a-z0-9]+)*@{_SLUG}")
PREFIX = Notation("prefix", r"[A-Z]{1,2}")
TICKET_NUMBER = Notation("ticket_number", r"[A-Z]{1,2}-[0-9]{3,6}")
UUID = Notation("uuid", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OPAQUE = Shape("opaque", r"[!-~]+")
REGENCY_CODE = Notation("regency_code", r"[0-9]{2}\.[0-9]{2}")
TIMESTAMP = Notation(
    "timestamp",
    rf"{_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,6}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})",
    exists=_is_instant,
)
DATE = Notation("date", _DATE, exists=_is_date)
PARTIAL_DATE = Notation("partial_date", r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", exists=_is_partial_date)
LOCAL_TIME = Notation("local_time", r"([01][0-9]|2[0-3]):[0-5][0-9]")
CLOSING_TIME = Notation("local_time", r"(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
TIMEZONE = Shape("timezone", r"(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z0-9_+-]+){1,2})", exists=lambda z: z in _timezones())
STREAM_SOURCE = Shape("stream_source", rf"/regencies/{_SLUG}/[a-z]+(/sites/{_SLUG})?")
CLOUDEVENT_TYPE = Shape("event_type", r"mpp\.[a-z_]+\.[a-z_]+")
SEQUENCE = Notation("sequence", r"[0-9]{20}")
SEQUENCE_SEEN = Notation("sequence_seen", r"[0-9]{1,20}")
TRACEPARENT = Notation("traceparent", r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
QUEUE = Shape("queue", r"[a-z]+\.[a-z]+")
URL = Shape("url", rf"[hH][tT][tT][pP][sS]?://[^\s{_CONTROL}]+")
EVENT_FILTER = Notation("event_filter", r"(\*|[a-z_]+\.(\*|[a-z_]+))")
NIK = Notation("nik", r"[1-9][0-9]{5}(0[1-9]|[12][0-9]|3[01]|4[1-9]|[56][0-9]|7[01])(0[1-9]|1[0-2])[0-9]{6}")
PHONE_NUMBER = Notation("phone_number", r"[+]?[0-9(][0-9 .()-]{5,22}", lambda value: e164(value) is not None)
EMAIL_ADDRESS = Notation(
    "email_address",
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?",
    exists=lambda address: len(address.rpartition("@")[0]) <= 64,
)
