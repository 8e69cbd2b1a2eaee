"""A RabbitMQ user for an outside consumer: it reads the one queue that was made for it, and has no other right.

The queue, its bindings and its limits are made here and not by the consumer, because a user who may declare a queue can
stop the platform with it: ``x-overflow: reject-publish`` makes the broker refuse the relay's events, and neither policies
nor permissions forbid it (deploy/decisions/0011-outside-consumers.md).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from deploy.outside.management import Management, ManagementError
from services.contracts.subscriptions import EVENT_TYPES, PUBLIC_AGGREGATES

TAG = "mpp-outside"
"""Marks users that were made here. RabbitMQ gives no right for it."""

EXCHANGE = "mpp.events"
POLICY = "mpp-outside"
PREFIX = "outside"
NOTHING = "^$"
HASHING = "rabbit_password_hashing_sha256"
METHOD_NOT_ALLOWED = 405

MOST_CONNECTIONS, MOST_CHANNELS = 5, 20

LIMITS = {
    "max-length": 50_000,  # two weeks of a busy site
    "max-length-bytes": 100_000_000,
    "message-ttl": 7 * 86_400_000,  # what is older is read from the event log
    "expires": 30 * 86_400_000,  # a queue that nobody has read for so long is deleted
}
"""What a queue may hold, in messages, bytes and milliseconds. When one is reached, the oldest events give way."""


@dataclass(frozen=True, order=True)
class Consumer:
    """A program outside that listens to one regency."""

    regency: str
    name: str

    @property
    def queue(self) -> str:
        """Its queue; its user has the same name."""
        return f"{PREFIX}.{self.regency}.{self.name}"

    @property
    def account(self) -> str:
        """Its account for ``GET /v1/{regency}/events``."""
        return f"{PREFIX}.{self.name}@{self.regency}"


@dataclass(frozen=True)
class Condition:
    """How a consumer is doing. ``depth`` is ``None`` when the queue is gone; ``events`` are what it is sent."""

    consumer: Consumer
    depth: int | None
    connections: int
    reading: bool
    events: tuple[str, ...]


def allow(
    broker: Management,
    consumer: Consumer,
    events: Collection[str] | None = None,
    *,
    rotate: bool = False,
    tell: Callable[[str], None] = lambda password: None,
) -> str | None:
    """Make what is missing of a consumer's user and queue; return the password when there is a new one.

    Safe to repeat, also after a run that was interrupted: whose rights were not complete never learnt its password and gets
    another one.

    :param events: patterns such as ``ticket.*`` or ``ticket.called``; ``None`` leaves those of an existing queue, and sends all
        public events to a new one.
    :param tell: is given a new password before RabbitMQ is; when it fails, the consumer stays incomplete.
    :raises ManagementError: the API is away or refuses, or somebody else has the name.
    """
    complete = _is_complete(broker, consumer)
    _prepare_queue(broker, consumer, events)
    password = None
    if rotate or not complete:
        password = secrets.token_urlsafe(24)
        tell(password)
        broker.put("users", consumer.queue, body={"password_hash": _hash(password), "hashing_algorithm": HASHING, "tags": TAG})
    for limit, value in (("max-connections", MOST_CONNECTIONS), ("max-channels", MOST_CHANNELS)):
        broker.put("user-limits", consumer.queue, limit, body={"value": value})
    # A fence behind the fence, and before it: without a topic permission a right to read the exchange would mean all regencies.
    topics = {"exchange": EXCHANGE, "write": NOTHING, "read": _readable_keys(consumer.regency)}
    broker.put("topic-permissions", broker.vhost, consumer.queue, body=topics)
    rights = {"configure": NOTHING, "write": NOTHING, "read": rf"^{re.escape(consumer.queue)}\z"}
    broker.put("permissions", broker.vhost, consumer.queue, body=rights)
    if password is not None:
        _disconnect(broker, consumer)  # whoever came in with the old one
    return password


def withdraw(broker: Management, consumer: Consumer) -> bool:
    """Delete user, connections and queue, in this order, and at once; return whether there was anything.

    :raises ManagementError: the API is away or refuses, or the user is somebody else's.
    """
    found = _own_user(broker, consumer) is not None and broker.delete("users", consumer.queue)
    _disconnect(broker, consumer)
    return broker.delete("queues", broker.vhost, consumer.queue) or found


def conditions(broker: Management, regency: str | None = None) -> list[Condition]:
    """Return all consumers, or those of one regency, also those whose queue or user is missing."""
    users = {user["name"] for user in broker.get("users") if TAG in _tags(user)}
    queues = {queue["name"]: queue for queue in broker.get("queues", broker.vhost) if queue["name"].startswith(f"{PREFIX}.")}
    named = (_consumer_of(name) for name in users | queues.keys())
    wanted = sorted(each for each in named if each is not None and regency in (None, each.regency))
    return [_condition(broker, consumer, queues.get(consumer.queue)) for consumer in wanted]


def has_guest(broker: Management) -> bool:
    """Whether the broker still has RabbitMQ's well-known user, who may read and write everything."""
    return broker.get("users", "guest") is not None


