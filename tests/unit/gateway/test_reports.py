"""Reports and surveys as the HTTP caller sees them."""

import copy

import pytest

from services.chassis.errors import DomainError
from services.contracts.examples import EXAMPLES

pytestmark = pytest.mark.unit

DAILY = "/v1/lampung-timur/reports/daily"
SKM = "/v1/lampung-timur/reports/skm"
SURVEYS = "/v1/lampung-timur/surveys"
ANSWER = EXAMPLES["reporting"]["submit_survey"]


class TestReports:
    def test_a_day_is_asked_for_by_site_and_date(self, edge):
        response = edge.send("GET", f"{DAILY}?site=sukadana&date=2025-06-11&agency=CPL&service=CPL-KTP", role="supervisor")
        assert response.status_code == 200
        assert response.json == EXAMPLES["reporting"]["daily_figures"]
        assert edge.services.payload == {"site": "sukadana", "date": "2025-06-11", "agency": "CPL", "service": "CPL-KTP"}

    def test_a_date_need_not_be_named(self, edge):
        assert edge.send("GET", f"{DAILY}?site=sukadana", role="officer").status_code == 200
        assert edge.services.payload == {"site": "sukadana"}

    def test_a_period_goes_from_one_date_to_another(self, edge):
        edge.send("GET", f"{SKM}?from=2025-04-01&to=2025-06-30&weight=0.111", role="auditor")
        assert edge.services.payload == {"since": "2025-04-01", "until": "2025-06-30", "weight": "0.111"}

    @pytest.mark.parametrize(
        ("address", "fields"),
        [
            (DAILY, ["site"]),
            (f"{DAILY}?site=sukadana&date=11-06-2025", ["date"]),
            (f"{DAILY}?site=sukadana&tanggal=2025-06-11", ["tanggal"]),
            (f"{SKM}?from=2025-02-30&to=2025-06-30", ["from"]),
            (SKM, ["from", "to"]),
            (f"{SKM}?since=2025-04-01&until=2025-06-30", ["since"]),
            (f"{SKM}?from=2025-04-01&to=2025-06-30&weight=0.1111", ["weight"]),
        ],
    )
    def test_what_is_wrong_is_named_as_the_caller_knows_it(self, edge, problem_of, address, fields):
        document = problem_of(edge.send("GET", address, role="supervisor"))
        assert document["code"] == "parameter_invalid"
        assert [error["field"] for error in document["errors"]] == fields
        assert edge.services.calls == []

    def test_a_reader_who_holds_the_figures_gets_no_copy(self, edge):
        first = edge.send("GET", f"{DAILY}?site=sukadana", role="supervisor")
        tag = first.headers["ETag"]
        assert first.headers["Cache-Control"] == "private, no-cache"
        assert first.headers["Vary"] == "Authorization, Cookie"
        again = edge.send("GET", f"{DAILY}?site=sukadana", role="supervisor", headers={"If-None-Match": tag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)

    def test_figures_that_have_changed_are_sent(self, edge):
        tag = edge.send("GET", f"{DAILY}?site=sukadana", role="supervisor").headers["ETag"]
        changed = copy.deepcopy(EXAMPLES["reporting"]["daily_figures"])
        changed["completed"] += 1
        edge.services.answers["daily_report"] = changed
        response = edge.send("GET", f"{DAILY}?site=sukadana", role="supervisor", headers={"If-None-Match": tag})
        assert (response.status_code, response.json["completed"]) == (200, changed["completed"])
        assert response.headers["ETag"] != tag


class TestSurveys:
    def test_a_citizen_answers_without_an_account(self, edge):
        response = edge.send("POST", SURVEYS, json_body=ANSWER)
        assert (response.status_code, response.json["id"]) == (201, EXAMPLES["reporting"]["survey"]["id"])
        assert edge.services.payload == ANSWER
        assert edge.services.context.actor.role == "anonymous"
        assert edge.services.context.command_id is not None
        assert "comment" not in response.json

    def test_the_token_stands_in_the_body_and_nowhere_else(self, edge, problem_of):
        without = {name: value for name, value in ANSWER.items() if name != "token"}
        response = edge.send("POST", SURVEYS, json_body=without, headers={"Ticket-Token": ANSWER["token"]})
        assert [error["field"] for error in problem_of(response)["errors"]] == ["token"]
        response = edge.send("POST", f"{SURVEYS}?token={ANSWER['token']}", json_body=without)
        assert problem_of(response)["code"] == "parameter_invalid"
        assert edge.services.calls == []

    @pytest.mark.parametrize(
        ("scores", "field"), [({}, "scores"), ({"kebersihan": 4}, "scores.kebersihan"), ({"time": 5}, "scores.time"), ([4] * 9, "scores")]
    )
    def test_scores_that_are_none_are_named(self, edge, problem_of, scores, field):
        document = problem_of(edge.send("POST", SURVEYS, json_body={**ANSWER, "scores": scores}))
        assert (document["status"], document["code"]) == (422, "payload_invalid")
        assert [error["field"] for error in document["errors"]] == [field]

    @pytest.mark.parametrize(
        ("refusal", "status"),
        [
            (DomainError("ticket_token_invalid"), 403),
            (DomainError("ticket_unknown"), 404),
            (DomainError("ticket_state_conflict", status="serving", allowed=["completed"]), 409),
            (DomainError("survey_already_answered"), 409),
        ],
    )
    @pytest.mark.parametrize("language", ["id", "en"])
    def test_who_cannot_answer_is_told_why(self, edge, problem_of, refusal, status, language):
        edge.services.answers["submit_survey"] = refusal
        document = problem_of(edge.send("POST", SURVEYS, json_body=ANSWER, headers={"Accept-Language": language}))
        assert (document["status"], document["code"]) == (status, refusal.code)
        if refusal.code == "ticket_state_conflict":
            assert (document["current_status"], document["allowed"]) == ("serving", ["completed"])

    def test_comments_are_listed_by_place_and_period(self, edge):
        response = edge.send("GET", f"{SURVEYS}?site=sukadana&from=2025-06-01&to=2025-06-30&limit=20", role="supervisor")
        assert response.json == EXAMPLES["reporting"]["survey_page"]
        assert response.headers["Cache-Control"] == "no-store"
        assert edge.services.payload == {"site": "sukadana", "since": "2025-06-01", "until": "2025-06-30", "limit": 20}
