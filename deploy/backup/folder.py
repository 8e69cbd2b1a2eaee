"""Where backups are kept: their names, and how many."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

SUFFIX = ".mpp.zip"
EVERYTHING = "all"


def name_of(what: str, now: datetime) -> str:
    """Return the name of an archive: names of one kind sort by time."""
    return f"{_prefix(what)}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}{SUFFIX}"


def old_ones(folder: Path, what: str, keep: int) -> list[Path]:
    """Return the archives of one kind that are older than the newest ``keep``."""
    stamp = "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z"
    return sorted(folder.glob(f"{_prefix(what)}{stamp}{SUFFIX}"))[:-keep]


def _prefix(what: str) -> str:
    return f"mpp-{what}-"
