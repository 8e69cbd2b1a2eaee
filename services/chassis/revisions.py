"""How far the schemas are: the revisions that this program's migration folders end with.

Migrations are backward compatible, so a schema may be ahead of a program, never behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

CHASSIS_MIGRATIONS = Path(__file__).parent / "migrations"

NONE = "0000"
"""Before the first migration."""


@dataclass(frozen=True)
class Revisions:
    """The newest revisions of one kind of schema: the chassis's part of it and the service's own."""

    chassis: str
    service: str


@dataclass(frozen=True)
class NeededRevisions:
    """What a program of one service needs in the schema ``platform`` and in every regency's schema."""

    platform: Revisions
    regency: Revisions

    @classmethod
    def of(cls, migrations: Path | None) -> Self:
        """Read the folders; ``migrations`` is the service's own, ``None`` for a reader that uses no table of it."""
        return cls(
            *(Revisions(_newest(CHASSIS_MIGRATIONS / kind), _newest(migrations and migrations / kind)) for kind in ("platform", "regency"))
        )


def _newest(folder: Path | None) -> str:
    """Return the highest revision in a folder; files are named ``0001_what_it_does.py``."""
    return max((file.name[:4] for file in folder.glob("[0-9]*.py")), default=NONE) if folder is not None else NONE
