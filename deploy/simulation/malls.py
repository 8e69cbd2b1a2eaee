"""What the catalogue tells of a site that can be played: its counters, who may issue numbers, its hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from deploy.simulation.hours import Hours, hours_of

Entity = Mapping[str, Any]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Desk:
    """A counter and the services it can be called for."""

    id: str
    services: tuple[str, ...]


@dataclass(frozen=True)
class Mall:
    """A site at which a day can be played."""

    regency: str
    site: str
    desks: tuple[Desk, ...]
    channels: tuple[str, ...]
    hours: Hours
    max_recalls: int

    @property
    def path(self) -> str:
        """Beginning of its regency's paths."""
        return f"/v1/{self.regency}"

    @property
    def name(self) -> str:
        """As people at a terminal read it."""
        return f"{self.regency}/{self.site}"


@dataclass(frozen=True)
class Catalogue:
    """The lists of one regency, as the gateway answers them."""

    regency: str
    sites: tuple[Entity, ...]
    agencies: tuple[Entity, ...]
    services: tuple[Entity, ...]
    counters: tuple[Entity, ...]


def malls_of(catalogue: Catalogue, now: datetime | None = None) -> tuple[list[Mall], list[str]]:
    """Return the sites that can be played, and for each other one why not.

    :param now: decides whose weekday's hours are played, each site by its own time zone.
    """
    malls, left_out = [], []
    for site in catalogue.sites:
        desks = _desks(site["id"], catalogue)
        if not site["accepting"]:
            left_out.append(f"{catalogue.regency}/{site['id']} takes no numbers (`accepting` is false)")
        elif not site["channels"]:
            left_out.append(f"{catalogue.regency}/{site['id']} takes no numbers (it has no channel)")
        elif not desks:
            left_out.append(f"{catalogue.regency}/{site['id']} has no active counter with a service")
        else:
            today = (now or datetime.now(UTC)).astimezone(ZoneInfo(site["timezone"])).weekday()
            hours = hours_of(site["hours"], WEEKDAYS[today])
            malls.append(Mall(catalogue.regency, site["id"], desks, tuple(site["channels"]), hours, site["policy"]["max_recalls"]))
    return malls, left_out


def _desks(site: str, catalogue: Catalogue) -> tuple[Desk, ...]:
    """Counters of a site, each with the active services of agencies that are present there."""
    present = {agency["id"] for agency in catalogue.agencies if _is_present(agency["presences"], site)}
    offered = {service["id"] for service in catalogue.services if service["active"] and service["agency"] in present}
    desks = (
        Desk(counter["id"], tuple(sorted(offered.intersection(counter["services"]))))
        for counter in catalogue.counters
        if counter["site"] == site and counter["active"]
    )
    return tuple(sorted((desk for desk in desks if desk.services), key=lambda desk: desk.id))


def _is_present(presences: Iterable[Entity], site: str) -> bool:
    return any(presence["site"] == site for presence in presences)
