"""Slips that never came out, by the clock: each is given up in time, in however many regencies kiosks print.

A process remembers the slips it has issued itself and looks when one is due that it has not heard of since. After its
start it looks into every regency once, for what it, or another one that died, had to give up. What a process that died
and does not come back has issued is found when the regency's gauges have their turn (`rounds.measure_pressure`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from services.chassis.database import Database, UnitOfWork
from services.ticketing.rounds import give_up_slips, in_every_regency
from services.ticketing.usecases import PRINTING_TIME

LOOK_SECONDS = 5
LOOK_AGAIN = timedelta(seconds=20)
"""Between two looks into a regency: with :data:`LOOK_SECONDS` before and after, a slip is given up within half a minute."""

MOST_UNSEEN = 100
"""Regencies that are looked into for the first time in one round: a start must not hold up what comes in meanwhile."""


@dataclass
class _Plan:
    """Which slips this process waits for. Only saves questions: it is empty when the process starts."""

    due: dict[str, dict[str, datetime]] = field(default_factory=dict)
    """By regency and ticket: when it is given up."""
    looked_at: dict[str, datetime] = field(default_factory=dict)


_plans: WeakKeyDictionary[Database, _Plan] = WeakKeyDictionary()


def follow(database: Database, work: UnitOfWork, ticket: Mapping[str, Any]) -> None:
    """Wait for a ticket's slip, or wait no longer, once the unit of work that has issued or confirmed it is committed."""
    due = work.now + PRINTING_TIME if ticket["status"] == "printing" else None
    work.measured.append(partial(_note, database, work.regency, ticket["id"], due))


def _note(database: Database, regency: str, ticket: str, due: datetime | None) -> None:
    slips = _plans.setdefault(database, _Plan()).due.setdefault(regency, {})
    if due is None:
        slips.pop(ticket, None)
    else:
        slips[ticket] = due


def give_up_overdue(database: Database) -> None:
    """Make tickets void whose slips were not confirmed in time; a regency that fails has its turn in the next round."""
    plan, now = _plans.setdefault(database, _Plan()), database.clock.now()

    def choose(regencies: list[str]) -> list[str]:
        unseen = [regency for regency in regencies if regency not in plan.looked_at]
        return unseen[:MOST_UNSEEN] + [regency for regency in regencies if regency in plan.looked_at and _is_due(plan, regency, now)]

    def look(regency: str) -> None:
        slips = plan.due.setdefault(regency, {})
        heard_of = [ticket for ticket, due in slips.items() if not _is_ahead(due, now)]
        waiting = give_up_slips(database, regency)
        for ticket in heard_of:
            slips.pop(ticket, None)
        slips.update(waiting)
        plan.looked_at[regency] = now

    in_every_regency(database, "slips_given_up", look, choose)


def _is_due(plan: _Plan, regency: str, now: datetime) -> bool:
    """Whether a slip is overdue there and the last look long enough ago; a clock that was set back trusts nothing."""
    slips = plan.due.get(regency)
    if not slips or plan.looked_at[regency] <= now < plan.looked_at[regency] + LOOK_AGAIN:
        return False
    return not all(_is_ahead(due, now) for due in slips.values())


def _is_ahead(due: datetime, now: datetime) -> bool:
    return now < due <= now + PRINTING_TIME
