"""Answered surveys: one per visit, told without the comment, and counted by period, site and service."""

import itertools
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.chassis.errors import DomainError
from services.contracts.events import checked_event
from services.contracts.reporting import ELEMENTS
from services.reporting import store
from tests.integration.reporting.conftest import FOURS, TOKEN
from tests.ticket_journeys import OPENING, journey

pytestmark = pytest.mark.integration

SERVED = (("ticket.called", 60), ("ticket.serving_started", 20), ("ticket.completed", 300))


READABLE = sa.text("""
    SELECT relname FROM pg_class WHERE relnamespace = CAST(current_schema() AS regnamespace) AND relkind IN ('r', 'p')
        AND has_table_privilege(oid, 'SELECT')
""")


def completed(**differing):
    """A ticket as ticketing knows it once it was served."""
    return journey(*SERVED, **differing)[-1].ticket


def test_an_answer_is_stored_once_and_told(reporting):
    ticket = completed()
    survey = reporting.answer(ticket, "Petugas ramah.\nTerima kasih.", requirements=4, time=2)
    assert survey["scores"] == {"requirements": 4, "time": 2}
    assert (survey["ticket"], survey["site"], survey["agency"], survey["service"]) == (ticket["id"], "sukadana", "CPL", "CPL-KTP")
    with reporting.work() as work:
        (row,) = work.execute(sa.select(store.survey)).mappings().all()
    assert row["comment"] == "Petugas ramah.\nTerima kasih."
    assert {element: row[f"score_{element}"] for element in ELEMENTS if row[f"score_{element}"] is not None} == survey["scores"]
    (told,) = reporting.told()
    assert (told.type, told.subject, told.sequence) == ("survey.submitted", survey["id"], 1)
    assert checked_event(told.type, told.data) == {"survey": survey}


def test_the_comment_is_in_no_other_table_and_the_token_in_none(reporting):
    reporting.answer(completed(), "rahasia-hati-warga", command_id="anonymous:0123456789abcdef")
    with reporting.work() as work:
        tables = work.execute(READABLE).scalars().all()
        kept = {table: json.dumps([list(map(str, row)) for row in work.execute(sa.text(f'SELECT * FROM "{table}"'))]) for table in tables}
    assert {"survey", "event_log", "command_inbox"} <= kept.keys()
    assert [table for table, text in kept.items() if "rahasia-hati-warga" in text] == ["survey"]
    assert TOKEN not in "".join(kept.values())


class TestList:
    def test_shows_comments_newest_first_and_no_ticket(self, reporting):
        first = reporting.answer(completed(), "Pertama", time=1)
        second = reporting.answer(completed(), None, time=2)
        page = reporting.surveys()
        assert [(one["id"], one["comment"], one["scores"]) for one in page["items"]] == [
            (second["id"], None, {"time": 2}),
            (first["id"], "Pertama", {"time": 1}),
        ]
        assert page["next_cursor"] is None
        assert first["ticket"] not in json.dumps(page)

    def test_is_read_page_by_page(self, reporting):
        told = [reporting.answer(completed())["id"] for _ in range(7)]
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = reporting.surveys(limit=3, **cursor)
            found += [one["id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == told[::-1]

    def test_is_cut_by_place_and_date_of_the_visit(self, reporting):
        here = reporting.answer(completed())["id"]
        there = reporting.answer(completed(site="way-jepara", business_date="2025-06-12"))["id"]
        assert [one["id"] for one in reporting.surveys(site="way-jepara")["items"]] == [there]
        assert [one["id"] for one in reporting.surveys(until="2025-06-11")["items"]] == [here]
        assert [one["id"] for one in reporting.surveys(since="2025-06-12", until="2025-06-12")["items"]] == [there]
        assert reporting.surveys(service="CPL-KK")["items"] == []

    @pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "WyJhIiwiYiJd", "MQ"])
    def test_refuses_a_cursor_that_it_never_gave(self, reporting, cursor):
        with pytest.raises(DomainError) as refused:
            reporting.surveys(cursor=cursor)
        assert (refused.value.code, refused.value.details["errors"][0]["field"]) == ("parameter_invalid", "cursor")


