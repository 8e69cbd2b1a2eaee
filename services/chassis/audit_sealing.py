"""Sealing: rows of audit logs become links of their chain, some seconds after they were committed.

Not in the action's own transaction: each would have to wait for the one before, and a regency's counters for each other.
Any number of replicas may seal; for one regency they take turns. What a process has not sealed when it dies another one
seals: whoever writes there next, or whoever starts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.audit_chain import BEGINNING, PLATFORM, Head, hash_of, link
from services.chassis.database import Database, Work
from services.chassis.errors import DomainError, Unavailable
from services.chassis.logs import get_logger

log = get_logger(__name__)

SEAL_SECONDS = 2.0
BATCH = 1000
SEALED_IN_A_ROUND = 10
"""Regencies that were written to: of hundreds each has its turn every n / 5 seconds, so that what is sealed is many rows at once."""
LOOKS_IN_A_ROUND = 20
"""Regencies in which nothing is known to have happened: hundreds have their turn within a minute of a start."""

LOOK_AGAIN_SECONDS = 3600.0
TOLD_SECONDS = 600.0
"""How often the head of a chain that grows is written to the process's log, which is kept elsewhere: an anchor."""

LATE_ROWS = 100
"""A row gets its id some moments before its commit: so many ids before the last one sealed are looked at again."""

LATER_ROWS, LATER_SECONDS = 2_000, 60.0
"""The same for each regency about once a minute: as many as come in the time that an action may take."""

LATEST_ROWS = 200_000
"""The same once an hour, for those that took longest."""

