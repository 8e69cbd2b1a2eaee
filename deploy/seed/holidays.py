"""National holidays and joint leave that come along (`deploy/data/holidays`), as entries of special hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from deploy.seed.places import Place, read_yaml
from deploy.seed.regency_files import DATA
from services.contracts.catalog import CreateHours
from services.contracts.schema import PayloadInvalid

FOLDER = DATA / "holidays"
BASES = ("decreed", "forecast")
"""Whether a date stands in the joint decree, or was calculated until there is one."""

Entry = dict[str, Any]


def years(folder: Path = FOLDER) -> list[int]:
    """The years that come along, oldest first."""
    return sorted(int(file.stem) for file in folder.glob("*.yaml"))


def holidays(wanted: Iterable[int] | None = None, folder: Path = FOLDER) -> list[Entry]:
    """The entries of these years, or of all that come along; raises `SeedError` for a year or a line that is wrong."""
    return [entry for year in (years(folder) if wanted is None else wanted) for entry, _ in of_year(year, folder)]


def of_year(year: int, folder: Path = FOLDER) -> list[tuple[Entry, str]]:
    """The entries of one year, each with its basis; raises `SeedError`."""
    file = folder / f"{year}.yaml"
    if not file.is_file():
        raise Place(file.name).error(f"no holidays of {year} come along; there are {', '.join(map(str, years(folder)))}")
    place = Place(file.name)
    days = place.mapping(read_yaml(file), ("days",))["days"]
    return [_entry(where, raw) for where, raw in place["days"].items(days)]


def _entry(place: Place, raw: Any) -> tuple[Entry, str]:
    line = place.mapping(raw, ("id", "name", "kind", "from", "to", "basis"), ("hours", "active"))
    if line["basis"] not in BASES:
        raise place["basis"].error(f"must be one of {', '.join(BASES)}")
    entry = {name: str(value) if isinstance(value, date) else value for name, value in line.items() if name != "basis"}
    try:
        return CreateHours().load(entry), line["basis"]
    except PayloadInvalid as error:
        first = error.details["errors"][0]
        raise place[first["field"]].error(first["message"]) from error


def with_holidays(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a regency with the holidays of all years that come along; an entry that it has itself counts."""
    own = document.get("hours", [])
    known = {entry["id"] for entry in own}
    return {**document, "hours": [*own, *(entry for entry in holidays() if entry["id"] not in known)]}


def holidays_only(regency: Mapping[str, Any], wanted: Iterable[int] | None) -> dict[str, Any]:
    """A document that says nothing of a regency but its holidays of these years."""
    nothing: dict[str, Any] = {kind: [] for kind in ("sites", "agencies", "services", "counters")}
    return {"regency": dict(regency), **nothing, "hours": holidays(wanted)}
