"""Reporting in a real PostgreSQL, and regencies that each test has for itself."""

import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import services.reporting
from services.chassis import commands
from services.chassis.context import ANONYMOUS, CallContext
from services.chassis.database import Database
from services.chassis.events import Envelope, read_log
from services.chassis.inbox import Inbox
from services.chassis.provisioning import Provisioner
from services.contracts import reporting as contracts
from services.contracts.examples import EXAMPLES
from services.contracts.subscriptions import REPORTING_TICKETING
from services.reporting import store, usecases
from tests.ticket_journeys import BUSINESS_DATE, OPENING, Happening

MIGRATIONS = Path(services.reporting.__file__).parent / "migrations"

FOURS = dict.fromkeys(contracts.ELEMENTS, 4)
TOKEN = "token-of-the-ticket-of-a-citizen"

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
        self.inbox = Inbox(database, REPORTING_TICKETING.queue, usecases.apply_ticket_events)

    def work(self):
        return self.database.regency_work(self.regency)

    def hear(self, told: Sequence[Happening]) -> None:
        """Apply events past the inbox, so that it is the tables that have to stand repeats and any order."""
        with self.work() as work:
            for happening in told:
                usecases.apply_ticket_events(work, [happening.envelope(self.regency)])

    def hear_again(self, envelopes: Sequence[Envelope]) -> None:
        """Apply events of the owner's log past the inbox, as a rebuild does."""
        with self.work() as work:
            for envelope in envelopes:
                usecases.apply_ticket_events(work, [envelope])

    def tell_site(self, version: int = 3, name: str = "MPP Lampung Timur", **differing: Any) -> None:
        """Tell of the site Sukadana as the catalogue does."""
        site = {**EXAMPLES["catalog"]["site"], "version": version, "name": name, **differing}
        source = f"/regencies/{self.regency}/catalog"
        event = Envelope("0", source, "catalog.site_changed", site["id"], OPENING, self.regency, version, {"site": site})
        with self.work() as work:
            usecases.apply_catalog_event(work, event)

    def report(self, site: str = "sukadana", date: str | None = BUSINESS_DATE, **filters: str) -> dict[str, Any]:
        """The figures of a day, as the contract has them."""
        asked = {"site": site, **({} if date is None else {"date": date}), **filters}
        data = contracts.DailyReport().load(asked)
        with self.database.regency_work(self.regency, read_only=True) as work:
            answer: dict[str, Any] = contracts.DailyFigures().load(usecases.daily_report(work, data))
        return answer

    def skm(self, since: str = BUSINESS_DATE, until: str = BUSINESS_DATE, **filters: str) -> dict[str, Any]:
        """The satisfaction index of a period, as the contract has it."""
        data = contracts.SkmReport().load({"since": since, "until": until, **filters})
        with self.database.regency_work(self.regency, read_only=True) as work:
            answer: dict[str, Any] = contracts.SkmFigures().load(usecases.skm_report(work, data))
        return answer

    def answer(
        self, ticket: Mapping[str, Any], comment: str | None = None, *, command_id: str | None = None, **scores: int
    ) -> dict[str, Any]:
        """Answer the survey of a ticket as ticketing knows it, as the service does once it has asked ticketing."""
        payload = contracts.SubmitSurvey().load({"token": TOKEN, "scores": scores or FOURS, "comment": comment})

        def ask(service: str, method: str, asked: Mapping[str, Any], context: CallContext) -> Mapping[str, Any]:
            assert (service, method, asked) == ("ticketing", "get_ticket_by_token", {"token": TOKEN})
            return ticket

        context = CallContext(self.regency, ANONYMOUS, command_id=command_id)
        handed = usecases.find_ticket(ask, context, payload)
        with self.database.regency_work(self.regency, context=context) as work:
            answer = commands.once(work, "submit_survey", payload, lambda: usecases.submit_survey(work, handed))
        told: dict[str, Any] = contracts.Survey().load(answer or {})
        return told

    def surveys(self, **asked: Any) -> dict[str, Any]:
        """A page of answers with their comments, as the contract has it."""
        with self.database.regency_work(self.regency, read_only=True) as work:
            answer = usecases.list_surveys(work, contracts.ListSurveys().load(asked))
        page: dict[str, Any] = contracts.SurveyPage().load(answer)
        return page

    def told(self, site: str = "sukadana") -> list[Envelope]:
        """What reporting has told of a site."""
        with self.work() as work:
            return read_log(work, f"/regencies/{self.regency}/reporting/sites/{site}", 0, 10_000)

    def facts(self) -> dict[str, dict[str, Any]]:
        """All stored facts by ticket."""
        with self.work() as work:
            return {row["id"]: dict(row) for row in work.execute(sa.select(store.ticket_fact)).mappings()}

    def forget(self) -> None:
        """Begin with empty tables again."""
        with self.work() as work:
            for table in (store.ticket_fact, store.survey):
                work.execute(sa.delete(table))


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
