"""The nameko service of notification: entrypoints, and nothing that decides."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nameko.extensions import DependencyProvider
from nameko.timer import timer

from services.chassis import metrics
from services.chassis.context import CallContext
from services.chassis.database import UnitOfWork
from services.chassis.encryption import Keyring
from services.chassis.entrypoints import command, direct_call, query
from services.chassis.events import Envelope
from services.chassis.extensions import DatabaseAccess, RpcProvider, settings
from services.chassis.logs import get_logger
from services.chassis.rpc import RpcClient
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.subscribing import subscribe
from services.contracts import notification as contracts
from services.contracts.persons import SubscriptionsOfVisits
from services.contracts.subscriptions import NOTIFICATION_CATALOG, NOTIFICATION_REPORTING, NOTIFICATION_TICKETING
from services.notification import tending, usecases
from services.notification.asking import Desk
from services.notification.channels import Channel, MailChannel, Parcel, WebhookChannel
from services.notification.dispatching import STOP_SECONDS, Dispatcher

log = get_logger(__name__)

PACE_SECONDS = 0.2
"""After a quiet moment what happens is told at once; under load so much later, in groups, which nobody notices in a letter."""

Data = dict[str, Any]


def channels_of(configured: Settings) -> list[Channel]:
    """Return the channels of an installation: webhooks always, e-mail when a mail server is set."""
    keyring = Keyring(configured.required_encryption_keys())
    channels: list[Channel] = [WebhookChannel(configured.delivery, keyring)]
    if configured.delivery.mail_server is None:
        log.info("mail_channel_off", reason="MPP_SMTP_URL is not set")
    else:
        channels.append(MailChannel(configured.delivery, keyring))
    return channels


class DispatcherRunner(DependencyProvider):
    """Runs the dispatchers, one per database server, and is the courier of who plans deliveries."""

    access = DatabaseAccess()

    def __init__(self) -> None:
        super().__init__()
        self._dispatchers: dict[str, Dispatcher] = {}

    def start(self) -> None:
        """Start each dispatcher in a thread of its own."""
        database, channels = self.access.database, channels_of(settings())
        metrics.begin_deliveries(channel.name for channel in channels)
        self._dispatchers = {server: Dispatcher(database, channels, server) for server in database.servers}
        for dispatcher in self._dispatchers.values():
            threading.Thread(target=dispatcher.run, name="notification-dispatcher", daemon=True).start()

    def stop(self) -> None:
        """Finish what is under way; the rest is the next process's."""
        for dispatcher in self._dispatchers.values():
            dispatcher.stop()
        for dispatcher in self._dispatchers.values():
            dispatcher.finished.wait(STOP_SECONDS)

    def get_dependency(self, worker_ctx: Any) -> usecases.Courier | None:
        """Return who posts at once, as soon as there is somebody."""
        return self if self._dispatchers else None

    def room(self, regency: str) -> usecases.Room:
        """Ask the dispatcher of the regency's server."""
        return self._dispatcher(regency).room(regency)

    def begin(self, regency: str, parcels: Sequence[Parcel], watched_until: datetime | None) -> None:
        """Give it to that dispatcher."""
        self._dispatcher(regency).begin(regency, parcels, watched_until)

    def _dispatcher(self, regency: str) -> Dispatcher:
        return self._dispatchers[self.access.database.server_of(regency)]


