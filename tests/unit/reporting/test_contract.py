"""Durations in the published figures are numbers that JSON has, or null."""

import copy

import pytest

from services.contracts.examples import EXAMPLES
from services.contracts.reporting import ELEMENTS, MOST_SECONDS, DailyFigures, SubmitSurvey, Survey, SurveySubmitted
from services.contracts.schema import PayloadInvalid

pytestmark = pytest.mark.unit

NO_NUMBERS: list[object] = [True, False, "61", "", [], {}]
OUT_OF_RANGE = [-0.001, MOST_SECONDS + 1, float("nan"), float("inf"), 10**400]


def with_mean(value):
    figures = copy.deepcopy(EXAMPLES["reporting"]["daily_figures"])
    figures["wait_seconds"]["mean"] = value
    return figures


@pytest.mark.parametrize("value", [None, 0, 0.0, 61, 61.125, MOST_SECONDS])
def test_a_number_of_seconds_passes_unchanged(value):
    loaded = DailyFigures().load(with_mean(value))["wait_seconds"]["mean"]
    assert (loaded, type(loaded)) == (value, type(value))


@pytest.mark.parametrize(
    "rule_and_value",
    [
        *(("not_number", value) for value in NO_NUMBERS),
        *(("out_of_range", value) for value in OUT_OF_RANGE),
    ],
)
def test_anything_else_is_refused(rule_and_value):
    rule, value = rule_and_value
    with pytest.raises(PayloadInvalid) as refused:
        DailyFigures().load(with_mean(value))
    (error,) = refused.value.details["errors"]
    assert (error["field"], error["rule"]) == ("wait_seconds.mean", rule)


NO_SCORES: list[object] = [{}, {"time": 0}, {"time": 5}, {"time": 3.0}, {"time": True}, {"time": None}, {"u1": 3}, [4] * 9, None]


@pytest.mark.parametrize("scores", NO_SCORES)
def test_scores_are_whole_numbers_from_1_to_4_of_known_elements(scores):
    survey = {**EXAMPLES["reporting"]["submit_survey"], "scores": scores}
    with pytest.raises(PayloadInvalid) as refused:
        SubmitSurvey().load(survey)
    assert {error["field"].split(".")[0] for error in refused.value.details["errors"]} == {"scores"}


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("score", [1, 2, 3, 4])
def test_a_single_element_is_answer_enough(element, score):
    survey = {"token": "x", "scores": {element: score}}
    assert SubmitSurvey().load(survey) == {**survey, "comment": None}


def test_a_comment_has_an_end():
    survey = EXAMPLES["reporting"]["submit_survey"]
    assert SubmitSurvey().load({**survey, "comment": "Baik.\nTerima kasih 🙏" + "k" * 1900})
    with pytest.raises(PayloadInvalid):
        SubmitSurvey().load({**survey, "comment": "k" * 2001})


def test_neither_comment_nor_token_stands_in_answer_or_event():
    for schema in (Survey, SurveySubmitted):
        assert not {"comment", "token", "visit"} & set(schema().fields)
    assert not {"comment", "token", "visit"} & set(EXAMPLES["reporting"]["survey.submitted"]["survey"])
