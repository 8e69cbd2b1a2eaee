"""The nameko service of reporting: entrypoints, and nothing that decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.chassis.asking import asking_command
from services.chassis.database import UnitOfWork
from services.chassis.entrypoints import query
from services.chassis.events import Envelope
from services.chassis.service import Service
from services.chassis.subscribing import subscribe
from services.contracts import reporting as contracts
from services.contracts.persons import SurveysOfVisits
from services.contracts.subscriptions import REPORTING_CATALOG, REPORTING_TICKETING
from services.reporting import usecases

PACE_SECONDS = 0.1
"""After a quiet moment figures follow at once; under load so much later, in groups: nobody reads a report within that."""


class ReportingService(Service):
    """Counts what happened, and asks how it was."""

    name = "reporting"

    @query(contracts.DailyReport)
    def daily_report(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The figures of a day."""
        return usecases.daily_report(work, data)

    @query(contracts.SkmReport)
    def skm_report(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The satisfaction index of a period."""
        return usecases.skm_report(work, data)

    @query(contracts.ListSurveys)
    def list_surveys(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """A page of what citizens say."""
        return usecases.list_surveys(work, data)

    @asking_command(contracts.SubmitSurvey, ask=usecases.find_ticket)
    def submit_survey(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """What a citizen says of a visit."""
        return usecases.submit_survey(work, data)

    @query(SurveysOfVisits)
    def surveys_of_visits(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """What was said of visits, for who asks what is held of a person."""
        return usecases.surveys_of_visits(work, data)

    @subscribe(REPORTING_TICKETING, together=True, pace=PACE_SECONDS)
    def on_tickets_changed(self, work: UnitOfWork, events: Sequence[Envelope]) -> None:
        """Follow the tickets."""
        usecases.apply_ticket_events(work, events)

    @subscribe(REPORTING_CATALOG)
    def on_catalog_changed(self, work: UnitOfWork, event: Envelope) -> None:
        """Follow the catalogue."""
        usecases.apply_catalog_event(work, event)
