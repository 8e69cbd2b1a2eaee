"""Contracts of reporting: figures about sites, services and days, and what citizens say of them. They know nobody."""

from services.contracts.reporting.daily import (
    LONG_WAIT_SECONDS,
    MOST_SECONDS,
    AgencyFigures,
    DailyFigures,
    DailyReport,
    EstimateErrors,
    LaneFigures,
    ServiceFigures,
    VisitFigures,
)
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
    "LONG_WAIT_SECONDS",
    "MOST_SECONDS",
    "WEIGHTS",
    "AgencyFigures",
    "AnsweredSurvey",
    "DailyFigures",
    "DailyReport",
    "EstimateErrors",
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
    "VisitFigures",
]
