"""The judgement holds for real payloads: what is called compatible is taken by the reader, whatever is sent."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from services.contracts.compatibility import Direction, incompatibilities

pytestmark = pytest.mark.contract

Schema = dict[str, Any]
NAMES = st.sampled_from(["a", "b", "c"])
WORDS = ["waiting", "called", "serving"]
PATTERNS = ["^[a-z]*$", "^[a-z]{2}"]


def _bounded(low: str, high: str, **others: Any) -> st.SearchStrategy[Schema]:
    bounds = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted)
    return bounds.map(lambda pair: {**others, low: pair[0], high: pair[1] + 2})


TEXTS = st.one_of(
    st.just({"type": "string"}),
    _bounded("minLength", "maxLength", type="string"),
    st.sampled_from(PATTERNS).map(lambda pattern: {"type": "string", "pattern": pattern}),
    st.lists(st.sampled_from(WORDS), min_size=1, unique=True).map(lambda words: {"type": "string", "enum": words}),
)
LEAVES = st.one_of(TEXTS, _bounded("minimum", "maximum", type="integer"), st.just({"type": "boolean"}), st.just({"type": "number"}))


def _nullable(schemas: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    def with_null(schema: Schema) -> Schema:
        nullable = {**schema, "type": [schema["type"], "null"]}
        return {**nullable, "enum": [*schema["enum"], None]} if "enum" in schema else nullable

    return schemas.map(lambda schema: with_null(schema) if isinstance(schema["type"], str) else schema)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Schema], *, closed: bool) -> Schema:
    properties = draw(st.dictionaries(NAMES, inner, max_size=3))
    required = sorted(name for name in properties if draw(st.booleans()))
    schema: Schema = {"type": "object", "properties": properties, "required": required}
    return {**schema, "additionalProperties": False} if closed else schema


def schemas(*, closed: bool) -> st.SearchStrategy[Schema]:
    values = st.recursive(
        LEAVES | _nullable(LEAVES),
        lambda inner: st.one_of(
            objects(inner, closed=closed),
            st.builds(lambda items, bounds: {**bounds, "items": items}, inner, _bounded("minItems", "maxItems", type="array")),
        ),
        max_leaves=6,
    )
    return objects(values, closed=closed)


@st.composite
def changed(draw: st.DrawFn, schema: Schema) -> Schema:
    """The schema with one small change somewhere in it."""
    new = copy.deepcopy(schema)
    node = draw(st.sampled_from(_places(new)))
    numbers: list[str] = [key for key, value in node.items() if isinstance(value, int) and not isinstance(value, bool)]
    on_a_bound = draw(st.booleans())
    if numbers and on_a_bound:
        key: str = draw(st.sampled_from(numbers))
        node[key] = max(0, node[key] + draw(st.sampled_from([-1, 1])))
    elif "properties" in node:
        name = draw(NAMES)
        if name in node["properties"] and draw(st.booleans()):
            del node["properties"][name]
            node["required"] = [other for other in node["required"] if other != name]
        elif name in node["properties"]:
            node["required"] = sorted({name} ^ set(node["required"]))
        else:
            node["properties"][name] = draw(LEAVES)
    else:
        replacement = draw(LEAVES | _nullable(LEAVES))
        node.clear()
        node.update(replacement)
    return new


def _places(schema: Schema) -> list[Schema]:
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return [schema, *(place for part in inner for place in _places(part))]


def payloads(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that the schema takes."""
    if isinstance(schema["type"], list):
        kind = schema["type"][0]
        words = [word for word in schema["enum"] if word is not None] if "enum" in schema else None
        plain = {key: value for key, value in schema.items() if key != "enum"} | {"type": kind}
        return st.none() | payloads(plain if words is None else {**plain, "enum": words})
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "string":
            if "pattern" in schema:
                return st.from_regex(schema["pattern"].replace("$", r"\Z"))
            return st.text("abz", min_size=schema.get("minLength", 0), max_size=schema.get("maxLength"))
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False) | st.integers()
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(payloads(schema["items"]), min_size=schema["minItems"], max_size=schema["maxItems"])
        case _:
            fields = {name: payloads(inner) for name, inner in schema["properties"].items()}
            required = {name: fields.pop(name) for name in schema["required"]}
            return st.fixed_dictionaries(required, optional=fields)


@pytest.mark.parametrize("direction", ["consumed", "produced"])
@given(data=st.data())
@settings(max_examples=300)
def test_what_is_called_compatible_is_taken(direction: Direction, data: st.DataObject) -> None:
    closed = direction == "consumed"
    old = data.draw(schemas(closed=closed), label="old")
    new = data.draw(changed(old), label="new")
    if incompatibilities(old, new, direction):
        return
    sender, reader = (old, new) if direction == "consumed" else (new, old)
    if all(part.get(low, 0) <= part.get(high, 99) for part in _places(sender) for low, high in BOUNDS):
        Draft202012Validator(reader).validate(data.draw(payloads(sender), label="sent"))


BOUNDS = (("minLength", "maxLength"), ("minimum", "maximum"), ("minItems", "maxItems"))


@pytest.mark.parametrize("direction", ["consumed", "produced"])
@given(data=st.data())
@settings(max_examples=100)
def test_no_change_is_no_break(direction: Direction, data: st.DataObject) -> None:
    schema = data.draw(schemas(closed=direction == "consumed"))
    assert incompatibilities(schema, copy.deepcopy(schema), direction) == []
