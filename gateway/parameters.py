"""Turns path and query parameters into members of the payload, by the contract's own fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from marshmallow import fields

from gateway.problems import Refusal, invalid
from gateway.route import Route

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_MOST_PARAMETERS = 20


def query_values(route: Route, query_string: str) -> dict[str, Any]:
    """Return the members of the payload that the query string gives, integers as integers.

    Raises ``Refusal("parameter_invalid")`` for a parameter that the route does not take, that is given twice or
    that does not fit its type. A misspelt filter must not silently answer with everything.
    """
    values: dict[str, Any] = {}
    for name, text in _pairs(query_string):
        if name not in route.query:
            raise invalid("parameter_invalid", name[:80], "unknown")
        if name in values:
            raise invalid("parameter_invalid", name, "repeated")
        values[name] = _value(route, name, text)
    return {route.query[name]: value for name, value in values.items()}


def _pairs(query_string: str) -> Iterable[tuple[str, str]]:
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS, encoding="utf-8")
    except ValueError:  # invalid UTF-8, or too many
        raise Refusal("parameter_invalid") from None
    for name, text in pairs:
        for part in (name, text):
            if not part.isprintable():
                raise invalid("parameter_invalid", "", "unreadable_characters")
    return pairs


def _value(route: Route, name: str, text: str) -> Any:
    if isinstance(route.payload_fields[route.query[name]], fields.Integer):
        if not _INTEGER.fullmatch(text):
            raise invalid("parameter_invalid", name, "not_integer")
        return int(text)
    return text


def checked_payload(route: Route, parameters: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of the route's command or query, checked against its contract.

    Errors in parameters are ``parameter_invalid``, all others ``payload_invalid``; both name every field at fault.
    """
    unknown = next((name for name in body if name not in route.body_fields), None)
    if unknown is not None:
        raise invalid("payload_invalid", unknown[:80], "unknown")
    payload = {**body, **parameters}
    errors = route.errors_of(payload)
    if not errors:
        return payload
    names = route.parameter_names
    in_parameters = [{**error, "field": names[error["field"]]} for error in errors if error["field"] in names]
    if in_parameters:
        raise Refusal("parameter_invalid", errors=in_parameters)
    raise Refusal("payload_invalid", errors=errors)
