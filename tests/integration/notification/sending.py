"""Notification with its channels open: webhooks, subscriptions and dispatchers of one regency."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from services.chassis.database import Database
from services.chassis.delivery_settings import DeliverySettings, MailServer
from services.chassis.encryption import Keyring
from services.chassis.settings import Settings
from services.contracts import notification as contracts
from services.notification import usecases
from services.notification.channels import Channel, MailChannel, WebhookChannel
from services.notification.channels.posting import Poster
from services.notification.dispatching import Dispatcher, Limits
from services.notification.domain import Retries
from tests.processes import eventually
from tests.ticket_journeys import Happening, journey

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
KEYS = ("k" * 32,)
QUICK = Retries(first=0.1, longest=0.3, attempts=4)
"""Retries that a test can wait for."""

SERVED = (("ticket.called", 600), ("ticket.recalled", 60), ("ticket.serving_started", 30), ("ticket.completed", 300))


class Sending:
    """The use cases of one regency as the service calls them, and dispatchers that send."""

    def __init__(self, database: Database, regency: str, *, mail_port: int | None = None, keys: Sequence[str] = KEYS) -> None:
        self.database = database
        self.regency = regency
        self.settings = Settings(
            encryption_keys=tuple(keys),
            delivery=DeliverySettings(
                mail_server=None if mail_port is None else MailServer("smtp", "127.0.0.1", mail_port),
                mail_from="MPP Lampung Timur <antrean@mpp.example.id>",
                public_url="https://mpp.example.id",
                webhook_allowed_networks=(LOOPBACK,),
                webhook_allow_http=True,
            ),
        )
        self.keyring = Keyring(self.settings.encryption_keys)

    def work(self) -> Any:
        return self.database.regency_work(self.regency)

    def do(self, name: str, /, *more: Any, **data: Any) -> dict[str, Any]:
        """Do a command or query by its name, with its payload checked by its contract."""
        schema = getattr(contracts, "".join(word.capitalize() for word in name.split("_")))
        with self.work() as work:
            answer: dict[str, Any] = getattr(usecases, name)(work, schema().load(data), *more)
        return answer

    def add_webhook(self, url: str, **fields: Any) -> dict[str, Any]:
        """Make a webhook; the answer holds its secret."""
        answer = usecases.with_secret(self.settings, self.do("create_webhook", self.settings, url=url, **fields))
        return contracts.CreatedWebhook().load(answer)

    def webhook(self, id: str) -> dict[str, Any]:
        return contracts.Webhook().load(self.do("get_webhook", id=id))

    def subscribe(self, ticket: dict[str, Any], email: str = "budi@example.id", **fields: Any) -> dict[str, Any]:
        """Subscribe as ticketing knows the ticket now."""
        data = contracts.CreateSubscription().load({"ticket": ticket["id"], "email": email, **fields})
        with self.work() as work:
            answer = usecases.create_subscription(work, data, ticket, self.settings)
        return contracts.Subscription().load(answer)

    def deliveries(self, **filters: Any) -> list[dict[str, Any]]:
        """Deliveries, the oldest first, as their contract takes them."""
        page = contracts.DeliveryPage().load(self.do("list_deliveries", limit=200, **filters))
        return list(reversed(page["items"]))

    def to_webhook(self, id: str) -> list[dict[str, Any]]:
        return [delivery for delivery in self.deliveries() if delivery["webhook"] == id]

    def states(self, **filters: Any) -> list[str]:
        return [delivery["state"] for delivery in self.deliveries(**filters)]

    def hear(self, told: Sequence[Happening], courier: usecases.Courier | None = None) -> None:
        """Apply events past the inbox, each in a transaction of its own."""
        for happening in told:
            self.hear_together([happening], courier)

    def hear_together(self, told: Sequence[Happening], courier: usecases.Courier | None = None) -> None:
        """Apply events past the inbox in one transaction."""
        with self.work() as work:
            usecases.apply_ticket_events(work, [happening.envelope(self.regency) for happening in told], courier)

    def channels(self, *, retries: Retries = QUICK, poster: Poster | None = None) -> list[Channel]:
        delivery = self.settings.delivery
        channels: list[Channel] = [WebhookChannel(delivery, self.keyring, poster, retries)]
        if delivery.mail_server is not None:
            channels.append(MailChannel(delivery, self.keyring, retries=retries))
        return channels

    def dispatcher(self, *, limits: Limits | None = None, **options: Any) -> Dispatcher:
        """A dispatcher that follows no hints yet."""
        return Dispatcher(self.database, self.channels(**options), limits=limits)

    @contextmanager
    def dispatching(self, *, limits: Limits | None = None, **options: Any) -> Iterator[Dispatcher]:
        """Run a dispatcher, as one replica does."""
        dispatcher = self.dispatcher(limits=limits, **options)
        thread = threading.Thread(target=dispatcher.run, daemon=True)
        thread.start()
        try:
            yield dispatcher
        finally:
            dispatcher.stop()
            thread.join(30)
            self.database.roused.remove(dispatcher.wake)
            assert not thread.is_alive()

    def wait_states(self, *states: str, within: float = 15.0, **filters: Any) -> None:
        """Wait until the deliveries, the oldest first, are in these states."""
        eventually(lambda: self.states(**filters) == list(states) or self._told(filters), within=within)

    def _told(self, filters: dict[str, Any]) -> bool:
        raise AssertionError(f"{[(d['state'], d['last_error'], d['attempts']) for d in self.deliveries(**filters)]}")


def today(*steps: tuple[str, float], **differing: Any) -> list[Happening]:
    """A ticket's journey that begins now."""
    return journey(*steps, begins=datetime.now(UTC), **differing)
