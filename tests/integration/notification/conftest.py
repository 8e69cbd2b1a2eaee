"""Notification in a real PostgreSQL, and regencies that each test has for itself."""

import itertools
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import services.notification
from services.chassis.database import Database
from services.chassis.events import Envelope
from services.chassis.inbox import Inbox
from services.chassis.provisioning import Provisioner
from services.contracts import notification as contracts
from services.contracts.examples import EXAMPLES
from services.contracts.subscriptions import NOTIFICATION_TICKETING
from services.notification import usecases
from tests.integration.notification.sending import Sending
from tests.receivers import HttpReceiver, Mailbox
from tests.ticket_journeys import OPENING, Happening

MIGRATIONS = Path(services.notification.__file__).parent / "migrations"

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def login_url(postgres_server) -> str:
    """Address of notification's database for its own login."""
    name = f"notification_{secrets.token_hex(4)}"
    return postgres_server.url(name, user=name, password=secrets.token_urlsafe(24))


@pytest.fixture(scope="module")
def provisioner(postgres_server, login_url) -> Provisioner:
    """Notification's database on the shared server."""
    provisioner = Provisioner("notification", login_url, postgres_server.admin_url, MIGRATIONS)
    provisioner.prepare()
    return provisioner


@pytest.fixture(scope="module")
def database(provisioner, login_url) -> Iterator[Database]:
    """The database as the service sees it."""
    database = Database("notification", login_url)
    yield database
    database.close()


class Notification:
    """The use cases for one regency, fed and asked as the service does it."""

    def __init__(self, database: Database, regency: str) -> None:
        self.database = database
        self.regency = regency
        self.inbox = Inbox(database, NOTIFICATION_TICKETING.queue, usecases.apply_ticket_events)

    def work(self):
        return self.database.regency_work(self.regency)

    def hear(self, told: Sequence[Happening]) -> None:
        """Apply events past the inbox, so that it is the tables that have to stand repeats and any order."""
        with self.work() as work:
            for happening in told:
                usecases.apply_ticket_events(work, [happening.envelope(self.regency)])

    def tell_place(self, kind: str, version: int, **changes: Any) -> None:
        """Have the catalogue tell of the published example of a site or counter, in a version."""
        entity = {**EXAMPLES["catalog"][kind], **changes, "version": version}
        source, event_type = f"/regencies/{self.regency}/catalog", f"catalog.{kind}_changed"
        event = Envelope(str(uuid.uuid4()), source, event_type, entity["id"], OPENING, self.regency, version, {kind: entity})
        with self.work() as work:
            usecases.apply_catalog_event(work, event)

    def notices(self, ticket: str, locale: str = "id") -> list[dict[str, Any]]:
        """The items of the answer, as its contract takes it."""
        data = contracts.ListNotices().load({"ticket": ticket, "locale": locale})
        with self.database.regency_work(self.regency, read_only=True) as work:
            answer = contracts.NoticeList().load(usecases.list_notices(work, data))
        items: list[dict[str, Any]] = answer["items"]
        return items


@pytest.fixture(scope="module")
def new_notification(provisioner, database) -> Callable[[], Notification]:
    """Provision a regency that nobody else uses."""

    def provision() -> Notification:
        slug = f"uji-notification-{next(_numbers)}"
        provisioner.add_regency(slug, {})
        return Notification(database, slug)

    return provision


@pytest.fixture
def notification(new_notification) -> Notification:
    """Notification of a regency in which nothing has happened."""
    return new_notification()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server that takes everything until a test says otherwise."""
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """An HTTP server that takes everything until a test says otherwise."""
    with HttpReceiver() as receiver:
        yield receiver


@pytest.fixture
def sending(new_notification, mailbox) -> Sending:
    """Notification of a new regency with both channels."""
    made = new_notification()
    return Sending(made.database, made.regency, mail_port=mailbox.port)
