"""Contracts of reporting: figures about sites, services and days, and what citizens say of them. They know nobody."""

from services.contracts.reporting.daily import MOST_SECONDS, DailyFigures, DailyReport, LaneFigures, ServiceFigures
from services.contracts.reporting.surveys import (
    ELEMENTS,
    WEIGHTS,
    AnsweredSurvey,
    ListSurveys,
    SkmFigures,
    SkmReport,
    SubmitSurvey,
    Survey,
    SurveyPage,
    SurveyScores,
    SurveySubmitted,
)

__all__ = [
    "ELEMENTS",
    "MOST_SECONDS",
    "WEIGHTS",
    "AnsweredSurvey",
    "DailyFigures",
    "DailyReport",
    "LaneFigures",
    "ListSurveys",
    "ServiceFigures",
    "SkmFigures",
    "SkmReport",
    "SubmitSurvey",
    "Survey",
    "SurveyPage",
    "SurveyScores",
    "SurveySubmitted",
]
