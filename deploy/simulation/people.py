"""Who comes on a day, and what they will do: drawn from a seed, so that the same day can be played again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deploy.simulation.hours import arrival
from deploy.simulation.malls import Mall
from services.contracts.reporting import ELEMENTS
from services.contracts.ticketing import OUTCOMES, PRIORITY_CLASSES

VISITORS_PER_DESK = 15
"""A usual day: 225 numbers at a mall of fifteen counters."""

PRIORITY_SHARE = 0.15
NEVER_COMES = 0.07
COMES_LATE = 0.10
"""Comes to the counter at the first or second repetition of the call."""

GIVES_BACK = 0.04
ANSWERS_SURVEY = 0.35
TWO_SERVICES = 0.08
"""Of those who come when they are called and stay, how many want a second service on the same slip."""

COMPLETE_ANSWERS = 0.85
"""Of those who answer the survey, how many score all nine elements."""

_CHANNELS = {"kiosk": 0.7, "web": 0.15, "front_desk": 0.15}
_OUTCOMES = dict(zip(OUTCOMES, (0.82, 0.08, 0.07, 0.03), strict=True))


@dataclass(frozen=True)
class Visitor:
    """One citizen's day. Times are minutes of the day that is played."""

    arrives: float
    service: str
    channel: str
    priority_class: str | None
    comes_at_recall: int | None
    """0: at the first call; ``None``: never, whatever is called."""
    gives_back_after: float | None
    """Who has not been called after so many minutes cancels; ``None``: stays."""
    walks: float
    """From the call to the counter."""
    served_for: float
    outcome: str
    scores: Mapping[str, int] | None
    """Answers to the satisfaction survey; ``None``: gives none."""
    answers_after: float
    then: str | None = None
    """A second service of the same visit."""


def visitors(mall: Mall, count: int, seed: int, day: int) -> list[Visitor]:
    """Return who comes to a mall on a day, in order of arrival; the same for the same arguments, whatever else is played."""
    rng = random.Random(f"{seed}/{mall.name}/{day}")  # noqa: S311 - repeatable on purpose, nothing secret
    # Some counters are busier than others; a service is asked for at a counter that can serve it.
    popular = {desk.id: rng.uniform(0.5, 1.5) for desk in mall.desks}
    liked = {element: rng.uniform(0.55, 0.95) for element in ELEMENTS}
    drawn = [_visitor(mall, rng, popular, liked) for _ in range(count)]
    drawn = [replace(visitor, then=_second(mall, rng, visitor)) for visitor in drawn]
    return sorted(drawn, key=lambda visitor: visitor.arrives)


def stranger(ticket_id: str) -> Visitor:
    """Return how somebody is served who took a number before the simulation, or beside it."""
    rng = random.Random(ticket_id)  # noqa: S311 - not secret either
    return Visitor(0.0, "", "", None, 0, None, rng.uniform(0.3, 1.5), _serving(rng), OUTCOMES[0], None, 0.0)


def _visitor(mall: Mall, rng: random.Random, popular: Mapping[str, float], liked: Mapping[str, float]) -> Visitor:
    desk = rng.choices(mall.desks, [popular[desk.id] for desk in mall.desks])[0]
    return Visitor(
        arrives=arrival(mall.hours, rng),
        service=rng.choice(desk.services),
        channel=rng.choices(mall.channels, [_CHANNELS[channel] for channel in mall.channels])[0],
        priority_class=rng.choice(PRIORITY_CLASSES) if rng.random() < PRIORITY_SHARE else None,
        comes_at_recall=_comes_at(rng.random()),
        gives_back_after=rng.uniform(5, 40) if rng.random() < GIVES_BACK else None,
        walks=rng.uniform(0.3, 1.5),
        served_for=_serving(rng),
        outcome=rng.choices(list(_OUTCOMES), list(_OUTCOMES.values()))[0],
        scores=_scores(rng, liked) if rng.random() < ANSWERS_SURVEY else None,
        answers_after=rng.uniform(1, 15),
    )


def _second(mall: Mall, rng: random.Random, visitor: Visitor) -> str | None:
    others = sorted({service for desk in mall.desks for service in desk.services} - {visitor.service})
    stays = visitor.comes_at_recall == 0 and visitor.gives_back_after is None
    return rng.choice(others) if stays and others and rng.random() < TWO_SERVICES else None


def _comes_at(drawn: float) -> int | None:
    if drawn < NEVER_COMES:
        return None
    if drawn < NEVER_COMES + COMES_LATE:
        return 1 if drawn < NEVER_COMES + COMES_LATE * 0.7 else 2
    return 0


def _serving(rng: random.Random) -> float:
    """Minutes at the counter: most need about ten, few more than half an hour."""
    return min(40.0, max(2.0, rng.lognormvariate(2.3, 0.5)))


def _scores(rng: random.Random, liked: Mapping[str, float]) -> dict[str, int]:
    """Scores from 1 to 4; some citizens leave elements out."""
    answered = list(ELEMENTS) if rng.random() < COMPLETE_ANSWERS else rng.sample(ELEMENTS, rng.randint(1, len(ELEMENTS) - 1))
    return {element: 1 + sum(rng.random() < liked[element] for _ in range(3)) for element in answered}
