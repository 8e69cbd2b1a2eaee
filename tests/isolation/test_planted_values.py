"""Recognisable values of every kind are planted wherever the API takes a text; nothing that leaves the platform shows them.

Names, telephone numbers, NIK, e-mail addresses, free text, passwords and tokens go into bodies, addresses and headers,
rightly and wrongly, of every route there is. Then logs, metrics, events and the queue of a consumer outside are searched.
"""

from __future__ import annotations

import http.client
import json
import re
import secrets
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import amqp
import pytest

from deploy.outside.consumers import Consumer, allow, withdraw
from deploy.outside.management import Management
from gateway.route import Route
from gateway.routes import ROUTES
from services.contracts.examples import EXAMPLES
from services.contracts.schema import ListOf, MultilineText, Part, Password, PlainText
from services.contracts.subscriptions import PUBLIC_AGGREGATES
from services.contracts.ticketing import PRIORITY_CLASSES
from tests.platform.client import Answer, Client
from tests.platform.deployment import DeployedPlatform

pytestmark = [pytest.mark.isolation, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

REGENCY = "uji-rahasia"
MARK = secrets.token_hex(4)
NAME = f"Zubaidah{MARK}"
EMAIL = f"zubaidah.{MARK}@contoh.example"
PASSWORD = f"kata-sandi-{MARK}"
TOKEN = f"t{MARK}{secrets.token_hex(12)}"
NIK = f"180764{secrets.randbelow(31) + 41:02}{secrets.randbelow(12) + 1:02}{secrets.randbelow(10**6):06}"
PHONE = "+62812" + f"{secrets.randbelow(10**9):09}"
PRIVATE = {
    "name": NAME,
    "e-mail": EMAIL,
    "password": PASSWORD,
    "token": TOKEN,
    "NIK": NIK,
    "telephone": PHONE,
    "telephone as 08": "0" + PHONE[3:],
}

BY_NAME = {"nik": NIK, "phone": PHONE, "telephone": PHONE, "whatsapp": PHONE, "contact": PHONE, "email": EMAIL, "token": TOKEN}
SECRET_MEMBERS = frozenset({"token", "access_token", "secret", "password", "signing_secret", "key"})
HOME_ACCOUNT = re.compile(r"@(lampung-timur|oku-timur)$")

REASONS = re.compile(r"\b(" + "|".join(PRIORITY_CLASSES) + r")\b")


@dataclass
class Planted:
    """What was sent and what came back."""

    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    """Secrets that the platform made itself and handed out."""
    heard: list[dict[str, Any]] = field(default_factory=list)

    def note(self, what: str, answer: Answer) -> None:
        assert answer.status != 500, (what, answer)
        (self.accepted if answer.status < 400 else self.refused).append(what)
        for name, value in members(answer.body):
            if name in SECRET_MEMBERS and isinstance(value, str) and len(value) > 12:
                self.given[f"{name} from {what}"] = value


def members(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield name, value
            yield from members(value)
    elif isinstance(node, list):
        for value in node:
            yield from members(value)


def planted(fields: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    """The example with marks in everything that a person may write freely."""
    return {name: planted_value(name, fields.get(name), value) for name, value in example.items()}


def planted_value(name: str, described: Any, value: Any) -> Any:
    if isinstance(described, Part) and isinstance(value, dict):
        return planted(described.schema.fields, value)
    if isinstance(described, ListOf) and isinstance(value, list):
        return [planted_value(name, described.inner, each) for each in value]
    if not isinstance(value, str):
        return value
    if name in BY_NAME:
        return BY_NAME[name]
    if isinstance(described, Password):
        return PASSWORD
    return f"{NAME} {EMAIL} {NIK}"[:60] if isinstance(described, PlainText | MultilineText) else value


def path_of(route: Route, payload: Mapping[str, Any]) -> str:
    values = {**payload, "regency": REGENCY}
    return re.sub(r"\{(\w+)\}", lambda match: quote(str(values.get(match[1], "sukadana")), safe="@"), route.path)


def sow(platform: DeployedPlatform, found: Planted, ticket: str) -> None:
    """Send every route of the regency what it asks for, with marks in it, and then wrongly."""
    clients = [platform.client(f"admin@{REGENCY}"), platform.client()]
    account = {"id": f"baru@{REGENCY}", "role": "officer", "display_name": NAME, "agencies": None, "password": PASSWORD}
    found.note("an account", clients[0].post(f"/v1/{REGENCY}/accounts", account))
    for route in ROUTES:
        if route.rpc is None or not route.of_regency or route.path.endswith("/stream"):
            continue
        payload = planted(route.payload_fields, EXAMPLES[route.rpc.service][route.rpc.method])
        for name, text in payload.items():
            if isinstance(text, str) and HOME_ACCOUNT.search(text):
                payload[name] = HOME_ACCOUNT.sub(f"@{REGENCY}", text)
        if "/tickets/{id}" in route.path:
            payload["id"] = ticket
        body = {name: value for name, value in payload.items() if name in route.body_fields}
        for client in clients:
            found.note(f"{route.operation_id} by {client.actor}", send(client, route, path_of(route, payload), body))
        for what, answer in mistakes(clients[0], route, path_of(route, payload), body):
            found.note(f"{route.operation_id} with {what}", answer)


def send(client: Client, route: Route, path: str, body: dict[str, Any]) -> Answer:
    marks = {
        "User-Agent": NAME,
        "Referer": f"https://contoh.example/{EMAIL}",
        "Cookie": f"session={TOKEN}",
        "X-Forwarded-For": "203.0.113.7",
    }
    if route.method == "GET":
        query = [name for name, member in route.query.items() if route.payload_fields[member].required]
        return client.get(path + ("?" + "&".join(f"{name}=sukadana" for name in query) if query else ""), **marks)
    return client.request(route.method, path, body, key=str(uuid.uuid4()), headers=marks)


def mistakes(client: Client, route: Route, path: str, body: dict[str, Any]) -> Iterator[tuple[str, Answer]]:
    """What forms and programs get wrong, with private values in the wrong places."""
    yield "a mark in the address", client.request(route.method, f"{path}?{quote(NAME)}={quote(EMAIL)}&nik={NIK}&token={TOKEN}", body)
    yield "a mark for an id", client.request(route.method, route.path.replace("{regency}", REGENCY).replace("{id}", quote(NAME)), body)
    yield "a mark for a regency", client.request(route.method, route.path.replace("{regency}", NAME.lower()), body)
    credentials = b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode()
    yield "basic credentials", client.request(route.method, path, body, headers={"Authorization": f"Basic {credentials}"})
    yield "a foreign token", client.request(route.method, path, body, headers={"Authorization": f"Bearer {TOKEN}", "Ticket-Token": TOKEN})
    if route.method != "GET":
        yield "unknown members", client.request(route.method, path, {**body, NAME: NIK, "phone": PHONE, "reason": PRIORITY_CLASSES[0]})
        yield "half a document", client.request(route.method, path, f'{{"name": "{NAME}", "nik": {NIK}, "{EMAIL}'.encode())
        yield "wrong types", client.request(route.method, path, {name: {NAME: [PHONE, PASSWORD, TOKEN]} for name in body or {"x": 1}})
        yield "a mark for a key", client.request(route.method, path, {**body, "note": NAME}, key=TOKEN)


@pytest.fixture(scope="module")
def sown(deployed_platform: DeployedPlatform) -> Planted:
    """A regency of its own in which everything was planted, and a consumer outside who heard of it."""
    home = next(document for document in deployed_platform.documents if document["regency"]["id"] == "lampung-timur")
    deployed_platform.join({**home, "regency": {**home["regency"], "id": REGENCY, "code": "18.98"}})
    broker = Management(deployed_platform.rabbitmq.management_url, deployed_platform.rabbitmq.user, deployed_platform.rabbitmq.password)
    consumer = Consumer(REGENCY, "pendengar")
    password = allow(broker, consumer) or ""
    found = Planted(given={"password of the consumer": password})
    citizen = deployed_platform.client()
    for reason in PRIORITY_CLASSES:
        body = {"site": "sukadana", "service": "CPL-KTP", "channel": "web", "priority_class": reason}
        taken = citizen.post(f"/v1/{REGENCY}/tickets", body)
        found.note(f"a number for {reason}", taken)
    sow(deployed_platform, found, taken.body["id"])
    for username in (EMAIL, f"{NAME}@{REGENCY}", f"officer@{REGENCY}"):
        found.note(f"signing in as {username}", citizen.post("/v1/auth/token", {"username": username, "password": PASSWORD}))
    for follower in ("reporting", "notification"):
        deployed_platform.wait_followed(follower, "ticketing", REGENCY)
    found.heard = read_all(deployed_platform, consumer, password)
    withdraw(broker, consumer)
    return found


def read_all(platform: DeployedPlatform, consumer: Consumer, password: str) -> list[dict[str, Any]]:
    """Everything in the consumer's queue."""
    connection = amqp.Connection(f"127.0.0.1:{platform.rabbitmq.port}", userid=consumer.queue, password=password)
    connection.connect()
    channel, heard = connection.channel(), []
    while (message := channel.basic_get(consumer.queue, no_ack=True)) is not None:
        heard.append({**json.loads(message.body), "properties": str(message.properties)})
    connection.close()
    return heard


def disclosed(text: str, sown: Planted) -> str | None:
    """What a text gives away, or `None`."""
    return next((name for name, value in {**PRIVATE, **sown.given}.items() if value in text or quote(value) in text), None)


def test_values_were_planted_in_places_that_took_them(sown: Planted, figures: Figures):
    """Without this, a gateway that refuses everything would pass."""
    assert {"an account", *(f"{name} by admin@{REGENCY}" for name in ("updateSite", "createService", "callTicket"))} <= {*sown.accepted}
    assert len(sown.refused) > 100
    assert len([name for name in sown.given if name.startswith("token from")]) >= len(PRIORITY_CLASSES)
    figures(f"{len(sown.accepted)} requests with planted values accepted, {len(sown.refused)} refused")


def test_no_log_of_the_platform_shows_them(deployed_platform: DeployedPlatform, sown: Planted):
    lines = 0
    for process in deployed_platform.processes:
        for line in process.log.read_text(errors="replace").splitlines():
            lines += 1
            assert (found := disclosed(line, sown)) is None, f"{process.log.name} shows a {found}: {line[:400]}"
            assert not REASONS.search(line), line[:400]
    assert lines > 100


def test_no_log_of_a_server_shows_them(deployed_platform: DeployedPlatform, sown: Planted):
    logs = [deployed_platform.postgres.log, *(deployed_platform.rabbitmq.data_dir / "log").glob("*.log")]
    assert len(logs) > 1
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            assert (found := disclosed(line, sown)) is None, f"{log.name} shows a {found}: {line[:400]}"


def test_no_metric_shows_them(deployed_platform: DeployedPlatform, sown: Planted):
    pages = [process.probe("/metrics")[1] for process in deployed_platform.processes]
    broker = http.client.HTTPConnection(deployed_platform.rabbitmq.metrics_url.split("/")[2], timeout=10)
    broker.request("GET", "/metrics")
    pages.append(broker.getresponse().read().decode())
    broker.close()
    assert "rabbitmq_" in pages[-1]
    for page in pages:
        assert disclosed(page, sown) is None


def test_the_consumer_outside_is_told_nothing_of_them(sown: Planted, figures: Figures):
    """What an administrator writes into the catalogue hangs on the wall of the building: it is public, and told as such."""
    told = [event for event in sown.heard if event["type"].startswith("mpp.catalog.")]
    others = [event for event in sown.heard if event not in told]
    assert {event["type"].split(".")[1] for event in sown.heard} <= set(PUBLIC_AGGREGATES)
    assert any(event["data"].get("ticket", {}).get("lane") == "priority" for event in others)
    for event in others:
        text = json.dumps(event)
        assert (found := disclosed(text, sown)) is None, f"{event['type']} tells a {found}"
        assert not REASONS.search(text), event["type"]
    for event in sown.heard:
        text = json.dumps(event)
        assert f"@{REGENCY}" not in text, f"{event['type']} names who acted"
        assert not any(value in text for value in (PASSWORD, TOKEN, PHONE, *sown.given.values())), event["type"]
        assert not {name for name, _ in members(event["data"])} & {
            "nik",
            "phone",
            "email",
            "token",
            "password",
            "priority_class",
            "comment",
        }
    figures(f"{len(sown.heard)} events reached the consumer outside, {len(told)} of them of the catalogue")
