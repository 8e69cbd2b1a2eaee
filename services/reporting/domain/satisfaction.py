"""The satisfaction index (IKM) of PermenPANRB 14/2017, in exact fractions.

NRR of an element = sum of its scores / respondents who answered it; index = sum of the nine NRR x weight; IKM = index
x 25. Nothing is rounded on the way. At the end the IKM is rounded once, half up: so do the spreadsheets with which
everybody checks the figure, and 88.305 has to be an A in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

ELEMENTS = (
    *("requirements", "procedure", "time", "cost", "product"),
    *("competence", "behaviour", "complaint_handling", "facilities"),
)
"""The nine elements that the regulation fixes."""

EXACT_WEIGHT = Fraction(1, len(ELEMENTS))
WEIGHTS = {"exact": EXACT_WEIGHT, "0.111": Fraction(111, 1000), "0.11": Fraction(11, 100)}
"""Weight of an element. With the rounded ones, which some print, nothing but 4s gives 99.90 or 99.00 instead of 100."""

HIGHEST_SCORE = 4
CONVERSION = 25
IKM_DECIMALS = 2

_LOWEST_IKM = {"A": Fraction("88.31"), "B": Fraction("76.61"), "C": Fraction("65.00")}

CHI_SQUARE = Fraction("3.841")
"""For one degree of freedom and 95 % confidence."""

_SHARE = Fraction(1, 2)
_MARGIN = Fraction("0.05")


@dataclass(frozen=True)
class Tally:
    """The scores of one element: their sum, and how many there are."""

    total: int
    answers: int

    @property
    def nrr(self) -> Fraction | None:
        """Mean score, exact; ``None`` when nobody answered."""
        return Fraction(self.total, self.answers) if self.answers else None


@dataclass(frozen=True)
class Satisfaction:
    """The outcome of a survey: ``index`` exact, ``ikm`` rounded, ``grade`` by the rounded IKM; all or none of them."""

    index: Fraction | None
    ikm: Fraction | None
    grade: str | None
    unanswered: tuple[str, ...]


def satisfaction(tallies: Mapping[str, Tally], weight: Fraction = EXACT_WEIGHT) -> Satisfaction:
    """Return index, IKM and grade of the nine elements' tallies.

    The regulation defines the index by nine elements of equal weight, each with a mean over those who answered it. An
    element that nobody answered has no mean: as zero it would pull the index down by a ninth, and to share its weight
    among the others would invent what nobody said. So there is no index then, and ``unanswered`` says why.
    """
    means = {element: tallies[element].nrr for element in ELEMENTS}
    unanswered = tuple(element for element, nrr in means.items() if nrr is None)
    if unanswered:
        return Satisfaction(None, None, None, unanswered)
    index = sum((nrr for nrr in means.values() if nrr is not None), Fraction()) * weight
    ikm = half_up(index * CONVERSION, IKM_DECIMALS)
    return Satisfaction(index, ikm, grade_of(ikm), ())


def highest_ikm(weight: Fraction) -> Fraction:
    """Return the IKM of nothing but 4s with a weight."""
    return len(ELEMENTS) * HIGHEST_SCORE * weight * CONVERSION


def grade_of(ikm: Fraction) -> str:
    """Return the grade (mutu pelayanan) of an IKM rounded to two decimals: A from 88.31, B from 76.61, C from 65.00, else D."""
    return next((grade for grade, lowest in _LOWEST_IKM.items() if ikm >= lowest), "D")


def sample_size(population: int) -> int:
    """Return how many respondents a population asks for (Krejcie and Morgan), rounded to the nearest as in their table.

    S = X²NP(1-P) / (d²(N-1) + X²P(1-P)) with X² = 3.841, P = 0.5, d = 0.05.
    """
    if population <= 0:
        return 0
    spread = CHI_SQUARE * _SHARE * (1 - _SHARE)
    return int(half_up(spread * population / (_MARGIN**2 * (population - 1) + spread), 0))


def half_up(value: Fraction, decimals: int) -> Fraction:
    """Return a number that is not negative, rounded to so many decimals; what lies in the middle goes up."""
    scale = 10**decimals
    return Fraction(int(value * scale + Fraction(1, 2)), scale)
