"""A provisioned catalogue in a real PostgreSQL, and regencies that each test has for itself."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import services.catalog
from services.catalog.usecases.loading import load_regency
from services.chassis.database import Database
from services.chassis.events import Envelope, read_log
from services.chassis.provisioning import Provisioner
from services.contracts import catalog as contracts
from tests.integration.catalog.hall import Clock, Hall

MIGRATIONS = Path(services.catalog.__file__).parent / "migrations"
FACTS = {"code": "18.07", "name": "Kabupaten Uji", "province": "Lampung", "timezone": "Asia/Jakarta", "capital": "Sukadana"}

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def login_url(postgres_server) -> str:
    """A login and a database of its own for the catalogue on the shared server."""
    name = f"catalog_{secrets.token_hex(4)}"
    return postgres_server.url(name, user=name, password=secrets.token_urlsafe(24))


@pytest.fixture(scope="session")
def provisioner(postgres_server, login_url) -> Provisioner:
    """Who prepares the catalogue's database and adds regencies."""
    provisioner = Provisioner("catalog", login_url, postgres_server.admin_url, MIGRATIONS)
    provisioner.prepare()
    return provisioner


@pytest.fixture(scope="session")
def database(provisioner, login_url) -> Iterator[Database]:
    """The catalogue's database as its service sees it."""
    database = Database("catalog", login_url)
    yield database
    database.close()


@pytest.fixture
def new_regency(provisioner) -> Callable[..., str]:
    """Provision a regency that nobody else uses; answers its slug."""

    def provision(**facts: str) -> str:
        slug = f"uji-catalog-{next(_numbers)}"
        provisioner.add_regency(slug, {**FACTS, **facts})
        return slug

    return provision


@pytest.fixture
def regency(new_regency) -> str:
    """A regency without any entity."""
    return new_regency()


class Catalogue:
    """The use cases for one regency, fed and read through the contracts as the service does it."""

    def __init__(self, database: Database, regency: str) -> None:
        self.database = database
        self.regency = regency

    def work(self):
        return self.database.regency_work(self.regency)

    def do(self, usecase, kind, contract, payload):
        data = getattr(contracts, contract)().load(payload)
        with self.work() as work:
            return usecase(work, kind, data)

    def load(self, document, *, overwrite=False, embedded=False):
        whole = {**document, "regency": {**document["regency"], "id": self.regency}}
        data = contracts.LoadRegency().load({"document": whole})
        with self.work() as work:
            return load_regency(work, data["document"], overwrite=overwrite, embedded=embedded)

    def events(self) -> list[Envelope]:
        with self.work() as work:
            return read_log(work, f"/regencies/{self.regency}/catalog", 0, 1000)


@pytest.fixture
def catalogue(database, regency) -> Catalogue:
    """The use cases for a regency without any entity."""
    return Catalogue(database, regency)


@pytest.fixture
def another_catalogue(database, new_regency) -> Catalogue:
    """The same for a second regency."""
    return Catalogue(database, new_regency())


@pytest.fixture
def hall(provisioner, login_url, new_regency) -> Iterator[Hall]:
    """People and devices that sign in, and a clock that stands still."""
    clock = Clock()
    database = Database("catalog", login_url, clock=clock)
    yield Hall(database, new_regency(), clock)
    database.close()
