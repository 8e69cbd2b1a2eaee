"""The databases of the probe services on the shared PostgreSQL, with regencies that each test has for itself."""

import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import tests.probe
from services.chassis.context import SYSTEM, Actor, CallContext
from services.chassis.database import Database
from services.chassis.events import Event
from services.chassis.provisioning import Provisioner

MIGRATIONS = Path(tests.probe.__file__).parent / "migrations"
_numbers = itertools.count(1)


class Administration:
    """What only the administrator sees or does, in one database."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)

    def run(self, statement: str, **parameters: Any) -> list[Any]:
        """Run one statement and commit; return its rows."""
        with self._engine.begin() as connection:
            result = connection.execute(sa.text(statement), parameters)
            return list(result) if result.returns_rows else []

    def value(self, statement: str, **parameters: Any) -> Any:
        """Return the first value of the first row."""
        return self.run(statement, **parameters)[0][0]

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self.value(f"SELECT count(*) FROM {table}"))

    def connection(self) -> sa.Connection:
        """Return a connection of its own, for holding locks."""
        return self._engine.connect()


def login_url(postgres_server, service: str) -> str:
    """A login and database of its own for a service."""
    name = f"{service}_{secrets.token_hex(4)}"
    return postgres_server.url(name, user=name, password=secrets.token_urlsafe(24))


@pytest.fixture(scope="session")
def ledger_url(postgres_server) -> str:
    return login_url(postgres_server, "ledger")


@pytest.fixture(scope="session")
def provisioner(postgres_server, ledger_url) -> Provisioner:
    """Who prepares the ledger's database."""
    provisioner = Provisioner("ledger", ledger_url, postgres_server.admin_url, MIGRATIONS)
    provisioner.prepare()
    return provisioner


@pytest.fixture
def database(provisioner, ledger_url) -> Iterator[Database]:
    """The ledger's database as its service sees it, with connections of its own."""
    database = Database("ledger", ledger_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def administration(provisioner, postgres_server, ledger_url) -> Administration:
    """The administrator in the ledger's database."""
    return Administration(postgres_server.url(sa.make_url(ledger_url).database or ""))


@pytest.fixture
def new_regency(provisioner) -> Callable[[], str]:
    """Provision a regency that nobody else uses; answers its slug."""

    def provision() -> str:
        slug = f"uji-chassis-{next(_numbers)}"
        provisioner.add_regency(slug, {"name": "Kabupaten Uji"})
        return slug

    return provision


@pytest.fixture
def regency(new_regency) -> str:
    """A regency without anything in it."""
    return new_regency()


def call(
    regency: str, *, seconds: float = 5.0, command_id: str | None = None, actor: Actor = SYSTEM, traceparent: str | None = None
) -> CallContext:
    """The context of one call."""
    return CallContext(regency, actor, command_id, traceparent=traceparent).within(seconds)


def schema(regency: str) -> str:
    """The schema of a regency in SQL."""
    return regency.replace("-", "_")


def added(account: str = "a", site: str | None = "main", **data: Any) -> Event:
    """An event of the ledger."""
    return Event("entry.added", account, {"account": account, "amount": 1, **data}, site=site)


def facts(administration: Administration, regency: str) -> dict[str, Any]:
    """Everything that a unit of work may have left in a regency."""
    where = schema(regency)
    return {
        "entries": administration.count(f"{where}.entry"),
        "logged": administration.count(f"{where}.event_log"),
        "streams": dict(tuple(row) for row in administration.run(f"SELECT source, sequence FROM {where}.stream")),
        "commands": administration.count(f"{where}.command_inbox"),
        "audited": administration.count(f"{where}.audit_log"),
        "outbox": administration.value("SELECT count(*) FROM platform.outbox WHERE regency = :regency", regency=regency),
    }


NOTHING = {"entries": 0, "logged": 0, "streams": {}, "commands": 0, "audited": 0, "outbox": 0}


def plain(value: Any) -> Any:
    """JSON and back: what the wire leaves of a value."""
    return json.loads(json.dumps(value))
