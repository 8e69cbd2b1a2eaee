"""Personal data by the clock: what was kept for as long as it may be is erased, and what no key opens is told of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from weakref import WeakKeyDictionary

from services.chassis import metrics
from services.chassis.database import Database
from services.chassis.logs import get_logger
from services.ticketing import usecases
from services.ticketing.rounds import in_every_regency
from services.ticketing.usecases import Tended

log = get_logger(__name__)

LOOK_SECONDS = 600
DAY_SECONDS = 86_400


@dataclass
class _Known:
    """How regencies stood when this process looked; gauges of each of them would be too many."""

    stood: dict[str, Tended] = field(default_factory=dict)
    looked_at: dict[str, datetime] = field(default_factory=dict)
    """For one that could never be looked at: since when it is known."""


_known: WeakKeyDictionary[Database, _Known] = WeakKeyDictionary()


def forget_persons(database: Database, keys: usecases.PersonKeys | None) -> None:
    """Erase what is past its term in every regency, a portion in a transaction.

    Repeating it, or beginning anew after a crash, changes nothing. A regency that fails keeps no other one waiting; the gauge of
    the oldest look says for how long it has failed, the log which one it is.
    """
    known = _known.setdefault(database, _Known())
    present: list[str] = []

    def choose(regencies: list[str]) -> list[str]:
        present[:] = regencies
        for regency in regencies:
            known.looked_at.setdefault(regency, database.clock.now())
        return regencies

    def look(regency: str) -> None:
        tended = _forget(database, regency, keys)
        known.stood[regency], known.looked_at[regency] = tended, database.clock.now()
        if tended.erased:
            log.info("persons_forgotten", regency=regency, visits=tended.erased)
        if tended.tell_by is not None:
            log.warning("breach_to_be_told", regency=regency, tell_by=tended.tell_by.isoformat())
        if tended.unreadable:
            log.error("person_key_unknown", regency=regency, visits=tended.unreadable, advice="put the key back into MPP_PERSON_KEYS")

    in_every_regency(database, "persons_forgotten", look, choose)
    stood = [known.stood[regency] for regency in present if regency in known.stood]
    metrics.PERSONS_OVERDUE.set(DAY_SECONDS * max((each.days_over for each in stood), default=0))
    metrics.PERSONS_UNREADABLE.set(sum(each.unreadable for each in stood))
    deadlines = [each.tell_by.timestamp() for each in stood if each.tell_by is not None]
    metrics.BREACH_TELL_BY.set(min(deadlines, default=0))
    if present:
        metrics.PERSONS_LOOKED_AT.set(min(known.looked_at[regency] for regency in present).timestamp())


def _forget(database: Database, regency: str, keys: usecases.PersonKeys | None) -> Tended:
    """Erase portion after portion; return how the regency stands then, and how much was erased in all."""
    erased = 0
    while True:
        with database.regency_work(regency, timeout=30.0) as work:
            tended = usecases.tend_persons(work, keys)
        erased += tended.erased
        if not tended.erased:
            return replace(tended, erased=erased)
