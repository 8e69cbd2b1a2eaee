"""Reporting in a real PostgreSQL, and regencies that each test has for itself."""

import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import services.reporting
from services.chassis.database import Database
from services.chassis.inbox import Inbox
from services.chassis.provisioning import Provisioner
from services.contracts import reporting as contracts
from services.contracts.subscriptions import REPORTING_TICKETING
from services.reporting import store, usecases
from tests.ticket_journeys import BUSINESS_DATE, Happening

MIGRATIONS = Path(services.reporting.__file__).parent / "migrations"

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def login_url(postgres_server) -> str:
    """Address of reporting's database for its own login."""
    name = f"reporting_{secrets.token_hex(4)}"
    return postgres_server.url(name, user=name, password=secrets.token_urlsafe(24))


@pytest.fixture(scope="module")
def provisioner(postgres_server, login_url) -> Provisioner:
    """Reporting's database on the shared server."""
    provisioner = Provisioner("reporting", login_url, postgres_server.admin_url, MIGRATIONS)
    provisioner.prepare()
    return provisioner


@pytest.fixture(scope="module")
def database(provisioner, login_url) -> Iterator[Database]:
    """The database as the service sees it."""
    database = Database("reporting", login_url)
    yield database
    database.close()


class Reporting:
    """The use cases for one regency, fed and asked as the service does it."""

    def __init__(self, database: Database, regency: str) -> None:
        self.database = database
        self.regency = regency
        self.inbox = Inbox(database, REPORTING_TICKETING.queue, usecases.apply_ticket_event)

    def work(self):
        return self.database.regency_work(self.regency)

    def hear(self, told: Sequence[Happening]) -> None:
        """Apply events past the inbox, so that it is the tables that have to stand repeats and any order."""
        with self.work() as work:
            for happening in told:
                usecases.apply_ticket_event(work, happening.envelope(self.regency))

    def report(self, site: str = "sukadana", date: str = BUSINESS_DATE) -> dict[str, Any]:
        """The answer as its contract takes it."""
        data = contracts.DailyReport().load({"site": site, "date": date})
        with self.database.regency_work(self.regency, read_only=True) as work:
            answer: dict[str, Any] = contracts.DailyFigures().load(usecases.daily_report(work, data))
        return answer

    def facts(self) -> dict[str, dict[str, Any]]:
        """All stored facts by ticket."""
        with self.work() as work:
            return {row["id"]: dict(row) for row in work.execute(sa.select(store.ticket_fact)).mappings()}

    def forget(self) -> None:
        """Begin with empty tables again."""
        with self.work() as work:
            work.execute(sa.delete(store.ticket_fact))


@pytest.fixture(scope="module")
def new_reporting(provisioner, database) -> Callable[[], Reporting]:
    """Provision a regency that nobody else uses."""

    def provision() -> Reporting:
        slug = f"uji-reporting-{next(_numbers)}"
        provisioner.add_regency(slug, {})
        return Reporting(database, slug)

    return provision


@pytest.fixture
def reporting(new_reporting) -> Reporting:
    """Reporting of a regency in which nothing has happened."""
    return new_reporting()
