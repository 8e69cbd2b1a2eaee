"""Estimators of the wait, compared over simulated days."""

import pytest

from tests.bench.estimates import AIM_PERCENT, BASELINES, WINNER, Errors, compared, table
from tests.bench.estimates import PAGE as ESTIMATES

pytestmark = pytest.mark.unit


def test_the_best_estimator_is_right_enough_on_every_kind_of_day():
    for case, seen in compared().items():
        best = Errors.of(seen, WINNER).median_percent
        assert best < AIM_PERCENT, case
        assert all(best < Errors.of(seen, other).median_percent for other in BASELINES), case


def test_the_published_comparison_of_estimates_is_what_they_do():
    assert table() in ESTIMATES.read_text(encoding="utf-8")
