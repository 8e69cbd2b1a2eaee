"""Reporting's tables and all of its SQL. Each function is one statement."""

from services.reporting.store.facts import Site, has_ticket_at, keep_facts, keep_site, site_of
from services.reporting.store.figures import DURATIONS, figures_of_day
from services.reporting.store.surveys import erase_comments, insert_survey, served_visits, survey_page, surveys_of_visits, tallies
from services.reporting.store.tables import OWN_FACTS, PROJECTIONS, metadata, site, survey, ticket_fact

__all__ = [
    "DURATIONS",
    "OWN_FACTS",
    "PROJECTIONS",
    "Site",
    "erase_comments",
    "figures_of_day",
    "has_ticket_at",
    "insert_survey",
    "keep_facts",
    "keep_site",
    "metadata",
    "served_visits",
    "site",
    "site_of",
    "survey",
    "survey_page",
    "surveys_of_visits",
    "tallies",
    "ticket_fact",
]