_TURN = sa.text("SELECT 1 WHERE pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
# Always a row: the head alone where nothing waits, nothing of a head where there is no chain yet.
_WAITING = sa.text("""
    SELECT h.sequence AS head_sequence, h.hash AS head_hash, w.*
    FROM (SELECT) AS always
    LEFT JOIN (
        (SELECT sequence, hash FROM audit_seal ORDER BY sequence DESC LIMIT 1)
        UNION ALL (SELECT sequence, hash FROM audit_cut ORDER BY sequence DESC LIMIT 1)
        ORDER BY sequence DESC LIMIT 1
    ) h ON true
    LEFT JOIN (
        SELECT a.id, a.at, a.actor, a.role, a.action, a.kind, a.subject, a.site, a.agency,
            a.counter, a.before, a.after, a.refused, a.command_id, a.client, a.traceparent
        FROM audit_log a
        WHERE a.id > (SELECT coalesce(max(entry), 0) FROM audit_seal) - :late
            AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.entry = a.id)
        ORDER BY a.id LIMIT :limit
    ) w ON true
    ORDER BY w.id
""")
_SEAL = sa.text("""
    INSERT INTO audit_seal (sequence, entry, hash)
    SELECT * FROM unnest(CAST(:sequences AS bigint[]), CAST(:entries AS bigint[]), CAST(:hashes AS bytea[]))
""")


class _NotOurTurn(Exception):
    """Another process seals this log now."""


def seal(work: Work, regency: str, service: str, late: int = LATE_ROWS) -> tuple[int, Head] | None:
    """Add up to :data:`BATCH` rows to their chain; return how many, and its head. ``None``: somebody else is at it."""
    work.later(_TURN, {"name": f"audit log of {regency}"}, check=_our_turn)
    try:
        rows = work.execute(_WAITING, {"late": late, "limit": BATCH}).mappings().all()
    except _NotOurTurn:
        return None
    last = Head(0, BEGINNING) if rows[0]["head_sequence"] is None else Head(rows[0]["head_sequence"], bytes(rows[0]["head_hash"]))
    if rows[0]["id"] is None:
        return 0, last
    hashes: list[bytes] = []
    first, previous = last.sequence + 1, last.hash
    for sequence, row in enumerate(rows, first):
        previous = hash_of(link(regency, service, sequence, previous, dict(row)))
        hashes.append(previous)
    sequences = list(range(first, first + len(rows)))
    work.later(_SEAL, {"sequences": sequences, "entries": [row["id"] for row in rows], "hashes": hashes})
    return len(rows), Head(sequences[-1], previous)


def _our_turn(rows: int) -> None:
    if not rows:
        raise _NotOurTurn


class Sealer:
    """Seals what this process has written, and what others left."""

    def __init__(self, database: Database, wait: Callable[[float], bool] | None = None) -> None:
        self._database = database
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._written: set[str] = set()
        self._waiting: list[str] = []
        """What was written to, until its turn has come."""
        self._looked_back_at: dict[str, float] = {}
        self._to_look_at: list[str] = []
        self._look_again_at = 0.0
        self._told_at: dict[str, float] = {}
        self._behind_since: float | None = None
        self.finished = threading.Event()
        database.audited.append(self.remember)
        metrics.AUDIT_REFUSALS_LOST.labels(database.service)  # there from the start, so that the first one is an increase

    def remember(self, regency: str | None) -> None:
        """Seal what a regency (``None``: the platform) has, when its turn comes."""
        self._written.add(regency or PLATFORM)

    def run(self) -> None:
        """Seal until :meth:`stop`; never raises."""
        while not self._wait(SEAL_SECONDS):
            self.round()
        self.round(last=True)
        self.finished.set()

    def stop(self) -> None:
        """Seal once more what is known to wait, and end."""
        self._stopping.set()

    def round(self, *, last: bool = False) -> None:
        """Seal every regency that was written to, and look at some others."""
        others = [] if last else self._others()
        written, self._written = self._written, set()
        self._waiting += sorted(written.difference(self._waiting))
        turns = len(self._waiting) if last else SEALED_IN_A_ROUND
        chosen, self._waiting = self._waiting[:turns], self._waiting[turns:]
        left = {name for name in chosen if not self._sealed(name, self._how_far_back(name))}
        for name in others:
            if not self._sealed(name, LATEST_ROWS):
                left.add(name)
            time.sleep(0)  # let others run in between
        self._written |= left
        self._measure(bool(left))

    def _how_far_back(self, name: str) -> int:
        now = time.monotonic()
        if now - self._looked_back_at.get(name, -LATER_SECONDS) < LATER_SECONDS:
            return LATE_ROWS
        self._looked_back_at[name] = now
        return LATER_ROWS

    def _measure(self, behind: bool) -> None:
        if not behind:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = time.monotonic()
        age = 0.0 if self._behind_since is None else time.monotonic() - self._behind_since
        metrics.AUDIT_UNSEALED_AGE.labels(self._database.service).set(age)

    def _others(self) -> Iterable[str]:
        if time.monotonic() >= self._look_again_at:
            try:
                self._to_look_at = [PLATFORM, *self._database.regencies()]
            except Unavailable:
                return []
            self._look_again_at = time.monotonic() + LOOK_AGAIN_SECONDS
        chosen, self._to_look_at = self._to_look_at[:LOOKS_IN_A_ROUND], self._to_look_at[LOOKS_IN_A_ROUND:]
        return chosen

    def _sealed(self, name: str, late: int) -> bool:
        """Seal all that there is of one log; ``False`` when it has to be looked at again."""
        try:
            while (done := self._seal_batch(name, late)) is not None:
                sealed, newest = done
                metrics.AUDIT_SEALED.labels(self._database.service).inc(sealed)
                if sealed:
                    self._tell(name, newest)
                if sealed < BATCH:
                    return True
        except Unavailable:
            return False
        except DomainError:
            return True  # the regency is gone
        except Exception as error:  # noqa: BLE001  (a regency that is behind its migrations, say; the others go on)
            log.error("audit_not_sealed", service=self._database.service, regency=name, reason=type(error).__name__)
        return False

    def _seal_batch(self, name: str, late: int) -> tuple[int, Head] | None:
        database = self._database
        if name != PLATFORM:
            with database.regency_work(name, timeout=30.0, plan_once=True) as unit:
                return seal(unit, name, database.service, late)
        with database.platform_work(timeout=30.0) as work:
            return seal(work, PLATFORM, database.service, late)

    def _tell(self, name: str, newest: Head) -> None:
        now = time.monotonic()
        if now - self._told_at.get(name, -TOLD_SECONDS) >= TOLD_SECONDS:
            self._told_at[name] = now
            told: dict[str, Any] = {"sequence": newest.sequence, "hash": newest.hash.hex()}
            log.info("audit_sealed", service=self._database.service, regency=name, **told)
