"""The nameko service of notification: entrypoints, and nothing that decides."""

from __future__ import annotations

from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.entrypoints import query
from services.chassis.events import Envelope
from services.chassis.service import Service
from services.chassis.subscribing import subscribe
from services.contracts import notification as contracts
from services.contracts.subscriptions import NOTIFICATION_CATALOG, NOTIFICATION_TICKETING
from services.notification import usecases


class NotificationService(Service):
    """Decides what a citizen is told."""

    name = "notification"

    @query(contracts.ListNotices)
    def list_notices(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The notices of a ticket."""
        return usecases.list_notices(work, data)

    @subscribe(NOTIFICATION_TICKETING)
    def on_ticket_changed(self, work: UnitOfWork, event: Envelope) -> None:
        """Follow the tickets."""
        usecases.apply_ticket_event(work, event)

    @subscribe(NOTIFICATION_CATALOG)
    def on_catalog_changed(self, work: UnitOfWork, event: Envelope) -> None:
        """Follow the catalogue."""
        usecases.apply_catalog_event(work, event)
