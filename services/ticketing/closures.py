"""Unforeseen closures by the clock: soon after the catalogue tells of one, and again while one holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from services.chassis.database import Database
from services.ticketing import usecases
from services.ticketing.rounds import in_every_regency
from services.ticketing.usecases import Cancelling

LOOK_SECONDS = 1
WHILE_CLOSED = timedelta(seconds=15)
"""While one holds: a number that was taken at the very moment of the closure is found so soon."""

LOOK_EVERYWHERE = timedelta(minutes=5)
"""How often to ask regencies of which nothing was heard: the replica that heard may have died before it did anything."""


@dataclass
class _Plan:
    """When this process looks where. Only saves questions: it is empty when the process starts."""

    everywhere_at: datetime | None = None
    due: dict[str, datetime | None] = field(default_factory=dict)
    """Regencies to look at before that; ``None``: now."""


_plans: WeakKeyDictionary[Database, _Plan] = WeakKeyDictionary()


def look_soon(database: Database, regency: str) -> None:
    """Look at a regency in the next round: its special hours have changed."""
    _plans.setdefault(database, _Plan()).due[regency] = None


def apply_closures(database: Database) -> None:
    """Bring the sites of those regencies in line with their closures where one may be: of all, at times and at the start."""
    plan, now = _plans.setdefault(database, _Plan()), database.clock.now()
    everywhere = plan.everywhere_at is None or not now < plan.everywhere_at <= now + LOOK_EVERYWHERE
    due = [regency for regency, at in plan.due.items() if at is None or not now < at <= now + WHILE_CLOSED]
    if everywhere:
        plan.everywhere_at = now + LOOK_EVERYWHERE
    elif not due:
        return

    def apply(regency: str) -> None:
        plan.due[regency] = now + WHILE_CLOSED  # before looking: what changes meanwhile, or fails, is looked at again
        with database.regency_work(regency) as work:
            sites = usecases.sites_to_look_at(work)
        for site in sites:
            _apply_at(database, regency, site)
        if not sites and plan.due.get(regency) is not None:
            del plan.due[regency]

    def choose(regencies: list[str]) -> list[str]:
        return regencies if everywhere else [regency for regency in due if regency in regencies]

    in_every_regency(database, "closures_applied", apply, choose)


def _apply_at(database: Database, regency: str, site: str) -> None:
    progress = Cancelling.MORE
    while progress is Cancelling.MORE:
        with database.regency_work(regency, timeout=30.0) as work:
            progress = usecases.apply_closures(work, site)