class NotificationService(Service):
    """Decides what citizens and other systems are told, and tells them."""

    name = "notification"

    rpc: RpcClient = RpcProvider()
    courier: usecases.Courier | None = DispatcherRunner()

    @query(contracts.ListNotices)
    def list_notices(self, work: UnitOfWork, data: Data) -> Data:
        """The notices of a ticket."""
        return usecases.list_notices(work, data)

    @query(SubscriptionsOfVisits)
    def subscriptions_of_visits(self, work: UnitOfWork, data: Data) -> Data:
        """Addresses that are told of visits, for who asks what is held of a person."""
        return usecases.subscriptions_of_visits(work, data, self.settings)

    @query(contracts.ListWebhooks)
    def list_webhooks(self, work: UnitOfWork, data: Data) -> Data:
        """A page of webhooks."""
        return usecases.list_webhooks(work, data)

    @query(contracts.GetWebhook)
    def get_webhook(self, work: UnitOfWork, data: Data) -> Data:
        """One webhook."""
        return usecases.get_webhook(work, data)

    @command(contracts.CreateWebhook, present=usecases.with_secret)
    def create_webhook(self, work: UnitOfWork, data: Data) -> Data:
        """Add a webhook."""
        return usecases.create_webhook(work, data, self.settings)

    @command(contracts.UpdateWebhook)
    def update_webhook(self, work: UnitOfWork, data: Data) -> Data:
        """Change a webhook."""
        return usecases.update_webhook(work, data, self.settings)

    @command(contracts.DeleteWebhook)
    def delete_webhook(self, work: UnitOfWork, data: Data) -> Data:
        """Delete a webhook."""
        return usecases.delete_webhook(work, data)

    @command(contracts.RotateWebhookSecret, present=usecases.with_secret)
    def rotate_webhook_secret(self, work: UnitOfWork, data: Data) -> Data:
        """Give a webhook a new secret."""
        return usecases.rotate_webhook_secret(work, data, self.settings)

    @command(contracts.TestWebhook)
    def test_webhook(self, work: UnitOfWork, data: Data) -> Data:
        """Send a ping."""
        return usecases.test_webhook(work, data)

    @command(contracts.PauseWebhook)
    def pause_webhook(self, work: UnitOfWork, data: Data) -> Data:
        """Send nothing for a while."""
        return usecases.pause_webhook(work, data)

    @command(contracts.ResumeWebhook)
    def resume_webhook(self, work: UnitOfWork, data: Data) -> Data:
        """Send again."""
        return usecases.resume_webhook(work, data)

    @query(contracts.ListDeliveries)
    def list_deliveries(self, work: UnitOfWork, data: Data) -> Data:
        """A page of deliveries."""
        return usecases.list_deliveries(work, data)

    @query(contracts.ListWebhookDeliveries)
    def list_webhook_deliveries(self, work: UnitOfWork, data: Data) -> Data:
        """A page of a webhook's deliveries."""
        return usecases.list_deliveries(work, data)

    @command(contracts.RedeliverWebhook)
    def redeliver_webhook(self, work: UnitOfWork, data: Data) -> Data:
        """Send an event to a webhook again."""
        return usecases.redeliver_webhook(work, data)

    @command(contracts.Redeliver)
    def redeliver(self, work: UnitOfWork, data: Data) -> Data:
        """Send anything again."""
        return usecases.redeliver(work, data)

    @direct_call(contracts.CreateSubscription)
    def create_subscription(self, context: CallContext, data: Data) -> Data:
        """Tell an address about a ticket."""
        return self._desk.subscribe(context, data)

    @direct_call(contracts.GetSubscription)
    def get_subscription(self, context: CallContext, data: Data) -> Data:
        """One subscription."""
        return self._desk.look(context, data)

    @direct_call(contracts.DeleteSubscription)
    def delete_subscription(self, context: CallContext, data: Data) -> Data:
        """End a subscription."""
        return self._desk.end(context, data)

    @command(contracts.Unsubscribe)
    def unsubscribe(self, work: UnitOfWork, data: Data) -> Data:
        """End a subscription from a mail."""
        return usecases.unsubscribe(work, data)

    @subscribe(NOTIFICATION_TICKETING, together=True, pace=PACE_SECONDS)
    def on_tickets_changed(self, work: UnitOfWork, events: Sequence[Envelope]) -> None:
        """Follow the tickets."""
        usecases.apply_ticket_events(work, events, self.courier)

    @subscribe(NOTIFICATION_CATALOG)
    def on_catalog_changed(self, work: UnitOfWork, event: Envelope) -> None:
        """Follow the catalogue."""
        usecases.apply_catalog_event(work, event, self.courier)

    @subscribe(NOTIFICATION_REPORTING)
    def on_survey_submitted(self, work: UnitOfWork, event: Envelope) -> None:
        """Pass on what citizens think of the service."""
        usecases.apply_other_event(work, event, self.courier)

    @timer(interval=tending.TENDING_SECONDS)
    def tend(self) -> None:
        """Erase what is not needed any more."""
        channels = ["webhook"] + (["email"] if self.settings.delivery.mail_server else [])
        tending.tend(self.database, channels, self.settings.delivery.subscription_retention_days)

    @property
    def _desk(self) -> Desk:
        return Desk(self.database, self.rpc, self.settings)
