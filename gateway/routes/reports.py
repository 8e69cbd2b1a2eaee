"""Routes of what was: figures of days, and how satisfied people are."""

from __future__ import annotations

from gateway import operations
from gateway.route import FROM_HEADERS, Route, Rpc, Text
from gateway.routes.catalogue import PAGE
from services.contracts import reporting

REPORTS = "/v1/{regency}/reports"
SURVEYS = "/v1/{regency}/surveys"

REPORT_ROUTES = (
    Route(
        method="GET",
        path=REPORTS + "/daily",
        operation_id="getDailyReport",
        summary=Text("Angka satu hari di satu MPP", "The figures of a day at a site"),
        tag="reports",
        operation=operations.ask_service,
        rpc=Rpc("reporting", "daily_report", reporting.DailyReport),
        query={name: name for name in ("site", "date", "agency", "service")},
        answer=reporting.DailyFigures,
        digested=True,
        kept=True,
        problems=("site_unknown",),
    ),
    Route(
        method="GET",
        path=REPORTS + "/skm",
        operation_id="getSkmReport",
        summary=Text("Indeks Kepuasan Masyarakat (IKM) satu periode", "The satisfaction index (IKM) of a period"),
        tag="reports",
        operation=operations.ask_service,
        rpc=Rpc("reporting", "skm_report", reporting.SkmReport),
        query={"from": "since", "to": "until", **{name: name for name in ("site", "agency", "service", "weight")}},
        answer=reporting.SkmFigures,
        digested=True,
        kept=True,
        problems=("site_unknown",),
    ),
    Route(
        method="GET",
        path=SURVEYS,
        operation_id="listSurveys",
        summary=Text("Jawaban survei beserta komentarnya", "Answered surveys with their comments"),
        tag="surveys",
        operation=operations.ask_service,
        rpc=Rpc("reporting", "list_surveys", reporting.ListSurveys),
        query={"from": "since", "to": "until", **{name: name for name in ("site", "agency", "service")}, **PAGE},
        answer=reporting.SurveyPage,
        digested=True,
    ),
    Route(
        method="POST",
        path=SURVEYS,
        operation_id="submitSurvey",
        summary=Text("Mengisi survei kepuasan (SKM) atas satu kunjungan", "Answer the satisfaction survey (SKM) of a visit"),
        tag="surveys",
        operation=operations.ask_service,
        rpc=Rpc("reporting", "submit_survey", reporting.SubmitSurvey),
        command=True,
        # Who answers has no path to a ticket, only its token; a body is logged nowhere.
        from_headers=FROM_HEADERS - {"token"},
        answer=reporting.Survey,
        success=201,
        problems=("ticket_token_invalid", "ticket_unknown", "ticket_state_conflict", "survey_already_answered"),
    ),
)
