"""JSON Schema 2020-12 of a contract, as it is published.

What is consumed refuses unknown fields, and its schema says so; what is produced may gain fields, so its schema leaves
objects open and readers have to pass over what they do not know.
"""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import EXCLUDE, RAISE

from services.contracts.cloudevents import TYPE_PREFIX
from services.contracts.registry import PLATFORM, Contract, contract
from services.contracts.schema import ContractSchema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_COMPONENTS = "#/components/schemas/"
_DEFINITIONS = "#/$defs/"


def published_document(described: Contract) -> dict[str, Any]:
    """The document that stands in ``published/`` for a contract."""
    root, definitions = _schemas(described.schema, unknown=RAISE if described.direction == "consumed" else EXCLUDE)
    document: dict[str, Any] = {
        "$schema": DIALECT,
        "$id": described.uri,
        "title": described.name,
        "description": _description(described.schema),
        "x-kind": described.kind,
        "x-owner": described.owner,
        "x-version": described.version,
    }
    if described.answer is not None:
        document["x-answer"] = contract(described.owner, described.answer, described.version).uri
        document["x-answer-form"] = described.answer_form
    if described.kind in {"event", "snapshot"}:
        document["x-cloudevent-type"] = TYPE_PREFIX + described.name
        document["x-envelope"] = contract(PLATFORM, "cloud_event").uri
    document |= {key: value for key, value in root.items() if key != "description"}
    document["examples"] = [described.example]
    if definitions:
        document["$defs"] = definitions
    return document


def as_text(document: dict[str, Any]) -> str:
    """The document as it is written to its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _schemas(schema: type[ContractSchema], unknown: Literal["exclude", "raise"]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema itself, and by class name those of the objects within it."""
    plugin = MarshmallowPlugin(schema_name_resolver=lambda nested: _class(nested).__name__)
    spec = APISpec(title="contracts", version="1", openapi_version="3.1.0", plugins=[plugin])
    spec.components.schema("", schema=schema(unknown=unknown))
    components: dict[str, Any] = spec.to_dict()["components"]["schemas"]
    if plugin.converter is None:
        raise RuntimeError("apispec has not made its converter")
    for key, name in plugin.converter.refs.items():
        components[name]["description"] = _description(_class(key[0]))
    root = _with_definitions(components.pop(""))
    return root, {name: _with_definitions(components[name]) for name in sorted(components)}


def _class(schema: Any) -> type[ContractSchema]:
    found: type[ContractSchema] = schema if isinstance(schema, type) else type(schema)
    return found


def _description(schema: type[ContractSchema]) -> str:
    return (inspect.getdoc(schema) or schema.__name__).split("\n\n")[0].replace("\n", " ")


def _with_definitions(node: Any) -> Any:
    """A copy in which references point to ``$defs``."""
    if isinstance(node, dict):
        return {key: _with_definitions(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_definitions(value) for value in node]
    if isinstance(node, str) and node.startswith(_COMPONENTS):
        return _DEFINITIONS + node.removeprefix(_COMPONENTS)
    return node
