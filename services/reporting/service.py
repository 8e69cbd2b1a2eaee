"""The nameko service of reporting: entrypoints, and nothing that decides."""

from __future__ import annotations

from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.entrypoints import query
from services.chassis.events import Envelope
from services.chassis.service import Service
from services.chassis.subscribing import subscribe
from services.contracts import reporting as contracts
from services.contracts.subscriptions import REPORTING_CATALOG, REPORTING_TICKETING
from services.reporting import usecases


class ReportingService(Service):
    """Counts what happened."""

    name = "reporting"

    @query(contracts.DailyReport)
    def daily_report(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The figures of a day."""
        return usecases.daily_report(work, data)

    @subscribe(REPORTING_TICKETING)
    def on_ticket_changed(self, work: UnitOfWork, event: Envelope) -> None:
        """Follow the tickets."""
        usecases.apply_ticket_event(work, event)

    @subscribe(REPORTING_CATALOG)
    def on_catalog_changed(self, work: UnitOfWork, event: Envelope) -> None:
        """Follow the catalogue."""
        usecases.apply_catalog_event(work, event)
