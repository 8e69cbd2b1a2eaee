"""The chain over an audit log: each row's hash is taken over the row and the hash of the row before.

Whoever changes, removes or adds a row afterwards breaks it. Whoever has the database's own rights can make the whole
chain anew: that shows against an *anchor*, a number and hash that somebody else has kept (a backup, a log, a paper).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.chassis.database import UnitOfWork, Work

PLATFORM = "platform"
"""Stands for the regency in rows of what belongs to none."""

BEGINNING = bytes(32)
"""What the first row of a chain has for the hash of the row before."""

PAGE = 1000

COLUMNS = (
    *("id", "at", "actor", "role", "action", "kind", "subject", "site", "agency", "counter"),
    *("before", "after", "refused", "command_id", "client", "traceparent"),
)
"""Of a row; the hash covers all of them."""

_HEAD = sa.text("SELECT sequence, hash FROM audit_seal ORDER BY sequence DESC LIMIT 1")
_CUT = sa.text("SELECT sequence, hash, cut_at FROM audit_cut ORDER BY sequence DESC LIMIT 1")
_HASH_AT = sa.text("SELECT hash FROM audit_seal WHERE sequence = :sequence")
_LINKS = sa.text("""
    SELECT s.sequence, s.hash, a.id, a.at, a.actor, a.role, a.action, a.kind, a.subject, a.site, a.agency,
        a.counter, a.before, a.after, a.refused, a.command_id, a.client, a.traceparent
    FROM audit_seal s LEFT JOIN audit_log a ON a.id = s.entry
    WHERE s.sequence > :after ORDER BY s.sequence LIMIT :limit
""")
_EXTENT = sa.text("""
    SELECT (SELECT count(*) FROM audit_seal) AS sealed,
        (SELECT count(*) FROM audit_log a WHERE NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.entry = a.id)) AS unsealed
""")
_RESTORES = sa.text("SELECT at FROM audit_log WHERE action = 'restore' ORDER BY at")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link of a chain; ``sequence`` 0 and :data:`BEGINNING` when there is none."""

    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link that was kept elsewhere."""

    regency: str
    service: str
    sequence: int
    hash: str


@dataclass
class Report:
    """What is to be said of one chain."""

    rows: int = 0
    first: int | None = None
    head: Head = Head(0, BEGINNING)
    unsealed: int = 0
    """Rows that were written within the last seconds, or that the sealer has not come to."""
    first_at: datetime | None = None
    last_at: datetime | None = None
    cut_before: int = 0
    """Up to this number rows were removed when their time was over."""
    restores: list[datetime] = field(default_factory=list)
    broken: str | None = None
    """Where and how the chain is broken, or why it is not the one of the anchor."""


def place_of(work: Work) -> tuple[str, str]:
    """Return regency and service of the audit log that a transaction sees."""
    return (work.regency, work.service) if isinstance(work, UnitOfWork) else (PLATFORM, "")


def link(regency: str, service: str, sequence: int, previous: bytes, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as the chain holds it, and as it is exported."""
    told = {name: row[name] for name in COLUMNS}
    at = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return {**told, "at": at, "regency": regency, "service": service, "sequence": sequence, "previous": previous.hex()}


def hash_of(linked: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of a row's canonical JSON: members in order of their names, no spaces, UTF-8."""
    return hashlib.sha256(json.dumps(linked, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).digest()


def head(work: Work) -> Head:
    """Return the newest link; of a chain that was cut away as a whole the last that was."""
    row = work.execute(_HEAD).first() or work.execute(_CUT).first()
    return Head(0, BEGINNING) if row is None else Head(row.sequence, bytes(row.hash))


def beginning(work: Work) -> Head:
    """Return what the oldest row that is kept follows."""
    row = work.execute(_CUT).first()
    return Head(0, BEGINNING) if row is None else Head(row.sequence, bytes(row.hash))


def verify(work: Work, service: str, walked: Callable[[int], None] = lambda rows: None) -> Report:
    """Walk one chain from its beginning and say whether every row is as it was sealed.

    :param walked: is told how many rows more were looked at.
    """
    regency = place_of(work)[0]
    before = beginning(work)
    report = Report(cut_before=before.sequence, head=before, restores=list(work.execute(_RESTORES).scalars()))
    report.unsealed = work.execute(_EXTENT).one().unsealed
    while report.broken is None and (rows := work.execute(_LINKS, {"after": report.head.sequence, "limit": PAGE}).mappings().all()):
        for row in rows:
            report.broken = _follow(report, regency, service, dict(row))
            if report.broken is not None:
                break
        walked(len(rows))
    return report


def extent(work: Work) -> int:
    """Return how many rows a walk along the chain will look at."""
    return int(work.execute(_EXTENT).one().sealed)


def _follow(report: Report, regency: str, service: str, row: Mapping[str, Any]) -> str | None:
    expected = report.head.sequence + 1
    if row["sequence"] != expected:
        return f"row {expected} is missing"
    if row["id"] is None:
        return f"row {expected} was removed from the log"
    computed = hash_of(link(regency, service, expected, report.head.hash, row))
    if computed != bytes(row["hash"]):
        return f"row {expected} of {row['at'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC is not what was sealed, or follows another row"
    report.head = Head(expected, computed)
    report.rows += 1
    report.first = report.first or expected
    report.first_at, report.last_at = report.first_at or row["at"], row["at"]
    return None


def compare(work: Work, report: Report, anchor: Anchor) -> str | None:
    """Return what is wrong with a chain that was walked, by an anchor that was kept elsewhere; ``None``: nothing."""
    if anchor.sequence > report.head.sequence:
        return f"ends at {report.head.sequence}, but an anchor knows row {anchor.sequence}: rows were cut off or the database was restored"
    if anchor.sequence < report.cut_before or anchor.sequence == 0:
        return None  # older than all that is kept
    found = beginning(work).hash if anchor.sequence == report.cut_before else work.execute(_HASH_AT, {"sequence": anchor.sequence}).scalar()
    if found is None or bytes(found).hex() != anchor.hash:
        return f"row {anchor.sequence} has another hash than the anchor: the chain was made anew or the database was restored"
    return None
