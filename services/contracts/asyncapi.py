"""The AsyncAPI 3 document: every public event with its schema, an example, and where it is found on the broker.

It is made from the contracts alone, so it cannot say anything else than they do.
"""

from __future__ import annotations

from typing import Any

from services.contracts.cloudevents import CONTENT_TYPE, TYPE_PREFIX
from services.contracts.json_schema import published_document
from services.contracts.problems import ENGLISH
from services.contracts.registry import PLATFORM, Contract, contract, example_event
from services.contracts.subscriptions import EVENT_TYPES, PUBLIC_AGGREGATES

Document = dict[str, Any]

SCHEMAS, DEFINITIONS = "#/components/schemas/", "#/$defs/"
ENVELOPE = "CloudEvent"
BINDING_VERSION = "0.3.0"

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("MPP: peristiwa Mal Pelayanan Publik", "MPP: events of public service malls"),
    "description": (
        (
            "Setiap perubahan nomor antrean, hari antrean dan katalog sebuah kabupaten adalah peristiwa (CloudEvents 1.0, JSON). "
            "Sistem di luar platform membaca antrean pesan (queue) yang dibuat untuknya oleh `mpp consumers add`; ia tidak "
            "mendeklarasikan, mengikat atau menerbitkan apa pun. Peristiwa dapat tiba dua kali (ingat `id`-nya) dan tidak berurutan: "
            "setiap peristiwa memuat seluruh objek, simpan yang `version`-nya lebih tinggi. `sequence` tidak berlubang dalam satu "
            "`source`; yang terlewat dibaca lewat `GET /v1/{regency}/events`. Tidak ada data pribadi di dalamnya. Isian baru dapat "
            "bertambah: abaikan yang tidak dikenal."
        ),
        (
            "Every change of a ticket, a queue day or the catalogue of a regency is an event (CloudEvents 1.0, JSON). A system "
            "outside the platform reads the queue that `mpp consumers add` made for it; it declares, binds and publishes nothing. "
            "An event may arrive twice (remember its `id`) and out of order: each carries the whole object, keep the one with the "
            "higher `version`. `sequence` has no holes within a `source`; what was missed is read with `GET /v1/{regency}/events`. "
            "There is no personal data in them. Fields may be added: pass over those you do not know."
        ),
    ),
    "server": (
        "RabbitMQ; alamat, pengguna dan kata sandi dari `mpp consumers add`.",
        "RabbitMQ; address, user and password from `mpp consumers add`.",
    ),
    "regency": ("Kabupaten.", "The regency."),
    "event": ("Apa yang terjadi.", "What happened."),
    "consumer": ("Nama yang diberikan kepada konsumen.", "The name that the consumer was given."),
    "channel": ("Peristiwa {aggregate} satu kabupaten.", "Events of {aggregate} of one regency."),
    "queue": (
        "Antrean pesan satu konsumen: peristiwa kabupatennya yang dipilih saat ia ditambahkan.",
        "The queue of one consumer: those events of its regency that were chosen when it was added.",
    ),
    "publish": ("Platform menerbitkan peristiwa {aggregate}.", "The platform publishes events of {aggregate}."),
    "deliver": (
        "Platform mengantarkan peristiwa; konsumen menerima dan mengakui (ack) setiap pesan.",
        "The platform delivers events; the consumer receives and acknowledges each message.",
    ),
}


def asyncapi_document(language: str = ENGLISH) -> Document:
    """Return the document with its sentences in ``language`` ("id" or "en"); schemas are described in English."""
    events = {
        name: contract(owner, name) for owner, names in EVENT_TYPES.items() for name in names if _aggregate(name) in PUBLIC_AGGREGATES
    }
    by_aggregate = {aggregate: [name for name in events if _aggregate(name) == aggregate] for aggregate in PUBLIC_AGGREGATES}
    aggregates = {aggregate: names for aggregate, names in by_aggregate.items() if names}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": _said("title", language), "version": "1", "description": _said("description", language)},
        "defaultContentType": CONTENT_TYPE,
        "servers": {"broker": _server(language)},
        "channels": {
            **{aggregate: _channel(aggregate, names, language) for aggregate, names in aggregates.items()},
            "consumer": _queue(list(events), language),
        },
        "operations": {
            **{f"publish_{aggregate}": _publishing(aggregate, names, language) for aggregate, names in aggregates.items()},
            "deliver_to_consumer": _delivering(list(events), language),
        },
        "components": {
            "messages": {name: _message(described) for name, described in events.items()},
            "schemas": _schemas(list(events.values())),
            "securitySchemes": {"consumer": {"type": "userPassword", "description": _said("server", language)}},
        },
    }


