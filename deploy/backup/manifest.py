"""What an archive says about itself: which regencies, of which moment, in which form, with a checksum of every table.

Written last, as ``manifest.json``. Times are UTC. Names of tables and columns in it are compared with those of the schema
before any of them is used.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self

from deploy.backup.failure import BackupError
from services.chassis.errors import DomainError
from services.chassis.revisions import Revisions
from services.chassis.settings import SERVICES
from services.chassis.tenancy import checked_slug

FORMAT = 1
"""Raised when an older program could not read it any more."""

NAME = "manifest.json"
_REVISION = re.compile(r"[0-9]{4}")


@dataclass(frozen=True)
class StoredTable:
    """The rows of one table, as PostgreSQL's COPY writes them, in one member of the archive."""

    member: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str

    @classmethod
    def read(cls, told: dict[str, Any]) -> Self:
        """Take over what the manifest says."""
        columns = tuple(str(column) for column in told["columns"])
        return cls(str(told["member"]), columns, int(told["rows"]), int(told["bytes"]), str(told["sha256"]))


@dataclass
class StoredSchema:
    """One regency in one service."""

    at: datetime
    facts: dict[str, Any]
    revisions: Revisions
    months: list[date] = field(default_factory=list)
    """Of the event log's partitions."""
    heads: dict[str, int] = field(default_factory=dict)
    """Last number of each stream."""
    sequences: dict[str, int] = field(default_factory=dict)
    """Last value of each sequence that was ever asked."""
    tables: dict[str, StoredTable] = field(default_factory=dict)
    audit_head: tuple[int, str] | None = None
    """Newest link of the audit log's chain, an anchor for `mpp audit verify`; ``None`` in backups of older releases."""

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables.values())

    def told(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "at": self.at.isoformat(),
            "facts": self.facts,
            "revisions": asdict(self.revisions),
            "months": [month.isoformat() for month in self.months],
            "heads": self.heads,
            "sequences": self.sequences,
            "tables": {name: asdict(table) for name, table in self.tables.items()},
            "audit_head": None if self.audit_head is None else {"sequence": self.audit_head[0], "hash": self.audit_head[1]},
        }

    @classmethod
    def read(cls, told: dict[str, Any]) -> Self:
        """Take over what the manifest says."""
        head = told.get("audit_head")
        revisions = Revisions(told["revisions"]["chassis"], told["revisions"]["service"])
        if not (_REVISION.fullmatch(revisions.chassis) and _REVISION.fullmatch(revisions.service)):
            raise ValueError("no revision")
        return cls(
            datetime.fromisoformat(told["at"]).astimezone(UTC),
            dict(told["facts"]),
            revisions,
            [date.fromisoformat(month) for month in told["months"]],
            {str(source): int(sequence) for source, sequence in told["heads"].items()},
            {str(name): int(value) for name, value in told["sequences"].items()},
            {str(name): StoredTable.read(table) for name, table in told["tables"].items()},
            None if head is None else (int(head["sequence"]), str(head["hash"])),
        )


@dataclass
class Manifest:
    """The contents of one archive."""

    release: str
    begun_at: datetime
    regencies: dict[str, dict[str, StoredSchema]] = field(default_factory=dict)
    """By slug and service."""
    platform: dict[str, dict[str, StoredTable]] = field(default_factory=dict)
    """Tables that belong to no regency, by service; only in a backup of everything."""
    failed: dict[str, str] = field(default_factory=dict)
    """Regencies that should be in it and are not, with the reason."""

    def told(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "format": FORMAT,
            "release": self.release,
            "begun_at": self.begun_at.isoformat(),
            "regencies": {slug: {name: each.told() for name, each in parts.items()} for slug, parts in self.regencies.items()},
            "platform": {service: {name: asdict(table) for name, table in tables.items()} for service, tables in self.platform.items()},
            "failed": self.failed,
        }

    @classmethod
    def read(cls, told: Any) -> Self:
        """Take over what an archive says of itself.

        :raises BackupError: it is none of ours, or of a newer release.
        """
        try:
            if told["format"] != FORMAT:
                raise BackupError(f"This archive has format {told['format']}, this program reads {FORMAT}: use the release that made it.")
            manifest = cls(str(told["release"]), datetime.fromisoformat(told["begun_at"]).astimezone(UTC), failed=dict(told["failed"]))
            for slug, parts in told["regencies"].items():
                manifest.regencies[checked_slug(slug)] = {name: StoredSchema.read(each) for name, each in parts.items()}
                if set(parts) != set(SERVICES):
                    raise ValueError(f"{slug} lacks services")
            for service, tables in told["platform"].items():
                manifest.platform[service] = {str(name): StoredTable.read(table) for name, table in tables.items()}
        except (KeyError, TypeError, ValueError, AttributeError, DomainError) as error:
            raise BackupError(f"The archive's manifest cannot be read ({type(error).__name__}): the archive is damaged.") from error
        return manifest

    def all_tables(self) -> list[StoredTable]:
        """Return every table of the archive."""
        of_regencies = [table for parts in self.regencies.values() for each in parts.values() for table in each.tables.values()]
        return of_regencies + [table for tables in self.platform.values() for table in tables.values()]
