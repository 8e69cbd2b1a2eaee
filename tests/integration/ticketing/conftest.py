"""Ticketing in a real PostgreSQL under a clock that the test sets."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.chassis.database import Database
from services.chassis.provisioning import Provisioner
from tests.integration.ticketing.mall import MORNING, Mall, SettableClock
from tests.integration.ticketing.province import MIGRATIONS, Province

_regencies = itertools.count(1)


@pytest.fixture(scope="session")
def login_url(postgres_server) -> str:
    """A login and a database of its own for ticketing on the shared server."""
    name = f"ticketing_{secrets.token_hex(4)}"
    return postgres_server.url(name, user=name, password=secrets.token_urlsafe(24))


@pytest.fixture(scope="session")
def provisioner(postgres_server, login_url) -> Provisioner:
    """Who prepares ticketing's database and adds regencies."""
    provisioner = Provisioner("ticketing", login_url, postgres_server.admin_url, MIGRATIONS)
    provisioner.prepare()
    return provisioner


@pytest.fixture
def clock() -> SettableClock:
    """08:00 in western Indonesia until the test says otherwise."""
    return SettableClock(MORNING)


@pytest.fixture(scope="session")
def open_database(login_url) -> Iterator[Callable[..., Database]]:
    """Open ticketing's database as one more replica does, under a clock of its own."""
    opened = []

    def open_one(clock: SettableClock, pool_size: int = 16) -> Database:
        database = Database("ticketing", login_url, clock=clock, pool_size=pool_size)
        opened.append(database)
        return database

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database, clock) -> Iterator[Database]:
    """The database under the test's clock."""
    database = open_database(clock)
    yield database
    database.close()


@pytest.fixture(scope="session")
def new_regency(provisioner) -> Callable[[], str]:
    """Provision a regency that nobody else uses; answers its slug."""

    def provision() -> str:
        slug = f"uji-ticketing-{next(_regencies)}"
        provisioner.add_regency(slug, {})
        return slug

    return provision


@pytest.fixture(scope="session")
def regency(new_regency) -> str:
    """One regency for all tests: each has a site of its own in it, and tells of agencies and services anew."""
    return new_regency()


@pytest.fixture
def new_mall(database, clock, regency) -> Callable[..., Mall]:
    """Open another site, of the shared regency unless told otherwise."""

    def open_mall(regency: str = regency, **site: Any) -> Mall:
        return Mall(database, clock, regency, **site)

    return open_mall


@pytest.fixture
def mall(new_mall) -> Mall:
    """A site with one agency CPL (services KTP and KK), and counter 1 for both."""
    mall = new_mall()
    mall.ktp, mall.kk = mall.agency("CPL", "A", "KTP", "KK")
    mall.first = mall.counter(1, mall.ktp, mall.kk, agency="CPL")
    return mall


@pytest.fixture
def province(postgres_server) -> Iterator[Province]:
    """A database of its own: rounds meet the regencies of this test only. Its clock shows 16:00 in western Indonesia."""
    province = Province(postgres_server)
    yield province
    for replica in province.replicas:
        replica.close()