def test_a_visit_has_one_answer(reporting):
    first, second = completed(), completed()
    reporting.answer(first)
    with pytest.raises(DomainError, match="survey_already_answered"):
        reporting.answer(first, requirements=1)
    with pytest.raises(DomainError, match="survey_already_answered"):
        reporting.answer({**second, "visit": first["visit"]})  # another leg of the same visit
    reporting.answer(second)
    assert reporting.skm()["respondents"] == len(reporting.told()) == 2


def test_a_repeat_of_the_command_is_answered_and_not_done_again(reporting):
    ticket = completed()
    answers = [reporting.answer(ticket, "Baik", command_id="anonymous:0123456789abcdef") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(reporting.told()) == 1
    with pytest.raises(DomainError, match="idempotency_key_reused"):
        reporting.answer(ticket, "Buruk", command_id="anonymous:0123456789abcdef")


def test_of_eight_answers_at_once_one_is_taken(reporting):
    ticket = completed()

    def answer(number):
        try:
            return reporting.answer(ticket, command_id=f"anonymous:key-number-{number:06d}")["id"]
        except DomainError as refused:
            return refused.code

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(answer, range(8)))
    assert outcomes.count("survey_already_answered") == 7
    assert reporting.skm()["respondents"] == len(reporting.told()) == 1


@pytest.mark.parametrize("steps", [(), SERVED[:1], SERVED[:2], (("ticket.cancelled", 5),), (*SERVED[:1], ("ticket.no_show", 60))])
def test_only_who_was_served_is_asked(reporting, steps):
    ticket = journey(*steps)[-1].ticket
    with pytest.raises(DomainError) as refused:
        reporting.answer(ticket)
    assert refused.value.code == "ticket_state_conflict"
    assert refused.value.details == {"status": ticket["status"], "allowed": ["completed"]}
    assert reporting.told() == []


@pytest.mark.parametrize("score", [0, 5])
def test_the_table_itself_takes_no_score_that_is_none(reporting, score):
    ids = {name: str(uuid.uuid4()) for name in ("id", "visit", "ticket")}
    place = {"site": "sukadana", "agency": "CPL", "service": "CPL-KTP", "business_date": date(2025, 6, 11), "submitted_at": OPENING}
    with reporting.work() as work, pytest.raises(IntegrityError), work.attempt():
        store.insert_survey(work, {**ids, **place}, {"cost": score})


def test_regencies_are_apart(new_reporting):
    here, there = new_reporting(), new_reporting()
    ticket = completed()
    here.answer(ticket)
    assert there.skm()["respondents"] == 0
    schema = here.regency.replace("-", "_")
    with pytest.raises(ProgrammingError, match="permission denied"), there.work() as work:
        work.execute(sa.text(f"SELECT * FROM {schema}.survey"))