def checked_events(patterns: Iterable[str]) -> list[str]:
    """Return patterns that name public events; raises ``ValueError`` for the first that does not."""
    checked = []
    for pattern in patterns:
        aggregate, _, name = pattern.removeprefix("mpp.").partition(".")
        known = {each.partition(".")[2] for types in EVENT_TYPES.values() for each in types if each.startswith(f"{aggregate}.")}
        if aggregate not in PUBLIC_AGGREGATES or name not in {"*", *known}:
            raise ValueError(pattern)
        checked.append(f"{aggregate}.{name}")
    return checked


def _prepare_queue(broker: Management, consumer: Consumer, events: Collection[str] | None) -> None:
    limits = {"pattern": rf"^{PREFIX}\.", "apply-to": "queues", "priority": 1000}
    broker.put("exchanges", broker.vhost, EXCHANGE, body={"type": "topic", "durable": True})
    broker.put("policies", broker.vhost, POLICY, body={**limits, "definition": {**LIMITS, "overflow": "drop-head"}})
    _put_operator_policy(broker, {**limits, "definition": LIMITS})
    # Classic: when its node is away, what is published is not for it, and the platform's events do not wait for it.
    broker.put("queues", broker.vhost, consumer.queue, body={"durable": True, "arguments": {"x-queue-type": "classic"}})
    path = ("bindings", broker.vhost, "e", EXCHANGE, "q", consumer.queue)
    bound = {each["routing_key"]: each["properties_key"] for each in broker.get(*path) or []}
    if events is None:
        events = () if bound else [f"{aggregate}.*" for aggregate in PUBLIC_AGGREGATES]
        surplus = set()
    else:
        surplus = bound.keys() - {f"{consumer.regency}.{pattern}" for pattern in events}
    for pattern in events:
        broker.post(*path, body={"routing_key": f"{consumer.regency}.{pattern}"})
    for key in surplus:
        broker.delete(*path, bound[key])


def _put_operator_policy(broker: Management, policy: dict[str, Any]) -> None:
    """Limits that stand above whatever policy somebody adds later. `overflow` is not for operator policies to say."""
    try:
        broker.put("operator-policies", broker.vhost, POLICY, body=policy)
    except ManagementError as error:
        if error.status != METHOD_NOT_ALLOWED:  # some hosts of RabbitMQ keep these to themselves
            raise


def _is_complete(broker: Management, consumer: Consumer) -> bool:
    """Whether the user exists with all its rights, of which the one to read its queue is given last."""
    return _own_user(broker, consumer) is not None and broker.get("permissions", broker.vhost, consumer.queue) is not None


def _own_user(broker: Management, consumer: Consumer) -> dict[str, Any] | None:
    user: dict[str, Any] | None = broker.get("users", consumer.queue)
    if user is not None and TAG not in _tags(user):
        raise ManagementError(f"RabbitMQ has a user {consumer.queue} that was not made by mpp: choose another name for the consumer.")
    return user


def _tags(user: dict[str, Any]) -> list[str]:
    """A user's tags: a list, in older releases one text."""
    tags = user.get("tags", [])
    return tags.split(",") if isinstance(tags, str) else list(tags)


def _disconnect(broker: Management, consumer: Consumer) -> None:
    for connection in broker.get("connections", "username", consumer.queue) or []:
        broker.delete("connections", connection["name"])


def _condition(broker: Management, consumer: Consumer, queue: dict[str, Any] | None) -> Condition:
    connections = broker.get("connections", "username", consumer.queue) or []
    bindings = broker.get("queues", broker.vhost, consumer.queue, "bindings") or []
    keys = (binding["routing_key"] for binding in bindings if binding["source"] == EXCHANGE)
    return Condition(
        consumer,
        None if queue is None else int(queue.get("messages", 0)),
        len(connections),
        bool(queue and queue.get("consumers", 0)),
        tuple(sorted(key.removeprefix(f"{consumer.regency}.") for key in keys)),
    )


def _consumer_of(queue: str) -> Consumer | None:
    parts = queue.split(".")
    return Consumer(parts[1], parts[2]) if len(parts) == 3 else None


def _readable_keys(regency: str) -> str:
    return rf"^{re.escape(regency)}\.({'|'.join(PUBLIC_AGGREGATES)})\.([a-z_]+|\*)\z"


def _hash(password: str) -> str:
    """RabbitMQ's salted SHA-256, so that the password itself is in no request, log or backup."""
    salt = secrets.token_bytes(4)
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
