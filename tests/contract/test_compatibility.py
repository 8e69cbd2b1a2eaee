"""Which changes of a published schema break somebody, in both directions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from services.contracts.compatibility import Direction, incompatibilities
from services.contracts.json_schema import published_document
from services.contracts.registry import CONTRACTS, Contract

pytestmark = pytest.mark.contract

Change = Callable[[dict[str, Any]], None]

ORIGINAL: dict[str, Any] = {
    "x-answer": "urn:mpp:ticketing:ticket:v1",
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 2, "maxLength": 40, "pattern": "^[a-z]+$"},
        "state": {"type": "string", "enum": ["waiting", "called"]},
        "outcome": {"type": ["string", "null"], "enum": ["done", None]},
        "at": {"type": "string", "format": "date-time"},
        "count": {"type": "integer", "minimum": 0, "maximum": 10, "default": 5},
        "channels": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 10}},
        "period": {"$ref": "#/$defs/Period"},
        "last": {"anyOf": [{"$ref": "#/$defs/Period"}, {"type": "null"}]},
    },
    "required": ["id", "state", "outcome"],
    "$defs": {
        "Period": {
            "type": "object",
            "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
            "required": ["from"],
        }
    },
}


def _both(*changes: Change) -> Change:
    def change(document: dict[str, Any]) -> None:
        for one in changes:
            one(document)

    return change


def _required(*names: str) -> Change:
    return at("", required=list(names))


def at(path: str, **changes: Any) -> Change:
    """Set keywords of the schema at `path`; ``...`` takes a keyword away."""

    def change(document: dict[str, Any]) -> None:
        node = document
        for step in path.split("/") if path else []:
            node = node[step]
        for keyword, value in changes.items():
            if value is ...:
                del node[keyword]
            else:
                node[keyword] = value

    return change


ID, STATE, OUTCOME, COUNT = "properties/id", "properties/state", "properties/outcome", "properties/count"
CHANNELS, PERIOD = "properties/channels", "$defs/Period"
TEXT = {"type": "string"}

# change, breaks clients of what is consumed, breaks readers of what is produced
CHANGES: dict[str, tuple[Change, bool, bool]] = {
    "nothing": (at(""), False, False),
    "description": (at(ID, description="Id of the ticket."), False, False),
    "optional field added": (at("properties", note=TEXT), False, False),
    "required field added": (
        _both(at("properties", note=TEXT), _required("id", "state", "outcome", "note")),
        True,
        False,
    ),
    "optional field removed": (at("properties", count=...), True, True),
    "required field removed": (_both(at("properties", id=...), _required("state", "outcome")), True, True),
    "optional field made required": (_required("id", "state", "outcome", "count"), True, False),
    "required field made optional": (_required("id", "state"), False, True),
    "enum value added": (at(STATE, enum=["waiting", "called", "serving"]), False, True),
    "enum value removed": (at(STATE, enum=["waiting"]), True, False),
    "enum opened to any text": (at(STATE, enum=...), False, True),
    "text closed to an enum": (at(ID, enum=["abc"]), True, False),
    "type changed": (at(ID, type="integer"), True, True),
    "integer widened to number": (at(COUNT, type="number"), False, True),
    "null allowed": (at(ID, type=["string", "null"]), False, True),
    "null refused": (at(OUTCOME, type="string", enum=["done"]), True, False),
    "object may be null": (
        at("properties", period={"anyOf": [{"$ref": "#/$defs/Period"}, {"type": "null"}]}),
        False,
        True,
    ),
    "object may not be null any more": (at("properties", last={"$ref": "#/$defs/Period"}), True, False),
    "longer text": (at(ID, maxLength=80), False, True),
    "shorter text": (at(ID, maxLength=20), True, False),
    "length unlimited": (at(ID, maxLength=...), False, True),
    "least length raised": (at(ID, minLength=3), True, False),
    "least length lowered": (at(ID, minLength=...), False, True),
    "greatest number lowered": (at(COUNT, maximum=9), True, False),
    "greatest number raised": (at(COUNT, maximum=11), False, True),
    "negative numbers": (at(COUNT, minimum=-1), False, True),
    "pattern changed": (at(ID, pattern="^[a-z]*$"), True, True),
    "pattern dropped": (at(ID, pattern=...), False, True),
    "pattern added": (at("properties/at", pattern="^2"), True, False),
    "format changed": (at("properties/at", format="date"), True, True),
    "format dropped": (at("properties/at", format=...), False, True),
    "longer list": (at(CHANNELS, maxItems=4), False, True),
    "shorter list": (at(CHANNELS, maxItems=2), True, False),
    "items once only": (at(CHANNELS, uniqueItems=True), True, False),
    "items longer": (at(CHANNELS + "/items", maxLength=20), False, True),
    "items shorter": (at(CHANNELS + "/items", maxLength=5), True, False),
    "nested field added": (at(PERIOD + "/properties", by=TEXT), False, False),
    "nested field removed": (at(PERIOD + "/properties", to=...), True, True),
    "nested field required": (at(PERIOD, required=["from", "to"]), True, False),
    "nested field optional": (at(PERIOD, required=[]), False, True),
    "definition renamed": (
        _both(at("$defs", Span=ORIGINAL["$defs"]["Period"]), at("properties", period={"$ref": "#/$defs/Span"})),
        False,
        False,
    ),
    "default changed": (at(COUNT, default=6), True, False),
    "default dropped": (at(COUNT, default=...), True, False),
    "default added": (at(ID, default="abc"), False, False),
    "another answer": (at("", **{"x-answer": "urn:mpp:ticketing:issued_ticket:v1"}), True, True),
    "keyword that cannot be compared": (at(ID, **{"not": {"const": "x"}}), True, True),
}


def document(direction: Direction) -> dict[str, Any]:
    """The original as it is published: what is consumed is closed, what is produced is open."""
    original = copy.deepcopy(ORIGINAL)
    if direction == "consumed":
        original["additionalProperties"] = False
        original["$defs"]["Period"]["additionalProperties"] = False
    return original


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("direction", ["consumed", "produced"])
def test_a_change_is_judged(name: str, direction: Direction) -> None:
    change, breaks_clients, breaks_readers = CHANGES[name]
    old, new = document(direction), document(direction)
    change(new)
    found = incompatibilities(old, new, direction)
    assert bool(found) == (breaks_clients if direction == "consumed" else breaks_readers), found


def test_opening_what_is_consumed_is_compatible_and_closing_it_is_not() -> None:
    closed, opened = document("consumed"), document("consumed")
    del opened["additionalProperties"]
    assert incompatibilities(closed, opened, "consumed") == []
    assert incompatibilities(opened, closed, "consumed") == [
        "payload: who knows the published version may send fields of any name, the new code refuses them"
    ]


def test_a_field_of_any_name_has_to_fit() -> None:
    old = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}}
    new = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 4}}
    assert incompatibilities(old, new, "consumed") == ["*: maxLength 5 of who knows the published version goes beyond 4 of the new code"]
    assert incompatibilities(old, new, "produced") == []


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    tree = {"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {}, "required": []}}}
    tree["$defs"]["Node"]["properties"] = {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}  # type: ignore[index]
    changed = copy.deepcopy(tree)
    changed["$defs"]["Node"]["required"] = ["children"]  # type: ignore[index]
    assert incompatibilities(tree, tree, "consumed") == []
    sentence = "children: who knows the published version may leave out this field, the new code requires it"
    assert sentence in incompatibilities(tree, changed, "consumed")


@pytest.mark.parametrize("described", CONTRACTS, ids=lambda described: described.path)
def test_every_contract_is_compatible_with_itself(described: Contract) -> None:
    published = published_document(described)
    assert incompatibilities(published, published, described.direction) == []


@pytest.mark.parametrize("described", CONTRACTS, ids=lambda described: described.path)
def test_no_field_of_any_contract_can_vanish(described: Contract) -> None:
    published = published_document(described)
    for name in published["properties"]:
        changed = copy.deepcopy(published)
        del changed["properties"][name]
        assert incompatibilities(published, changed, described.direction), name
