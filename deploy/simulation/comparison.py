"""Whether the reports say what was played: the differences from before to after, figure by figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.simulation.tally import STATES, DayAtSite, Played
from deploy.simulation.visits import FATES, Visits, until_called, visits_of
from services.contracts.reporting import ELEMENTS

OPEN_OR_EXPIRED = ("waiting", "called", "serving", "on_hold", "expired")
"""States that the close of day turns into one another."""

MOST_SCORES = 4_000
"""Up to so many answers a mean of four decimals gives back the sum of the scores exactly."""

SECONDS_APART = 0.002
"""A published duration is rounded to the millisecond."""


@dataclass(frozen=True)
class Figures:
    """The daily report and the survey's report of one business date at one site, as the gateway answers them."""

    daily: Mapping[str, Any]
    skm: Mapping[str, Any]


NOTHING = Figures({"issued": 0, **dict.fromkeys(STATES, 0)}, {"respondents": 0, "elements": {}})
"""The reports of a date on which nothing has happened."""


@dataclass(frozen=True)
class Disagreement:
    """A figure that is not what was played."""

    day: DayAtSite
    figure: str
    played: float | None
    reported: float | None

    def __str__(self) -> str:
        return f"{self.day.name} on {self.day.date}, {self.figure}: played {_shown(self.played)}, reported {_shown(self.reported)}"


def disagreements(day: DayAtSite, played: Played, before: Figures, after: Figures, *, is_over: bool) -> list[Disagreement]:
    """Return every figure in which the reports differ from what was played.

    :param is_over: the business date has ended meanwhile; who was still waiting may have expired.
    """
    pairs = [*_states(played, before.daily, after.daily, is_over=is_over), *_surveys(played, before.skm, after.skm)]
    found = [Disagreement(day, figure, wanted, reported) for figure, wanted, reported in pairs if wanted != reported]
    if before.daily["issued"] == 0 and not played.strangers:
        measured = [
            *_waits(played, after.daily["wait_seconds"]),
            *_first_calls(played, after.daily["first_call_seconds"]),
            *_estimates(played, after.daily["estimates"]),
            *_visits(visits_of(played.tickets), after.daily["visits"], is_over=is_over),
        ]
        found += [Disagreement(day, figure, wanted, reported) for figure, wanted, reported in measured if _differ(wanted, reported)]
    return found


Pair = tuple[str, float | None, float | None]


def _states(played: Played, before: Mapping[str, Any], after: Mapping[str, Any], *, is_over: bool) -> list[Pair]:
    pairs: list[Pair] = [("issued", played.issued, after["issued"] - before["issued"])]
    lumped = OPEN_OR_EXPIRED if is_over else ()
    pairs += [(state, played.change[state], after[state] - before[state]) for state in STATES if state not in lumped]
    if lumped:
        reported = sum(after[state] - before[state] for state in lumped)
        pairs.append(("open or expired", sum(played.change[state] for state in lumped), reported))
    return pairs


def _surveys(played: Played, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Pair]:
    pairs: list[Pair] = [("surveys", played.surveys, after["respondents"] - before["respondents"])]
    for element in ELEMENTS:
        answers, points = played.survey_points.get(element, (0, 0))
        (answers_before, points_before), (answers_after, points_after) = _element(before, element), _element(after, element)
        pairs.append((f"answers for {element}", answers, answers_after - answers_before))
        if answers_after <= MOST_SCORES:
            pairs.append((f"sum of scores for {element}", points, points_after - points_before))
    return pairs


def _element(skm: Mapping[str, Any], element: str) -> tuple[int, int]:
    figures = skm["elements"].get(element, {"answers": 0, "nrr": None})
    return figures["answers"], round((figures["nrr"] or 0) * figures["answers"])


def _differ(wanted: float | None, reported: float | None) -> bool:
    if wanted is None or reported is None:
        return wanted is not reported
    return not math.isclose(wanted, reported, rel_tol=0, abs_tol=SECONDS_APART)


def _waits(played: Played, reported: Mapping[str, float | None]) -> list[Pair]:
    return [
        ("mean wait in seconds", mean(played.waits), reported["mean"]),
        ("median wait in seconds", quantile(played.waits, 0.5), reported["p50"]),
        ("wait of nine in ten in seconds", quantile(played.waits, 0.9), reported["p90"]),
    ]


def _first_calls(played: Played, reported: Mapping[str, float | None]) -> list[Pair]:
    return _durations("seconds to the first call", sorted(_known(map(until_called, played.tickets))), reported)


def _durations(what: str, seconds: Sequence[float], reported: Mapping[str, float | None]) -> list[Pair]:
    return [
        (f"{what}, mean", mean(seconds), reported["mean"]),
        (f"{what}, median", quantile(seconds, 0.5), reported["p50"]),
        (f"{what}, nine in ten", quantile(seconds, 0.9), reported["p90"]),
    ]


def _estimates(played: Played, reported: Mapping[str, Any]) -> list[Pair]:
    pairs = [(ticket.get("first_estimate_seconds"), until_called(ticket)) for ticket in played.tickets]
    errors = [told - wait for told, wait in pairs if told is not None and wait is not None]
    return [
        ("estimates compared", len(errors), reported["compared"]),
        ("estimates of who was not called", sum(told is not None and wait is None for told, wait in pairs), reported["not_called"]),
        ("calls without estimate", sum(told is None and wait is not None for told, wait in pairs), reported["not_estimated"]),
        ("median absolute error in seconds", quantile(sorted(map(abs, errors)), 0.5), reported["median_absolute_error_seconds"]),
        ("mean error in seconds", mean(errors), reported["bias_seconds"]),
    ]


def _visits(visits: Visits, reported: Mapping[str, Any], *, is_over: bool) -> list[Pair]:
    """Compare the visits; the close of day ends those that were open, and how is not played."""
    lasting = FATES if not is_over else ("finished",)
    return [
        ("visits", sum(visits.fates.values()), reported["total"]),
        ("legs of visits", visits.legs, reported["legs"]),
        *((f"visits {fate}", visits.fates[fate], reported[fate]) for fate in lasting),
        *_durations("visits' seconds to the first call", visits.first_calls, reported["first_call_seconds"]),
        *_durations("visits' seconds in queues", visits.waits, reported["wait_seconds"]),
        *_durations("visits' seconds at counters", visits.serves, reported["serve_seconds"]),
        *_durations("visits' seconds in the building", visits.stays, reported["stay_seconds"]),
    ]


def _known(seconds: Iterable[float | None]) -> list[float]:
    return [each for each in seconds if each is not None]


def mean(ordered: Sequence[float]) -> float | None:
    """Return the arithmetic mean; ``None`` of nothing."""
    return sum(ordered) / len(ordered) if ordered else None


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value that this share does not exceed, interpolated between the two nearest; ``None`` of nothing."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _shown(figure: float | None) -> str:
    return "nothing" if figure is None else f"{figure:g}" if isinstance(figure, int) else f"{figure:.3f}"
