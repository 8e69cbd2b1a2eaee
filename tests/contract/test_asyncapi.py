"""The AsyncAPI document is a valid one, says what the contracts say, and its examples are events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from services.contracts.asyncapi import asyncapi_document
from services.contracts.publication import ASYNCAPI, PUBLISHED
from services.contracts.registry import CONTRACTS, example_event
from services.contracts.subscriptions import AGGREGATES, EVENT_TYPES, INTERNAL_AGGREGATES, PUBLIC_AGGREGATES, routing_key

pytestmark = pytest.mark.contract

OFFICIAL = json.loads((Path(__file__).parent / "asyncapi" / "3.0.0.json").read_text(encoding="utf-8"))
DOCUMENT = asyncapi_document()
PUBLIC = [name for names in EVENT_TYPES.values() for name in names if name.partition(".")[0] in PUBLIC_AGGREGATES]


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def payload_validator(name: str) -> Draft7Validator:
    """Validates a message as a reader of this document alone would."""
    schema = {**DOCUMENT["components"]["messages"][name]["payload"], "components": DOCUMENT["components"]}
    return Draft7Validator(schema)


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_official_schema_takes_the_document(language: str):
    errors = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in validator().iter_errors(asyncapi_document(language))
    ]
    assert errors == []


def validator() -> Draft7Validator:
    return Draft7Validator(OFFICIAL)


@pytest.mark.parametrize("spoil", [{"channels": []}, {"asyncapi": "2.6.0"}, {"unknown": 1}, {"operations": {"x": {"action": "shout"}}}])
def test_the_official_schema_refuses_what_is_none(spoil: dict[str, Any]):
    assert not validator().is_valid({**DOCUMENT, **spoil})


def test_every_reference_leads_somewhere():
    references = [node["$ref"] for node in nodes(DOCUMENT) if isinstance(node.get("$ref"), str)]
    assert len(references) > 50
    for reference in references:
        resolved(reference)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_of_an_event_fits_its_message_and_its_channel(name: str):
    [example] = DOCUMENT["components"]["messages"][name]["examples"]
    assert example["payload"] == example_event(name)
    assert list(payload_validator(name).iter_errors(example["payload"])) == []
    aggregate, _, event = name.partition(".")
    channel = DOCUMENT["channels"][aggregate]
    assert event in channel["parameters"]["event"]["enum"]
    address = channel["address"].replace("{regency}", "lampung-timur").replace("{event}", event)
    assert address == routing_key("lampung-timur", name)
    assert name in channel["messages"]
    assert name in DOCUMENT["channels"]["consumer"]["messages"]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_message_refuses_what_is_no_such_event(name: str):
    validator, event = payload_validator(name), example_event(name)
    assert not validator.is_valid({**event, "type": "mpp.ticket.eaten"})
    assert not validator.is_valid({**event, "data": {}})
    assert not validator.is_valid({key: value for key, value in event.items() if key != "sequence"})


def test_every_public_event_is_described_and_nothing_else():
    assert sorted(DOCUMENT["components"]["messages"]) == sorted(PUBLIC)
    described = {contract.name for contract in CONTRACTS if contract.kind == "event"}
    assert set(PUBLIC) <= described


def test_every_aggregate_is_either_public_or_internal():
    """Whoever adds one decides whether programs outside may hear of it."""
    known = {aggregate for aggregates in AGGREGATES.values() for aggregate in aggregates}
    assert known == {*PUBLIC_AGGREGATES, *INTERNAL_AGGREGATES}
    assert not set(PUBLIC_AGGREGATES) & set(INTERNAL_AGGREGATES)


def test_sentences_are_in_both_languages():
    indonesian, english = asyncapi_document("id"), asyncapi_document("en")
    assert indonesian["info"]["title"] != english["info"]["title"]
    assert not re.search(r"\{aggregate\}", json.dumps([indonesian, english]))


def test_the_document_is_published():
    assert json.loads((PUBLISHED / ASYNCAPI).read_text(encoding="utf-8")) == DOCUMENT