def _said(what: str, language: str, **values: str) -> str:
    indonesian, english = TEXTS[what]
    return (english if language == ENGLISH else indonesian).replace("{aggregate}", values.get("aggregate", ""))


def _aggregate(event_type: str) -> str:
    return event_type.partition(".")[0]


def _server(language: str) -> Document:
    return {
        "host": "{address}",
        "protocol": "amqp",
        "protocolVersion": "0.9.1",
        "description": _said("server", language),
        "variables": {"address": {"default": "localhost:5672", "examples": ["events.example.go.id:5671"]}},
        "security": [{"$ref": "#/components/securitySchemes/consumer"}],
    }


def _parameter(what: str, language: str, **more: Any) -> Document:
    return {"description": _said(what, language), **more}


def _channel(aggregate: str, names: list[str], language: str) -> Document:
    """The routing keys of one aggregate, on the exchange of all events."""
    return {
        "address": f"{{regency}}.{aggregate}.{{event}}",
        "description": _said("channel", language, aggregate=aggregate),
        "servers": [{"$ref": "#/servers/broker"}],
        "parameters": {
            "regency": _parameter("regency", language, examples=["lampung-timur"]),
            "event": _parameter("event", language, enum=[name.partition(".")[2] for name in names]),
        },
        "messages": _messages(names),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": "mpp.events", "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"},
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _queue(names: list[str], language: str) -> Document:
    """The queue from which a consumer outside reads."""
    address = "outside.{regency}.{consumer}"
    return {
        "address": address,
        "description": _said("queue", language),
        "servers": [{"$ref": "#/servers/broker"}],
        "parameters": {
            "regency": _parameter("regency", language, examples=["lampung-timur"]),
            "consumer": _parameter("consumer", language, examples=["dinas-kominfo"]),
        },
        "messages": _messages(names),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": address, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"},
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _messages(names: list[str]) -> Document:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _publishing(aggregate: str, names: list[str], language: str) -> Document:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{aggregate}"},
        "summary": _said("publish", language, aggregate=aggregate),
        "messages": [{"$ref": f"#/channels/{aggregate}/messages/{name}"} for name in names],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING_VERSION}},
    }


def _delivering(names: list[str], language: str) -> Document:
    return {
        "action": "send",
        "channel": {"$ref": "#/channels/consumer"},
        "summary": _said("deliver", language),
        "messages": [{"$ref": f"#/channels/consumer/messages/{name}"} for name in names],
        "bindings": {"amqp": {"deliveryMode": 2, "ack": True, "bindingVersion": BINDING_VERSION}},
    }


def _message(described: Contract) -> Document:
    """One event type: the envelope, with what `type` and `data` are in it."""
    within = {
        "type": {"const": TYPE_PREFIX + described.name},
        "dataschema": {"const": described.uri},
        "data": {"$ref": SCHEMAS + described.schema.__name__},
    }
    return {
        "name": TYPE_PREFIX + described.name,
        "title": described.name,
        "summary": published_document(described)["description"],
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": [{"$ref": SCHEMAS + ENVELOPE}, {"type": "object", "properties": within}]},
        "examples": [{"name": described.name, "payload": example_event(described.name)}],
        "bindings": {"amqp": {"contentEncoding": "utf-8", "bindingVersion": BINDING_VERSION}},
    }


def _schemas(events: list[Contract]) -> Document:
    """All objects by the name of their class."""
    found: Document = {}
    for described in (contract(PLATFORM, "cloud_event"), *events):
        document = published_document(described)
        root = {key: value for key, value in document.items() if key in ("description", "type", "properties", "required")}
        for name, schema in {described.schema.__name__: root, **document.get("$defs", {})}.items():
            moved = _moved(schema)
            if found.setdefault(name, moved) != moved:
                raise ValueError(f"two contracts mean different objects by {name}")
    return dict(sorted(found.items()))


def _moved(node: Any) -> Any:
    """A copy in which references point to the components of this document."""
    if isinstance(node, dict):
        return {key: _moved(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_moved(value) for value in node]
    if isinstance(node, str) and node.startswith(DEFINITIONS):
        return SCHEMAS + node.removeprefix(DEFINITIONS)
    return node
