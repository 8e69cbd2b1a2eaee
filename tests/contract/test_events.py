"""Events: who reads them tolerates additions, who writes them does not; none carries anything about a person."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from services.contracts.events import EVENT_SCHEMAS, EventTypeUnknown, checked_event, is_known, load_event
from services.contracts.json_schema import published_document
from services.contracts.registry import CONTRACTS, Contract, contract
from services.contracts.schema import PayloadInvalid
from services.contracts.shapes import MULTILINE_TEXT, ONE_LINE, PLAIN_TEXT
from services.contracts.subscriptions import (
    AGGREGATES,
    EVENT_TYPES,
    SNAPSHOT_TYPES,
    SUBSCRIPTIONS,
    TICKETING_CATALOG,
    Subscription,
    binding_keys,
    routing_key,
)
from services.contracts.ticketing import TICKET_STATES

pytestmark = pytest.mark.contract

EVENTS = [described for described in CONTRACTS if described.kind == "event"]
every_event = pytest.mark.parametrize("described", EVENTS, ids=lambda described: described.name)

PERSONAL = ("nik", "phone", "telephone", "contact", "email", "token", "priority_class", "comment", "actor", "password")


def fields_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for node in (document, *document.get("$defs", {}).values()):
        yield from node["properties"].items()


def texts_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "string" in schema.get("type", ()):
        yield schema
    if "items" in schema:
        yield from texts_of(schema["items"])


@every_event
def test_no_event_has_a_field_about_a_person(described: Contract) -> None:
    names = [name for name, _ in fields_of(published_document(described))]
    assert [name for name in names if any(word in name for word in PERSONAL)] == []
    if described.owner == "ticketing":
        assert [name for name in names if "name" in name] == []


@every_event
def test_no_ticket_event_has_free_text(described: Contract) -> None:
    if described.owner == "ticketing":
        free = {shape.regex.pattern for shape in (ONE_LINE, PLAIN_TEXT, MULTILINE_TEXT)}
        texts = [text for _, schema in fields_of(published_document(described)) for text in texts_of(schema)]
        assert [text for text in texts if "enum" not in text and text.get("pattern", ONE_LINE.regex.pattern) in free] == []


@every_event
def test_a_reader_passes_over_what_it_does_not_know(described: Contract) -> None:
    newer = {**copy.deepcopy(described.example), "added": 1}
    for part in newer.values():
        if isinstance(part, dict):
            part["added"] = {"deep": True}
            for nested in part.get("periods", []):
                nested["added"] = None
    assert load_event(described.name, newer) == described.example
    with pytest.raises(PayloadInvalid) as refused:
        checked_event(described.name, newer)
    assert {error["rule"] for error in refused.value.details["errors"]} == {"unknown"}


@every_event
def test_an_event_without_its_fields_is_refused(described: Contract) -> None:
    with pytest.raises(PayloadInvalid):
        load_event(described.name, {})


@every_event
def test_the_writer_is_held_to_the_contract(described: Contract) -> None:
    assert checked_event(described.name, described.example) == described.example


def test_a_token_never_passes_in_a_ticket_event() -> None:
    data = copy.deepcopy(contract("ticketing", "ticket.issued").example)
    data["ticket"]["token"] = "secret"
    with pytest.raises(PayloadInvalid):
        checked_event("ticket.issued", data)
    assert "token" not in load_event("ticket.issued", data)["ticket"]


def test_an_unknown_type_is_told_apart() -> None:
    assert is_known("ticket.called")
    assert not is_known("ticket.teleported")
    with pytest.raises(EventTypeUnknown):
        load_event("ticket.teleported", {})


def test_all_ticket_states_stand_in_the_events_from_the_start() -> None:
    document = published_document(contract("ticketing", "ticket.issued"))
    assert document["$defs"]["PublicTicket"]["properties"]["status"]["enum"] == list(TICKET_STATES)
    assert set(TICKET_STATES) >= {
        *("reserved", "printing", "waiting", "called", "serving", "completed", "no_show", "on_hold"),
        *("transferred", "cancelled", "expired", "void"),
    }


def test_every_event_type_has_a_contract_and_belongs_to_an_aggregate_of_its_owner() -> None:
    published = {event_type for types in EVENT_TYPES.values() for event_type in types}
    asked_for = {event_type for types in SNAPSHOT_TYPES.values() for event_type in types}
    assert set(EVENT_SCHEMAS) == published | asked_for
    assert not published & asked_for, "what is asked for is never on the exchange"
    for owner, types in EVENT_TYPES.items():
        assert {event_type.split(".")[0] for event_type in types} == set(AGGREGATES[owner])


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda subscription: subscription.queue)
def test_a_subscription_takes_the_whole_stream_of_its_owner(subscription: Subscription) -> None:
    assert subscription.aggregates == AGGREGATES[subscription.owner]
    keys = {key.split(".")[1] for key in binding_keys(subscription)}
    for event_type in EVENT_TYPES[subscription.owner]:
        assert routing_key("lampung-timur", event_type).split(".")[1] in keys


def test_queues_and_keys_are_named_after_reader_and_owner() -> None:
    assert Subscription("ticketing.catalog", "catalog", ("catalog",)) == TICKETING_CATALOG
    assert binding_keys(TICKETING_CATALOG) == ("*.catalog.*",)
    assert routing_key("lampung-timur", "ticket.called") == "lampung-timur.ticket.called"
    assert len({subscription.queue for subscription in SUBSCRIPTIONS}) == len(SUBSCRIPTIONS) == 6