class TestIndex:
    def test_of_a_worked_example(self, reporting):
        told = [happening for _ in range(100) for happening in journey(*SERVED)]
        reporting.hear(told)
        tickets = [happening.ticket for happening in told if happening.type == "ticket.completed"]
        for ticket, score in zip(tickets, (4, 4, 3), strict=False):
            reporting.answer(ticket, **{**dict.fromkeys(ELEMENTS, score), "facilities": 2})
        reporting.answer(tickets[3], requirements=1)
        report = reporting.skm()
        # requirements (4+4+3+1)/4 = 3; facilities 2; the other seven 11/3: sum 92/3, index 92/27, IKM 85.185...
        assert report == {
            "from": "2025-06-11",
            "to": "2025-06-11",
            "site": None,
            "agency": None,
            "service": None,
            "respondents": 4,
            "elements": {
                **{element: {"nrr": 3.6667, "answers": 3} for element in ELEMENTS},
                "requirements": {"nrr": 3.0, "answers": 4},
                "facilities": {"nrr": 2.0, "answers": 3},
            },
            "unanswered": [],
            "index": 3.4074,
            "ikm": 85.19,
            "grade": "B",
            "weight": "1/9",
            "highest_ikm": 100.0,
            "sample": {"population": 100, "required": 80, "reached": False},
        }
        rounded = reporting.skm(weight="0.11")
        assert (rounded["ikm"], rounded["weight"], rounded["highest_ikm"]) == (84.33, "0.11", 99.0)

    def test_of_nobody_is_none(self, reporting):
        report = reporting.skm()
        assert (report["respondents"], report["index"], report["ikm"], report["grade"]) == (0, None, None, None)
        assert report["unanswered"] == list(ELEMENTS)
        assert report["sample"] == {"population": 0, "required": 0, "reached": False}

    def test_names_an_element_that_nobody_answered(self, reporting):
        reporting.answer(completed(), **{element: 4 for element in ELEMENTS if element != "cost"})
        report = reporting.skm()
        assert (report["index"], report["ikm"], report["grade"], report["unanswered"]) == (None, None, None, ["cost"])
        assert report["elements"]["cost"] == {"nrr": None, "answers": 0}
        assert report["elements"]["time"] == {"nrr": 4.0, "answers": 1}

    @pytest.mark.parametrize(("score", "ikm", "grade"), [(4, 100.0, "A"), (1, 25.0, "D")])
    def test_of_all_the_same(self, reporting, score, ikm, grade):
        for _ in range(3):
            reporting.answer(completed(), **dict.fromkeys(ELEMENTS, score))
        report = reporting.skm()
        assert (report["ikm"], report["grade"]) == (ikm, grade)

    def test_counts_by_site_agency_service_and_period_of_the_visit(self, reporting):
        places: list[dict[str, Any]] = [
            {},
            {"service": "CPL-KK"},
            {"agency": "POL", "service": "POL-SKCK"},
            {"site": "way-jepara"},
            {"business_date": "2025-06-10"},
            {"business_date": "2025-06-12"},
        ]
        for place in places:
            told = journey(*SERVED, **place)
            reporting.hear(told)
            reporting.answer(told[-1].ticket)

        def counted(**asked):
            report = reporting.skm(**asked)
            assert report["respondents"] == report["sample"]["population"]
            return report["respondents"]

        assert counted() == 4
        assert counted(site="sukadana") == 3
        assert counted(agency="CPL") == 3
        assert counted(service="CPL-KK") == 1
        assert counted(site="way-jepara", service="POL-SKCK") == 0
        assert counted(since="2025-06-10") == 5
        assert counted(since="2025-06-10", until="2025-06-12") == 6
        assert counted(since="2025-06-13", until="2025-12-31") == 0

    def test_population_counts_visits_and_not_tickets(self, reporting):
        visit = str(uuid.uuid4())
        reporting.hear([*journey(*SERVED, visit=visit), *journey(*SERVED, visit=visit), *journey(*SERVED), *journey()])
        assert reporting.skm()["sample"] == {"population": 2, "required": 2, "reached": False}

    def test_of_an_unknown_site_is_refused(self, reporting):
        with pytest.raises(DomainError, match="site_unknown"):
            reporting.skm(site="atlantis")
        reporting.tell_site()
        assert reporting.skm(site="sukadana")["respondents"] == 0

    def test_of_a_period_that_ends_before_it_begins_is_refused(self, reporting):
        with pytest.raises(DomainError) as refused:
            reporting.skm(since="2025-06-12", until="2025-06-11")
        assert (refused.value.code, refused.value.details["errors"][0]["field"]) == ("parameter_invalid", "to")


@pytest.fixture(scope="module")
def shared_reporting(new_reporting):
    """One regency for all examples of a property; each begins with empty tables."""
    return new_reporting()


scores = st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 4), min_size=1)


@settings(max_examples=40)
@given(st.lists(scores | st.just(FOURS), max_size=12))
def test_the_report_equals_a_calculation_from_the_answers(shared_reporting, given_scores):
    shared_reporting.forget()
    for one in given_scores:
        shared_reporting.answer(completed(), **one)
    report = shared_reporting.skm()
    by_element = {element: [one[element] for one in given_scores if element in one] for element in ELEMENTS}
    assert report["respondents"] == len(given_scores)
    assert {element: found["answers"] for element, found in report["elements"].items()} == {e: len(v) for e, v in by_element.items()}
    assert report["unanswered"] == [element for element, values in by_element.items() if not values]
    if report["unanswered"]:
        assert report["ikm"] is None
    else:
        exact = sum((Fraction(sum(values), len(values)) for values in by_element.values()), Fraction()) / 9 * 25
        assert abs(Fraction(str(report["ikm"])) - exact) <= Fraction(1, 200)


def test_every_table_is_a_projection_or_own_facts(reporting):
    declared = [table.name for table in itertools.chain(*store.PROJECTIONS.values(), store.OWN_FACTS)]
    assert sorted(declared) == sorted(store.metadata.tables)
