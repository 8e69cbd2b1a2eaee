"""What reporting does: one function per command, query or event, inside the unit of work that it is given."""

from services.reporting.usecases.daily import daily_report
from services.reporting.usecases.following import apply_catalog_event, apply_ticket_events
from services.reporting.usecases.listing import list_surveys
from services.reporting.usecases.satisfaction import skm_report
from services.reporting.usecases.surveys import find_ticket, submit_survey, surveys_of_visits

__all__ = [
    "apply_catalog_event",
    "apply_ticket_events",
    "daily_report",
    "find_ticket",
    "list_surveys",
    "skm_report",
    "submit_survey",
    "surveys_of_visits",
]
