"""The satisfaction index of a period."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.contracts.field_rules import Message
from services.reporting import domain, store
from services.reporting.usecases.sites import known_site

PRINTED_DECIMALS = 4
"""Of NRR and index, which are printed beside the IKM and never calculated with."""

FILTERS = ("site", "agency", "service")


def skm_report(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return what respondents said of visits from one business date to another, with index, IKM and grade.

    :raises DomainError: ``parameter_invalid`` when the period ends before it begins; ``site_unknown``.
    """
    since, until = date.fromisoformat(data["since"]), date.fromisoformat(data["until"])
    if until < since:
        broken = Message("before_start", start=data["since"])
        error = {"field": "to", "rule": broken.rule, "parameters": broken.parameters, "message": str(broken)}
        raise DomainError("parameter_invalid", errors=[error])
    if "site" in data:
        known_site(work, data["site"])
    filters = {name: data[name] for name in FILTERS if name in data}
    respondents, tallies = store.tallies(work, since, until, filters)
    visits = store.served_visits(work, since, until, filters)
    weight = domain.WEIGHTS[data["weight"]]
    outcome = domain.satisfaction(tallies, weight)
    required = domain.sample_size(visits)
    return {
        "from": data["since"],
        "to": data["until"],
        **{name: data.get(name) for name in FILTERS},
        "respondents": respondents,
        "elements": {element: {"nrr": _printed(tally.nrr), "answers": tally.answers} for element, tally in tallies.items()},
        "unanswered": list(outcome.unanswered),
        "index": _printed(outcome.index),
        "ikm": None if outcome.ikm is None else float(outcome.ikm),
        "grade": outcome.grade,
        "weight": "1/9" if weight == domain.EXACT_WEIGHT else data["weight"],
        "highest_ikm": float(domain.highest_ikm(weight)),
        "sample": {"population": visits, "required": required, "reached": 0 < required <= respondents},
    }


def _printed(value: Fraction | None) -> float | None:
    return None if value is None else float(domain.half_up(value, PRINTED_DECIMALS))
