"""Contracts of the calls that every service answers about its streams."""

from __future__ import annotations

from marshmallow import RAISE, Schema, fields, validate


class _StreamSchema(Schema):
    class Meta:
        unknown = RAISE


class StreamHeads(_StreamSchema):
    """Ask for the last published sequence of all streams of a service."""


class StreamMarks(_StreamSchema):
    """Ask how far a service's consumers have come in one regency."""


class ReadLog(_StreamSchema):
    """Ask for up to ``limit`` events of ``source`` with a sequence above ``after``."""

    source = fields.String(required=True, validate=validate.Length(max=200))
    after = fields.Integer(strict=True, required=True, validate=validate.Range(min=0))
    limit = fields.Integer(strict=True, load_default=200, validate=validate.Range(min=1, max=500))
