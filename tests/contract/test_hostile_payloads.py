"""Whatever a caller sends, a command or query either fits its contract or is refused with the field and the rule."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields

from services.contracts.catalog import CreateSite
from services.contracts.field_rules import MOST_ERRORS, RULES
from services.contracts.registry import CONTRACTS, Contract
from services.contracts.schema import ListOf, MultilineText, Part, PayloadInvalid, Text
from services.contracts.ticketing import IssueTicket

pytestmark = pytest.mark.contract

CONSUMED = [described for described in CONTRACTS if described.direction == "consumed"]
every_consumed = pytest.mark.parametrize("described", CONSUMED, ids=lambda described: described.name)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


NOT_TEXT = [True, False, 0, 1, 1.5, [], ["a"], {}, {"a": 1}, nested(100_000)]
BAD_TEXTS = [
    *("\x00", "ab\x00c", "\ud800", "ab\udfff", "\x1b[31m", "a\nb", "a\r\nb", "\x7f", "\x85"),
    "a" * 1_000_000,
]
NOT_NUMBER = [True, False, 1.0, 0.5, float("nan"), float("inf"), "1", "", [], {}, 10**30, -(10**30), nested(100_000)]
NOT_BOOLEAN = [0, 1, 1.0, "true", "yes", "", [], {}, nested(100_000)]
NOT_LIST = [True, 1, 1.5, "kiosk", {}, {"0": "kiosk"}, [nested(100_000)], [None], [{"": None}], ["\x00"] * 100_000]
NOT_OBJECT = [True, 1, 1.5, "", "a", [], [{}], {"\x00": 1}, {"unknown": 1}, nested(100_000)]


def hostile_values(field: fields.Field[Any]) -> list[Any]:
    nothing = [] if field.allow_none else [None]
    match field:
        case MultilineText():
            return NOT_TEXT + [text for text in BAD_TEXTS if text != "a\nb"] + nothing
        case Text():
            return NOT_TEXT + BAD_TEXTS + nothing
        case fields.Integer():
            return NOT_NUMBER + nothing
        case fields.Boolean():
            return NOT_BOOLEAN + nothing
        case fields.List():
            return NOT_LIST + nothing
        case fields.Nested():
            return NOT_OBJECT + nothing
    raise AssertionError(f"a field of no strict kind: {field!r}")


def refuses(field: fields.Field[Any], value: Any) -> bool:
    try:
        field.deserialize(value)
    except ValidationError:
        return True
    return False


def every_field(schema: Schema, path: str = "") -> Iterator[tuple[str, fields.Field[Any]]]:
    """All fields of a contract, those within objects and lists included."""
    for name, field in schema.fields.items():
        yield from _field_and_within(field, f"{path}.{name}" if path else name)


def _field_and_within(field: fields.Field[Any], path: str) -> Iterator[tuple[str, fields.Field[Any]]]:
    yield path, field
    if isinstance(field, ListOf):
        yield from _field_and_within(field.inner, f"{path}[]")
    elif isinstance(field, Part):
        yield from every_field(field.schema, path)


@every_consumed
def test_every_field_refuses_every_hostile_value(described: Contract) -> None:
    for path, field in every_field(described.schema()):
        for value in hostile_values(field):
            assert refuses(field, value), f"{path} takes the {type(value).__name__} {value!r:.50}"


@every_consumed
def test_every_field_of_the_payload_refuses_a_wrong_value_by_name(described: Contract) -> None:
    for name in described.example:
        for value in ("\x00", "\ud800", 1.5, nested(100_000), ["\x00"], {"\ud800": "\x00"}, "a" * 1_000_000):
            with pytest.raises(PayloadInvalid) as refused:
                described.schema().load({**copy.deepcopy(described.example), name: value})
            errors = refused.value.details["errors"]
            assert all(error["field"].startswith(name) for error in errors), errors
            json.dumps(errors).encode()  # can be sent on


@every_consumed
@pytest.mark.parametrize("name", ["unknown", "", "id ", "__proto__", "\x00", "\ud800", "a" * 100_000])
def test_unknown_fields_are_refused(described: Contract, name: str) -> None:
    with pytest.raises(PayloadInvalid) as refused:
        described.schema().load({**described.example, name: "x"})
    (error,) = refused.value.details["errors"]
    assert error["rule"] == "unknown"
    assert len(error["field"]) <= 100
    error["field"].encode()


@every_consumed
@pytest.mark.parametrize(
    "payload", [None, True, 1, "a", [], [{}], nested(100_000)], ids=["null", "true", "number", "text", "list", "list of object", "deep"]
)
def test_a_payload_is_an_object(described: Contract, payload: Any) -> None:
    with pytest.raises(PayloadInvalid) as refused:
        described.schema().load(payload)
    assert [(e["field"], e["rule"]) for e in refused.value.details["errors"]] == [("", "not_object")]


@every_consumed
def test_required_fields_are_asked_for(described: Contract) -> None:
    required = {field.data_key or name for name, field in described.schema().fields.items() if field.required}
    if required:
        with pytest.raises(PayloadInvalid) as refused:
            described.schema().load({})
        assert {error["field"] for error in refused.value.details["errors"]} == required


def test_markup_and_sql_are_text_like_any_other() -> None:
    text = "<script>alert('1')</script>'; DROP TABLE site; --"
    site = CreateSite().load({"id": "sukadana", "name": text, "timezone": "Asia/Jakarta"})
    assert site["name"] == text


def test_ten_thousand_errors_are_cut_short_and_quickly() -> None:
    payload = {f"field{number}": number for number in range(10_000)}
    started = time.perf_counter()
    with pytest.raises(PayloadInvalid) as refused:
        IssueTicket().load(payload)
    assert len(refused.value.details["errors"]) == MOST_ERRORS
    assert time.perf_counter() - started < 1


def test_errors_name_places_within_lists_and_objects() -> None:
    hours = {"monday": [{"open": "08:00", "close": "16:00"}, {"open": "8", "close": "09:00", "note": ""}]}
    with pytest.raises(PayloadInvalid) as refused:
        CreateSite().load({"id": "sukadana", "name": "MPP", "timezone": "Asia/Jakarta", "hours": hours})
    found = {(error["field"], error["rule"]) for error in refused.value.details["errors"]}
    assert found == {("hours.monday.1.open", "local_time"), ("hours.monday.1.note", "unknown")}
    assert refused.value.code == "payload_invalid"


def test_every_rule_can_be_broken_in_both_languages() -> None:
    for rule, (indonesian, english) in RULES.items():
        assert indonesian, rule
        assert english, rule
        assert indonesian != english, rule
