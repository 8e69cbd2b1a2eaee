"""The satisfaction index: published examples, borders of grades, and properties."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import reporting as contracts
from services.reporting import domain
from services.reporting.domain import ELEMENTS, WEIGHTS, Tally, grade_of, half_up, sample_size, satisfaction

pytestmark = pytest.mark.unit

PUBLISHED_SUMS = {
    "requirements": 105,
    "procedure": 101,
    "time": 100,
    "cost": 116,
    "product": 102,
    "competence": 105,
    "behaviour": 106,
    "facilities": 105,
    "complaint_handling": 115,
}
"""Sums of scores of 29 respondents in a third quarter, by element.

Source: github.com/rennn9/GASPUL_BACKEND, rumus_perhitungan_ikm_lengkap.md (commit 157a1a61). It calculates the index
twice, by the exact weight (91.48) and by NRR weighted with 0.11 (90.56), and wonders at the difference.
"""


def same(total: int, answers: int) -> dict[str, Tally]:
    return dict.fromkeys(ELEMENTS, Tally(total, answers))


def with_mean(mean: Fraction) -> dict[str, Tally]:
    return same(mean.numerator, mean.denominator)


PUBLISHED = {element: Tally(total, 29) for element, total in PUBLISHED_SUMS.items()}


class TestPublished:
    def test_index_and_grade_with_the_exact_weight(self):
        outcome = satisfaction(PUBLISHED)
        assert outcome.index is not None
        assert half_up(outcome.index, 4) == Fraction("3.6590")
        assert (outcome.ikm, outcome.grade) == (Fraction("91.48"), "A")

    def test_index_with_the_weight_rounded_to_two_decimals(self):
        outcome = satisfaction(PUBLISHED, WEIGHTS["0.11"])
        assert (outcome.ikm, outcome.grade) == (Fraction("90.56"), "A")

    def test_means_of_the_elements(self):
        means = {element: float(half_up(tally.nrr or Fraction(), 4)) for element, tally in PUBLISHED.items()}
        assert means == {
            "requirements": 3.6207,
            "procedure": 3.4828,
            "time": 3.4483,
            "cost": 4.0,
            "product": 3.5172,
            "competence": 3.6207,
            "behaviour": 3.6552,
            "facilities": 3.6207,
            "complaint_handling": 3.9655,
        }

    def test_where_everything_is_perfect_the_index_is_100_whatever_weight_the_legend_prints(self):
        """Published by the civil registry of Tulang Bawang Barat for the first half of 2023: one respondent, fours throughout,
        NRR weighted 0.44 each, index 100.00, grade A - under a legend that says "x 0,111", which would make it 99.90.

        Source: e-smile.tubaba.go.id/main/skm/laporan/online
        """
        perfect = same(4, 1)
        assert (satisfaction(perfect).ikm, satisfaction(perfect).grade) == (Fraction(100), "A")
        assert half_up(Fraction(4) * WEIGHTS["exact"], 2) == Fraction("0.44")
        assert satisfaction(perfect, WEIGHTS["0.111"]).ikm == Fraction("99.90")

    def test_a_rounded_weight_can_cost_a_grade(self):
        tallies = with_mean(Fraction("3.5324"))
        assert satisfaction(tallies).grade == "A"
        assert satisfaction(tallies, WEIGHTS["0.111"]).grade == "B"


@pytest.mark.parametrize(
    ("mean", "weight", "ikm", "grade"),
    [
        ("4", "exact", "100.00", "A"),
        ("4", "0.111", "99.90", "A"),
        ("4", "0.11", "99.00", "A"),
        ("1", "exact", "25.00", "D"),
        ("1", "0.111", "24.98", "D"),  # 24.975: half goes up
        ("1", "0.11", "24.75", "D"),
        # on the borders, and on either side of the middle between two figures
        ("3.5324", "exact", "88.31", "A"),
        ("3.5322", "exact", "88.31", "A"),  # 88.305: half goes up
        ("3.532199", "exact", "88.30", "B"),
        ("3.532", "exact", "88.30", "B"),
        ("3.0644", "exact", "76.61", "B"),
        ("3.0642", "exact", "76.61", "B"),  # 76.605
        ("3.064199", "exact", "76.60", "C"),
        ("3.064", "exact", "76.60", "C"),
        ("2.6", "exact", "65.00", "C"),
        ("2.5998", "exact", "65.00", "C"),  # 64.995
        ("2.599799", "exact", "64.99", "D"),
        ("2.5996", "exact", "64.99", "D"),
    ],
)
def test_ikm_and_grade(mean, weight, ikm, grade):
    outcome = satisfaction(with_mean(Fraction(mean)), WEIGHTS[weight])
    assert (outcome.ikm, outcome.grade) == (Fraction(ikm), grade)


def test_no_answer_is_no_index_and_no_grade():
    outcome = satisfaction(same(0, 0))
    assert (outcome.index, outcome.ikm, outcome.grade) == (None, None, None)
    assert outcome.unanswered == ELEMENTS


@pytest.mark.parametrize("element", ELEMENTS)
def test_an_element_that_nobody_answered_is_neither_zero_nor_shared_out(element):
    outcome = satisfaction({**same(40, 10), element: Tally(0, 0)})
    assert (outcome.index, outcome.ikm, outcome.grade, outcome.unanswered) == (None, None, None, (element,))


def test_who_left_an_element_out_counts_for_the_others_only():
    outcome = satisfaction({**same(40, 10), "cost": Tally(2, 1)})
    assert outcome.ikm == half_up(Fraction(8 * 4 + 2, 9) * 25, 2) == Fraction("94.44")


def test_elements_and_weights_are_those_of_the_contract():
    assert contracts.ELEMENTS == ELEMENTS
    assert tuple(WEIGHTS) == contracts.WEIGHTS
    assert tuple(contracts.SurveyScores().fields) == ELEMENTS
    assert sorted(domain.highest_ikm(weight) for weight in WEIGHTS.values()) == [99, Fraction("99.9"), 100]


@st.composite
def answers(draw):
    """What some respondents answered: a list of scores by element, each element by somebody."""
    return {element: draw(st.lists(st.integers(1, 4), min_size=1, max_size=30)) for element in ELEMENTS}


def tallies_of(scores):
    return {element: Tally(sum(given), len(given)) for element, given in scores.items()}


class TestProperties:
    @given(answers())
    def test_ikm_is_the_mean_of_the_means_on_a_scale_of_25_to_100(self, scores):
        outcome = satisfaction(tallies_of(scores))
        # Another way to the same figure: hundredths of the IKM as one whole-number division with its rest.
        numerator, denominator = 0, 1
        for given_scores in scores.values():
            numerator = numerator * len(given_scores) + sum(given_scores) * denominator
            denominator *= len(given_scores)
        hundredths, rest = divmod(numerator * 2500, denominator * 9)
        hundredths += 2 * rest >= denominator * 9
        assert outcome.ikm is not None
        assert outcome.ikm * 100 == hundredths
        assert 25 <= outcome.ikm <= 100
        assert outcome.grade == ("A" if hundredths >= 8831 else "B" if hundredths >= 7661 else "C" if hundredths >= 6500 else "D")

    @given(answers(), st.sampled_from(ELEMENTS), st.data())
    def test_a_better_score_never_lowers_the_index(self, scores, element, data):
        place = data.draw(st.integers(0, len(scores[element]) - 1))
        better = {**scores, element: [min(4, score + (index == place)) for index, score in enumerate(scores[element])]}
        before, after = satisfaction(tallies_of(scores)), satisfaction(tallies_of(better))
        assert before.index is not None
        assert after.index is not None
        assert after.index >= before.index
        assert str(after.grade) <= str(before.grade)

    @given(answers())
    def test_a_rounded_weight_prints_no_more_than_the_exact_one(self, scores):
        exact, three, two = (satisfaction(tallies_of(scores), weight).ikm or Fraction() for weight in WEIGHTS.values())
        assert two <= three <= exact
        assert exact - two <= 1

    @given(st.integers(0, 10_000))
    def test_every_ikm_has_one_grade(self, hundredths):
        borders = {"A": (8831, 10_000), "B": (7661, 8830), "C": (6500, 7660), "D": (0, 6499)}
        grade = grade_of(Fraction(hundredths, 100))
        assert [name for name, (low, high) in borders.items() if low <= hundredths <= high] == [grade]

    @given(st.fractions(min_value=0, max_value=1000), st.integers(0, 5))
    def test_half_up_is_the_nearest_and_the_upper_of_two(self, value, decimals):
        rounded = half_up(value, decimals)
        unit = Fraction(1, 10**decimals)
        assert rounded % unit == 0
        assert -unit / 2 < rounded - value <= unit / 2
        assert rounded == floor(value / unit + Fraction(1, 2)) * unit


class TestSampleSize:
    @pytest.mark.parametrize(("population", "required"), [(100, 80), (500, 217), (1000, 278), (10_000, 370)])
    def test_of_the_regulation_s_table(self, population, required):
        assert sample_size(population) == required

    def test_of_a_court_that_looked_it_up(self):
        """354 respondents for some 4500 cases: web.pa-karawang.go.id/index.php/seputar-peradilan/398-hasil-survei-ikm-2019."""
        assert sample_size(4500) == 354

    def test_of_nobody_is_nobody_and_of_one_is_that_one(self):
        assert (sample_size(0), sample_size(1)) == (0, 1)

    @given(st.integers(1, 1_000_000))
    def test_never_asks_for_more_than_there_are_and_grows_with_them(self, population):
        assert sample_size(population) <= population
        assert sample_size(population) <= sample_size(population + 1) <= 384
