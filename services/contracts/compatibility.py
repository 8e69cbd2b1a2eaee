"""Whether a changed JSON Schema still keeps the promise of the published one.

The question is always the same: does the reader take everything that the sender may send? What is consumed (commands,
queries) is sent by who knows the published schema and read by the new code; what is produced (answers, events) is sent
by the new code and read by who knows the published schema. So nothing that was accepted may be refused, and nothing
may be sent that a reader was not told of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

Direction = Literal["consumed", "produced"]
Document = dict[str, Any]

PARTIES = {
    "consumed": ("who knows the published version", "the new code"),
    "produced": ("the new code", "who knows the published version"),
}

# What else a contract promises beside its fields; another answer is another contract.
PROMISES = ("x-kind", "x-owner", "x-version", "x-answer", "x-answer-form", "x-cloudevent-type", "x-envelope")

ANNOTATIONS = {"title", "description", "examples", "example", "default", "deprecated", "$schema", "$id", "$defs"}
LOWER_BOUNDS = ("minLength", "minimum", "minItems", "minProperties", "exclusiveMinimum")
UPPER_BOUNDS = ("maxLength", "maximum", "maxItems", "maxProperties", "exclusiveMaximum")
COUNTED_FROM_ZERO = {"minLength", "minItems", "minProperties"}
COMPARED = {
    *("type", "enum", "pattern", "format", "uniqueItems", "items", "anyOf", "$ref"),
    *("properties", "required", "additionalProperties", *LOWER_BOUNDS, *UPPER_BOUNDS),
}


def incompatibilities(old: Document, new: Document, direction: Direction) -> list[str]:
    """What in `new` breaks the published `old`, one sentence each; empty when everybody can go on as before.

    `direction`: ``consumed`` for commands and queries, ``produced`` for answers and events. Keywords of JSON Schema
    that cannot be compared (``not``, ``if``, ...) count as broken when they differ, as does a changed pattern.
    """
    promises = [f"{key} has changed; it belongs to the version" for key in PROMISES if old.get(key) != new.get(key)]
    sender, reader = (old, new) if direction == "consumed" else (new, old)
    comparison = _Comparison(sender, reader, direction)
    return promises + list(dict.fromkeys(comparison.refusals(sender, reader, "")))


class _Comparison:
    """Walks both schemas side by side; each kind of rule is one method that yields what the reader does not take."""

    def __init__(self, sender: Document, reader: Document, direction: Direction) -> None:
        self.documents = {"sender": sender, "reader": reader}
        self.direction = direction
        self.sender, self.reader = PARTIES[direction]
        self.under_way: set[tuple[str, str]] = set()

    def refusals(self, sent: Any, read: Any, path: str) -> Iterator[str]:
        """What `sent` allows and `read` does not, at `path` (empty: the payload as a whole)."""
        pair = (repr(sent), repr(read))
        if pair in self.under_way:  # a schema that contains itself
            return
        self.under_way.add(pair)
        try:
            accepting = list(self._alternatives(read, "reader"))
            for alternative in self._alternatives(sent, "sender"):
                yield from self._best(alternative, accepting, path)
        finally:
            self.under_way.discard(pair)

    def _best(self, sent: Document, accepting: list[Document], path: str) -> Iterator[str]:
        """Compare with the alternatives of the same type; the one with the fewest refusals counts."""
        outcomes = [list(self._compare(sent, read, path)) for read in accepting if _type_fits(sent, read)]
        if not outcomes:
            kind = "anything" if sent.get("type") is None else sent["type"]
            expected = " or ".join(sorted({str(read.get("type", "anything")) for read in accepting})) or "nothing"
            yield self._say(path, f"{self.sender} may send {kind}, where {self.reader} takes {expected}")
        else:
            yield from min(outcomes, key=len)

    def _alternatives(self, schema: Any, side: str) -> Iterator[Document]:
        """The schema without references, ``anyOf`` and lists of types: one schema per type it may have."""
        if isinstance(schema, bool):
            schema = {} if schema else {"enum": []}
        if "$ref" in schema:
            beside = {key: value for key, value in schema.items() if key != "$ref" and key not in ANNOTATIONS}
            yield from self._alternatives({**self._resolve(schema["$ref"], side), **beside}, side)
        elif "anyOf" in schema:
            beside = {key: value for key, value in schema.items() if key != "anyOf" and key not in ANNOTATIONS}
            for alternative in schema["anyOf"]:
                yield from self._alternatives({**beside, **alternative}, side)
        elif isinstance(schema.get("type"), list):
            for kind in schema["type"]:
                yield from self._alternatives({**schema, "type": kind}, side)
        else:
            yield _of_its_type(schema)

    def _resolve(self, reference: str, side: str) -> Document:
        node: Any = self.documents[side]
        for step in reference.removeprefix("#").strip("/").split("/"):
            node = node[step] if step else node
        found: Document = node
        return found

    def _compare(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        rules: tuple[Callable[[Document, Document, str], Iterator[str]], ...] = (
            self._words,
            self._bounds,
            self._texts,
            self._items,
            self._fields,
            self._fields_that_went,
            self._default,
            self._others,
        )
        for rule in rules:
            yield from rule(sent, read, path)

    def _words(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        if "enum" in sent:
            refused = [value for value in sent["enum"] if not _takes(read, value)]
            if refused:
                yield self._say(path, f"{self.sender} may send {_listed(refused)}, which {self.reader} does not take")
        elif "enum" in read:
            yield self._say(path, f"{self.sender} may send any value, {self.reader} takes only {_listed(read['enum'])}")

    def _bounds(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        if "enum" in sent:
            return  # the words decide
        for keyword in (*LOWER_BOUNDS, *UPPER_BOUNDS):
            limit, promised = read.get(keyword), sent.get(keyword, 0 if keyword in COUNTED_FROM_ZERO else None)
            if limit is None:
                continue
            within = promised is not None and (promised >= limit if keyword in LOWER_BOUNDS else promised <= limit)
            if not within:
                said = "no" if promised is None else promised
                yield self._say(path, f"{keyword} {said} of {self.sender} goes beyond {limit} of {self.reader}")

    def _texts(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        if "enum" in sent:
            return
        for keyword in ("pattern", "format"):
            if keyword in read and sent.get(keyword) != read[keyword]:
                said = sent.get(keyword, "none")
                yield self._say(path, f"{keyword} of {self.sender} is {said}, {self.reader} expects {read[keyword]}")

    def _items(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        if read.get("uniqueItems") and not sent.get("uniqueItems"):
            yield self._say(path, f"{self.sender} may repeat items, {self.reader} takes each once")
        if "items" in read:
            yield from self.refusals(sent.get("items", {}), read["items"], f"{path}[]")

    def _fields(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        known, others = read.get("properties", {}), read.get("additionalProperties", True)
        for name, schema in sent.get("properties", {}).items():
            inner = _within(path, name)
            if name in known:
                yield from self.refusals(schema, known[name], inner)
            elif others is False:
                yield self._say(inner, f"{self.sender} may send this field, {self.reader} refuses it")
            elif isinstance(others, dict):
                yield from self.refusals(schema, others, inner)
        for name in sorted(set(read.get("required", ())) - set(sent.get("required", ()))):
            inner = _within(path, name)
            yield self._say(inner, f"{self.sender} may leave out this field, {self.reader} requires it")
        if others is not True and sent.get("type") == "object":
            yield from self._other_fields(sent.get("additionalProperties", True), others, path)

    def _other_fields(self, sent: Any, read: Any, path: str) -> Iterator[str]:
        if sent is False:
            return
        if read is False:
            yield self._say(path, f"{self.sender} may send fields of any name, {self.reader} refuses them")
        else:
            yield from self.refusals(sent, read, _within(path, "*"))

    def _fields_that_went(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        if self.direction == "produced":
            for name in sorted(set(read.get("properties", {})) - set(sent.get("properties", {}))):
                inner = _within(path, name)
                yield self._say(inner, f"{self.sender} does not send this field any more")

    def _default(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        # Who leaves a field out relies on what it then means.
        if self.direction == "consumed" and "default" in sent and sent["default"] != read.get("default", ...):
            now = repr(read["default"]) if "default" in read else "gone"
            yield self._say(path, f"the default was {sent['default']!r} and is {now}")

    def _others(self, sent: Document, read: Document, path: str) -> Iterator[str]:
        for keyword in sorted((set(sent) | set(read)) - COMPARED - ANNOTATIONS):
            if not keyword.startswith("x-") and sent.get(keyword) != read.get(keyword):
                yield self._say(path, f"{keyword} has changed, and cannot be compared")

    @staticmethod
    def _say(path: str, sentence: str) -> str:
        return f"{path or 'payload'}: {sentence}"


def _within(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type_fits(sent: Document, read: Document) -> bool:
    expected = read.get("type")
    return expected is None or sent.get("type") == expected or (sent.get("type"), expected) == ("integer", "number")


def _of_its_type(schema: Document) -> Document:
    """The schema without the words and keywords of other types, which the type makes idle."""
    kind = schema.get("type")
    if kind is None:
        return schema
    idle = {keyword for other, keywords in _KEYWORDS.items() if kind not in other for keyword in keywords}
    kept = {key: value for key, value in schema.items() if key not in idle}
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if _has_type(value, kind)]
    return kept


_KEYWORDS: dict[tuple[str, ...], set[str]] = {
    ("string",): {"minLength", "maxLength", "pattern", "format"},
    ("integer", "number"): {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    ("array",): {"minItems", "maxItems", "uniqueItems", "items"},
    ("object",): {"minProperties", "maxProperties", "properties", "required", "additionalProperties"},
}


def _takes(schema: Document, word: Any) -> bool:
    """Whether one word of a closed set is taken. A format cannot be checked here, so it takes none."""
    if "enum" in schema:
        return word in schema["enum"]
    if isinstance(word, str):
        fits = schema.get("minLength", 0) <= len(word) <= schema.get("maxLength", len(word))
        return fits and "format" not in schema and re.search(schema.get("pattern", ""), word) is not None
    return not {*LOWER_BOUNDS, *UPPER_BOUNDS} & schema.keys()


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}


def _listed(values: list[Any]) -> str:
    return ", ".join(map(repr, values)) or "nothing"
