"""Contracts of reporting: figures about sites, services and days, and what citizens say of them. They know nobody."""

from services.contracts.reporting.daily import MOST_SECONDS, DailyFigures, DailyReport, LaneFigures, ServiceFigures
from services.contracts.reporting.surveys import (
    ELEMENTS,
    WEIGHTS,
    SkmFigures,
    SkmReport,
    SubmitSurvey,
    Survey,
    SurveyScores,
    SurveySubmitted,
)

__all__ = [
    "ELEMENTS",
    "MOST_SECONDS",
    "WEIGHTS",
    "DailyFigures",
    "DailyReport",
    "LaneFigures",
    "ServiceFigures",
    "SkmFigures",
    "SkmReport",
    "SubmitSurvey",
    "Survey",
    "SurveyScores",
    "SurveySubmitted",
]
