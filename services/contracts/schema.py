"""The base of every contract and the fields they are made of.

Loading checks and changes nothing: what comes out is the same plain JSON data (texts, integers, booleans, lists,
objects, null) plus the defaults of fields that were left out. Times and dates stay ISO strings, so a payload goes
on the wire as it is; a service that calculates with a time parses it where it does.

Everything is strict: no field is coerced from another type, unknown fields are refused, every text and list has
a greatest length, and no text holds control characters or lone surrogates (PostgreSQL stores neither NUL nor those).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from marshmallow import RAISE, Schema, ValidationError, fields, missing

from services.contracts import shapes
from services.contracts.field_rules import errors_of, messages


class PayloadInvalid(ValidationError):
    """A payload breaks its contract; `details` holds the errors by field (see `field_rules.errors_of`)."""

    code = "payload_invalid"

    @property
    def details(self) -> dict[str, Any]:
        return {"errors": errors_of(self.messages)}


class ContractSchema(Schema):
    """Base of all contracts: refuses unknown fields and raises `PayloadInvalid`.

    ``SomeContract(unknown=EXCLUDE)`` is the tolerant reader of data that others produce; nested objects follow.
    """

    class Meta:
        unknown = RAISE

    error_messages = messages(type="not_object", unknown="unknown")

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **options: Any) -> NoReturn:
        raise PayloadInvalid(error.messages, data=error.data, valid_data=error.valid_data) from error


class _ContractField(fields.Field[Any]):
    """Says what is wrong with `Message`s and stops at the first broken rule, so an error is one sentence."""

    default_error_messages = messages(required="required", null="null")

    def __init__(self, *, about: str | None = None, **options: Any) -> None:
        """`about` describes the field in the published schema."""
        metadata = dict(options.pop("metadata", {}))
        if about is not None:
            metadata["description"] = about
        default = options.get("load_default", missing)
        if default is not missing and callable(default):
            metadata["default"] = default()  # apispec publishes plain defaults only
        options["metadata"] = metadata
        super().__init__(**options)

    def make_error(self, key: str, **_: Any) -> ValidationError:
        return ValidationError([self.error_messages[key]])

    def _validate(self, value: Any) -> None:
        for validator in self.validators:
            validator(value)


class Text(_ContractField, fields.String):
    """A string of `min_length` to `max_length` characters, optionally of one `shape`, on one line."""

    default_error_messages = messages(invalid="not_text")

    def __init__(self, *, max_length: int, min_length: int = 0, shape: shapes.Shape = shapes.ONE_LINE, **options: Any) -> None:
        checks = [shapes.TextLength(least=min_length, most=max_length, shape=shape), shape, *options.pop("validate", ())]
        super().__init__(validate=checks, **options)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return value


class PlainText(Text):
    """Text that people read: one line, not blank, not beginning with a space. HTML in it is text like any other."""

    def __init__(self, max_length: int, **options: Any) -> None:
        super().__init__(max_length=max_length, min_length=1, shape=shapes.PLAIN_TEXT, **options)


class MultilineText(Text):
    """Text that people read, with line breaks."""

    def __init__(self, max_length: int, **options: Any) -> None:
        super().__init__(max_length=max_length, min_length=1, shape=shapes.MULTILINE_TEXT, **options)


class Password(Text):
    """A password in clear, on its way to be hashed; never in an answer or event."""

    def __init__(self, *, min_length: int = 8, **options: Any) -> None:
        super().__init__(max_length=200, min_length=min_length, metadata={"format": "password"}, **options)


class Choice(Text):
    """One of a closed set of words."""

    def __init__(self, *choices: str, **options: Any) -> None:
        super().__init__(max_length=60, validate=[shapes.OneOf(choices)], **options)
        # The set says it all: length and shape beside it would only be noise in the published schema.
        self.validators = [check for check in self.validators if isinstance(check, shapes.OneOf)]


class WholeNumber(_ContractField, fields.Integer):
    """An integer of JSON between `least` and `most`: not ``true``, not ``1.0``, not ``"1"``."""

    default_error_messages = messages(invalid="not_integer")

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(validate=[shapes.Bounds(min=least, max=most)], **options)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return value


class Number(_ContractField, fields.Float):
    """A number of JSON between `least` and `most`, with or without decimals: not ``true``, not ``"1.5"``, not NaN."""

    default_error_messages = messages(invalid="not_number")

    def __init__(self, least: float, most: float, **options: Any) -> None:
        super().__init__(validate=[shapes.Bounds(min=least, max=most)], **options)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        # A number that is not finite is within no bounds, which the bounds then say.
        if type(value) not in (int, float):
            raise self.make_error("invalid")
        return value


class TrueOrFalse(_ContractField, fields.Boolean):
    """A boolean of JSON: not ``"yes"``, not ``1``."""

    default_error_messages = messages(invalid="not_boolean")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class ListOf(_ContractField, fields.List[Any]):
    """A list of `least` to `most` items; `unique` refuses an item that stands twice."""

    default_error_messages = messages(invalid="not_list")

    def __init__(self, inner: fields.Field[Any], *, most: int, least: int = 0, unique: bool = False, **options: Any) -> None:
        checks: list[Any] = [shapes.ListLength(min=least or None, max=most)]
        if unique:
            checks.append(shapes.no_item_twice)
            options["metadata"] = {**options.get("metadata", {}), "uniqueItems": True}
        _ContractField.__init__(self, cls_or_instance=inner, validate=checks, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        self.validators[0](value)  # before the items: a list far too long is not worth reading
        return super()._deserialize(value, attr, data, **options)


class Part(_ContractField, fields.Nested):
    """An object within an object. It reads unknown fields as the outermost schema does."""

    default_error_messages = messages(type="not_object")

    def __init__(self, schema: type[ContractSchema], **options: Any) -> None:
        _ContractField.__init__(self, nested=schema, **options)

    @property
    def schema(self) -> Schema:
        schema = super().schema
        schema.unknown = getattr(self.root, "unknown", schema.unknown)
        return schema


class JsonObject(_ContractField, fields.Dict):
    """Any JSON object; another contract says what is in it."""

    default_error_messages = messages(invalid="not_object")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        return value
