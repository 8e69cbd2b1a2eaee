"""After a day's work no log, metric, event or table holds what must not leave its place: tokens, passwords, reasons for priority."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from gateway.routes import ROUTES
from services.chassis.settings import SERVICES
from services.chassis.tail import tail
from services.contracts.ticketing import PRIORITY_CLASSES
from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR, Day, empty, take_number

pytestmark = [pytest.mark.isolation, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

REASONS = re.compile(r"\b(" + "|".join(PRIORITY_CLASSES) + r")\b")
HASH = re.compile(r"\$argon2|\$scrypt|\$2b\$")
JWT = re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

AT_HOME = {
    ("catalog", "account", "password_hash"),
    ("catalog", "device", "password_hash"),
    ("ticketing", "ticket", "priority_class"),
}
"""The only columns in which a hash or a reason for priority may stand."""


@dataclass(frozen=True)
class Played:
    """A day that was played, and everything secret that was said in it."""

    secrets: dict[str, str]
    events: str


@pytest.fixture(scope="module")
def played(deployed_platform: DeployedPlatform) -> Played:
    """Journeys, sign-ins, mistakes of clients, and everything that could tempt a program to write down what it was sent."""
    empty(deployed_platform, [OKU_TIMUR])
    heard = tail(deployed_platform.rabbitmq.url, "#", timeout=15.0)
    assert next(heard) == {}
    day = Day(deployed_platform, OKU_TIMUR, 24)
    day.begin()
    day.end()
    citizen = deployed_platform.client()
    tokens = [answer.body["token"] for answer in day.issued]
    for reason in PRIORITY_CLASSES:
        taken = take_number(citizen, OKU_TIMUR, "PTS-IZN", reason).body
        tokens.append(taken["token"])
        make_mistakes(citizen, taken["id"], taken["token"], reason)
        assert citizen.post(f"{OKU_TIMUR.path}/tickets/{taken['id']}/cancel", **{"Ticket-Token": taken["token"]}).status == 200
    change_passwords(deployed_platform)
    events = [json.dumps(next(heard)) for _ in range(4 * day.journeys + 2 * len(PRIORITY_CLASSES))]
    passwords = {f"password of {name}": password for name, password in deployed_platform.passwords.items() if len(password) > 8}
    settings = {**deployed_platform.secrets, "password of the broker": deployed_platform.rabbitmq.password}
    databases = {f"password of {s}'s login": deployed_platform.database_url(s).split(":")[2].split("@")[0] for s in SERVICES}
    issued = {f"ticket token {number}": token for number, token in enumerate(tokens)}
    return Played({**passwords, **settings, **databases, **issued}, "\n".join(events))


def make_mistakes(client: Client, ticket: str, token: str, reason: str) -> None:
    """What clients do wrong, with secrets in the wrong places."""
    path = f"{OKU_TIMUR.path}/tickets"
    assert client.get(f"{path}/{ticket}?token={token}", **{"Ticket-Token": token}).status in (400, 422)
    assert client.get(f"{path}/{token}", **{"Ticket-Token": token}).status in (404, 422)
    assert client.get(f"/v1/{token}/tickets").status in (401, 404)
    body = {"site": "martapura", "service": "PTS-IZN", "channel": "web", "priority_class": reason, token: reason}
    assert client.post(path, body).status == 422
    assert client.post(path, f'{{"priority_class": "{reason}", "token": "{token}"'.encode()).status == 400
    assert client.request("POST", path, {"token": token}, headers={"Authorization": f"Bearer {token}"}).status == 401


def change_passwords(platform: DeployedPlatform) -> None:
    """Sign in wrongly and rightly, and let an administrator add and change accounts."""
    admin, wrong = platform.client("admin@oku-timur"), "salah-tapi-rahasia"
    platform.passwords["a wrong guess"] = wrong
    assert admin.post("/v1/auth/token", {"username": "officer@oku-timur", "password": wrong}).status == 401
    account = {"id": "baru@oku-timur", "role": "officer", "display_name": "Baru", "agencies": None, "password": "rahasia-pertama"}
    assert admin.post("/v1/oku-timur/accounts", account).status in (201, 409)
    assert admin.patch("/v1/oku-timur/accounts/baru@oku-timur", {"password": "rahasia-kedua"}).status == 200
    assert admin.patch("/v1/oku-timur/accounts/baru@oku-timur", {"password": "rahasia-ketiga", "nama": 1}).status == 422
    platform.passwords |= {"first": "rahasia-pertama", "second": "rahasia-kedua", "refused": "rahasia-ketiga"}


def disclosed(text: str, played: Played) -> str | None:
    """What a text gives away, or `None`."""
    for name, secret in played.secrets.items():
        if secret in text:
            return name
    for name, pattern in (("a reason for priority", REASONS), ("a password's hash", HASH), ("an access token", JWT)):
        found = pattern.search(text)
        if found:
            return f"{name}: ...{text[max(0, found.start() - 80) : found.end() + 20]}"
    return None


def test_logs_of_every_level_disclose_nothing(deployed_platform: DeployedPlatform, played: Played, figures: Figures):
    lines = 0
    for process in deployed_platform.processes:
        for line in process.log.read_text(errors="replace").splitlines():
            lines += 1
            assert (found := disclosed(line, played)) is None, f"{process.log.name} discloses {found}"
    gateway = "".join(process.log.read_text() for process in deployed_platform.gateways)
    assert '"http_request"' in gateway, "requests are not logged at all"
    assert '"regency": "oku-timur"' in gateway
    figures(f"{lines} log lines at level DEBUG disclose nothing")


def test_logs_of_the_servers_disclose_nothing(deployed_platform: DeployedPlatform, played: Played):
    logs = [deployed_platform.postgres.log, *(deployed_platform.rabbitmq.data_dir / "log").glob("*.log")]
    assert len(logs) > 1
    for log in logs:
        assert (found := disclosed(log.read_text(errors="replace"), played)) is None, f"{log.name} discloses {found}"


def test_metrics_disclose_nothing_and_name_no_ticket(deployed_platform: DeployedPlatform, played: Played):
    for process in deployed_platform.processes:
        shown = process.probe("/metrics")[1]
        assert "mpp_" in shown
        assert (found := disclosed(shown, played)) is None, f"{process.log.name} discloses {found}"
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", shown), "a label holds an id"
    at_the_edge = deployed_platform.client().get("/metrics").body
    assert disclosed(at_the_edge, played) is None


def test_events_disclose_nothing(played: Played):
    assert '"lane": "priority"' in played.events
    assert disclosed(played.events, played) is None
    assert "@oku-timur" not in played.events, "an event names who acted"


def stored(platform: DeployedPlatform, service: str) -> Iterator[tuple[str, str, str]]:
    """Table, column and content of everything that a service has stored, one text a column."""
    with psycopg.connect(platform.postgres.url(service)) as connection:
        columns = connection.execute(
            "SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name) WHERE t.table_type = 'BASE TABLE'"
            " AND c.table_schema NOT IN ('information_schema', 'pg_catalog')"
        ).fetchall()
        query = sql.SQL("SELECT coalesce(string_agg({}::text, E'\\n'), '') FROM {}")
        for schema, table, column in columns:
            row = connection.execute(query.format(sql.Identifier(column), sql.Identifier(schema, table))).fetchone()
            yield table, column, row[0] if row else ""


@pytest.mark.parametrize("service", SERVICES)
def test_tables_disclose_nothing_but_in_the_columns_meant_for_it(service: str, deployed_platform: DeployedPlatform, played: Played):
    kept = set()
    for table, column, text in stored(deployed_platform, service):
        found = disclosed(text, played)
        if (service, table, column) in AT_HOME:
            if found:
                kept.add((service, table, column))
            assert not any(secret in text for secret in played.secrets.values()), f"{table}.{column}"
        else:
            assert found is None, f"{service}.{table}.{column} discloses {found}"
    assert kept == {place for place in AT_HOME if place[0] == service}, "nothing was there to be found"


def test_addresses_carry_no_secret():
    """Addresses end up in logs, histories and referrers."""
    for route in ROUTES:
        names = {*route.path_parameters, *route.query}
        assert not names & {"token", "password", "nik", "phone", "access_token", "priority_class"}, route.operation_id
