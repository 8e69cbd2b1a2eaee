"""Durations in the published figures are numbers that JSON has, or null."""

import copy

import pytest

from services.contracts.examples import EXAMPLES
from services.contracts.reporting import MOST_SECONDS, DailyFigures
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
