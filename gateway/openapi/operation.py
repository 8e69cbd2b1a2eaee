"""Describes one route as an OpenAPI operation."""

from __future__ import annotations

import functools
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import EXCLUDE, Schema, fields

from gateway.answers import JSON
from gateway.openapi.components import ACCESS_TOKEN_SCHEME, TICKET_TOKEN_SCHEME, header_references
from gateway.openapi.descriptions import PARAMETERS, description_of
from gateway.openapi.links import links_of
from gateway.openapi.other_answers import OTHER_ANSWERS
from gateway.openapi.problem_answers import notices, problem_responses, roles_note
from gateway.preconditions import ENTITY_TAG_PATTERN, IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_PATTERN, IDEMPOTENCY_REPLAYED
from gateway.route import Route, Text
from services.contracts.examples import EXAMPLES
from services.contracts.registry import contract
from services.contracts.values import Slug

_REGENCY = Slug(required=True)
_EXAMPLE_REGENCY = "lampung-timur"

_IDEMPOTENCY = Text(
    "Perintah dengan kunci yang sama dari pemanggil yang sama dilakukan sekali; jawabannya diulang.",
    "Commands with the same key from the same caller are done once; the answer is repeated.",
)
_IF_MATCH = Text(
    "`ETag` yang dilihat pemanggil; bila objek sudah berubah, jawabannya 412.",
    "The `ETag` that the caller has seen; when the object has changed since, the answer is 412.",
)
_IF_NONE_MATCH = Text("`ETag` yang sudah dimiliki pembaca.", "The `ETag` that the reader holds.")
_DONE = Text("Berhasil", "Done")
_UNCHANGED = Text("Tidak berubah sejak versi yang dimiliki pembaca", "Not changed since the version the reader holds")
_NOBODY_WAITS = Text("Tidak ada yang menunggu", "Nobody waits")


def operation_of(route: Route, language: str) -> dict[str, Any]:
    """Return the operation object of a route."""
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary.to(language),
        "tags": [route.tag],
        "security": _security(route),
        "x-roles": roles_note(route),
        "description": description_of(route, language),
        "parameters": [*_path_parameters(route, language), *_query_parameters(route, language), *_header_parameters(route, language)],
        "responses": {**_success(route, language), **problem_responses(route, language)},
    }
    if route.retirement is not None:
        operation["deprecated"] = True
    if route.body_fields:
        operation["requestBody"] = _request_body(route)
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.rule.any_regency:
        return []
    schemes: list[dict[str, list[str]]] = [{ACCESS_TOKEN_SCHEME: []}]
    if route.rule.ticket_token:
        schemes.append({TICKET_TOKEN_SCHEME: []})
    if route.rule.anonymous:
        schemes.append({})
    return schemes


def _path_parameters(route: Route, language: str) -> list[dict[str, Any]]:
    return [
        {
            "in": "path",
            "name": name,
            "required": True,
            "description": PARAMETERS[name].to(language),
            "schema": _schema_of(route.payload_fields.get(name, _REGENCY)),
            "example": _example(route).get(name, _EXAMPLE_REGENCY),
        }
        for name in route.path_parameters
    ]


def _query_parameters(route: Route, language: str) -> list[dict[str, Any]]:
    parameters = []
    for name, member in route.query.items():
        field = route.payload_fields[member]
        schema = _schema_of(field)
        parameter = {"in": "query", "name": name, "required": field.required, "schema": schema}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        elif name in PARAMETERS:
            parameter["description"] = PARAMETERS[name].to(language)
        if member in _example(route):
            parameter["example"] = _example(route)[member]
        parameters.append(parameter)
    return parameters


def _header_parameters(route: Route, language: str) -> list[dict[str, Any]]:
    parameters = []
    if route.command:
        schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": IDEMPOTENCY_KEY_PATTERN}
        # Without an example: who tries it in `/docs` would send the same key as everybody else.
        parameters.append(_header(IDEMPOTENCY_KEY, _IDEMPOTENCY.to(language), schema))
    if "if_match" in route.payload_fields:
        tag = {"type": "string", "pattern": ENTITY_TAG_PATTERN}
        parameters.append({**_header("If-Match", _IF_MATCH.to(language), tag), "required": route.guarded, "example": '"3"'})
    if route.revalidated:
        parameters.append(_header("If-None-Match", _IF_NONE_MATCH.to(language), {"type": "string"}))
    return parameters


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": False, "description": description, "schema": schema}


def _request_body(route: Route) -> dict[str, Any]:
    schema = _body_converter().schema2jsonschema(_body_schema(route))
    example = {name: value for name, value in _example(route).items() if name in route.body_fields}
    return {"required": route.body_required, "content": {JSON: {"schema": schema, "example": example}}}


def _body_schema(route: Route) -> Schema:
    if route.rpc is None:
        raise ValueError(f"{route.operation_id} takes no body")
    return route.rpc.payload(only=tuple(str(field.name) for name, field in route.payload_fields.items() if name in route.body_fields))


def _success(route: Route, language: str) -> dict[str, Any]:
    headers = header_references(
        *(("ETag",) if route.tagged or route.digested else ()),
        *(("Location",) if route.location else ()),
        *((IDEMPOTENCY_REPLAYED,) if route.command else ()),
        *notices(route),
    )
    done: dict[str, Any] = {"description": _DONE.to(language), "headers": headers, "content": _content(route)}
    links = links_of(route)
    if links:
        done["links"] = links
    answers = {str(route.success): done}
    if route.or_nothing:
        answers["204"] = {"description": _NOBODY_WAITS.to(language), "headers": header_references(*notices(route))}
    if route.revalidated:
        answers["304"] = {"description": _UNCHANGED.to(language), "headers": header_references("ETag", *notices(route))}
    return answers


def _content(route: Route) -> dict[str, Any]:
    if route.answer is None:
        shown = {"example": OTHER_ANSWERS[route.operation_id]} if route.operation_id in OTHER_ANSWERS else {}
        return {route.media_type: {"schema": {"type": "object"} if route.media_type == JSON else {"type": "string"}, **shown}}
    # Answers may gain members: the schema leaves objects open, and readers pass over what they do not know.
    schema = route.answer(unknown=EXCLUDE) if isinstance(route.answer, type) else route.answer
    described: dict[str, Any] = {"schema": schema}
    example = _answer_example(route)
    if example is not None:
        described["example"] = example
    return {route.media_type: described}


def _example(route: Route) -> dict[str, Any]:
    """Return the example of the route's payload."""
    return EXAMPLES[route.rpc.service][route.rpc.method] if route.rpc else {}


def _answer_example(route: Route) -> Any:
    if route.operation_id in OTHER_ANSWERS:
        return OTHER_ANSWERS[route.operation_id]
    if route.rpc is None or not isinstance(route.answer, type):
        return None
    asked = contract(route.rpc.service, route.rpc.method)
    answered = contract(route.rpc.service, asked.answer) if asked.answer else None
    return answered.example if answered and answered.schema is route.answer else None


def _schema_of(field: fields.Field[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = _body_converter().field2property(field)
    return schema


@functools.cache
def _body_converter() -> Any:
    """Return a converter that writes nested objects where they stand.

    Requests and answers may share nested contracts, but only requests are closed to unknown members.
    """
    nowhere: Any = lambda _schema: None  # noqa: E731 - apispec's types forget that a resolver may decline
    plugin = MarshmallowPlugin(schema_name_resolver=nowhere)
    APISpec(title="bodies", version="1", openapi_version="3.1.0", plugins=[plugin])
    return plugin.converter
