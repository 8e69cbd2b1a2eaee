"""Every contract has an example that it takes, in Python and as the published JSON Schema."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from services.contracts.cloudevents import CloudEvent
from services.contracts.examples import EXAMPLES
from services.contracts.json_schema import published_document
from services.contracts.publication import PUBLISHED
from services.contracts.registry import CONTRACTS, Contract, contract, example_event
from services.contracts.subscriptions import EVENT_TYPES

pytestmark = pytest.mark.contract

every_contract = pytest.mark.parametrize("described", CONTRACTS, ids=lambda described: described.path)


@every_contract
def test_the_code_takes_the_example_and_changes_nothing_in_it(described: Contract) -> None:
    loaded = described.schema().load(described.example)
    without_defaults = _without_additions(loaded, described.example)
    assert without_defaults == described.example
    assert json.loads(json.dumps(loaded)) == loaded


@every_contract
def test_the_published_schema_takes_the_example(described: Contract) -> None:
    document = json.loads((PUBLISHED / described.path).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(document)
    Draft202012Validator(document, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(described.example)
    assert document["examples"] == [described.example]


@every_contract
def test_the_published_schema_says_what_it_describes(described: Contract) -> None:
    document = published_document(described)
    assert document["$id"] == described.uri
    assert document["description"].endswith((".", "?", "``.")), document["description"]
    closed = document.get("additionalProperties") is False
    assert closed == (described.direction == "consumed")


def test_no_example_without_a_contract() -> None:
    known = {(described.owner, described.name) for described in CONTRACTS}
    assert {(owner, name) for owner, examples in EXAMPLES.items() for name in examples} == known


def test_contracts_have_different_names_within_their_owner() -> None:
    assert len({described.path for described in CONTRACTS}) == len(CONTRACTS)


@pytest.mark.parametrize("described", [c for c in CONTRACTS if c.kind in {"command", "query"}], ids=lambda c: c.name)
def test_every_command_and_query_has_an_answer(described: Contract) -> None:
    assert described.answer is not None
    assert contract(described.owner, described.answer).kind in {"answer", "envelope"}


@pytest.mark.parametrize("event_type", [name for names in EVENT_TYPES.values() for name in names])
def test_every_event_fits_its_envelope(event_type: str) -> None:
    event = example_event(event_type)
    assert CloudEvent().load(event) == event
    envelope = published_document(contract("platform", "cloud_event"))
    Draft202012Validator(envelope).validate(event)


def _without_additions(loaded: object, example: object) -> object:
    """`loaded` without the fields that the example left out and a default filled."""
    if isinstance(loaded, dict) and isinstance(example, dict):
        return {key: _without_additions(loaded[key], example[key]) for key in loaded if key in example}
    if isinstance(loaded, list) and isinstance(example, list):
        assert len(loaded) == len(example)
        return [_without_additions(one, other) for one, other in zip(loaded, example, strict=True)]
    return loaded
