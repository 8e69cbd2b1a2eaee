"""The rules of each kind, with what they need to know about other entities."""

from collections.abc import Callable, Mapping, Sequence

from services.catalog import domain
from services.catalog.domain import Entity
from services.catalog.store import entities as store
from services.catalog.store import references
from services.chassis.database import UnitOfWork


def check(work: UnitOfWork, kind: str, entity: Entity) -> None:
    """Raise `CatalogError` when the entity, new or changed, breaks a rule of the catalogue."""
    RULES[kind](work, entity)


def check_regency(work: UnitOfWork, regency: Entity) -> None:
    if regency["id"] != work.regency:
        raise domain.invalid("id", "another_regency", "Must be {regency}.", regency=work.regency)


def check_site(work: UnitOfWork, site: Entity) -> None:
    domain.check_site(site)


def check_agency(work: UnitOfWork, agency: Entity) -> None:
    sites = [presence["site"] for presence in agency["presences"]]
    require(work, "presences", "site", sites)
    domain.check_agency(agency, references.prefixes_at(work, sites), references.counters_needing(work, agency["id"]))


def check_service(work: UnitOfWork, service: Entity) -> None:
    require(work, "agency", "agency", [service["agency"]])
    domain.check_service(service)
    require(work, "prerequisites", "service", service["prerequisites"])


def check_counter(work: UnitOfWork, counter: Entity) -> None:
    require(work, "site", "site", [counter["site"]])
    if counter["agency"] is not None:
        require(work, "agency", "agency", [counter["agency"]])
    offered = references.agencies_of_services(work, counter["services"])
    domain.check_counter(counter, references.agencies_at(work, counter["site"]), offered)


def check_hours(work: UnitOfWork, entry: Entity) -> None:
    require(work, "site", "site", [entry["site"]] if entry["site"] else [])
    require(work, "agency", "agency", [entry["agency"]] if entry["agency"] else [])
    present = None
    if entry["site"] and entry["agency"]:
        present = entry["agency"] in references.agencies_at(work, entry["site"])
    domain.check_hours(entry, present)


def check_account(work: UnitOfWork, account: Entity) -> None:
    domain.check_username(account["id"], work.regency)
    require(work, "agencies", "agency", account["agencies"] or [])
    require(work, "counters", "counter", account["counters"] or [])
    domain.check_account(account)


def check_device(work: UnitOfWork, device: Entity) -> None:
    domain.check_username(device["id"], work.regency)
    if device["site"] is not None:
        require(work, "site", "site", [device["site"]])


def require(work: UnitOfWork, field: str, kind: str, ids: Sequence[str]) -> None:
    """Refuse when `field` names entities of `kind` that do not exist."""
    missing = set(ids) - store.existing(work, kind, ids)
    if missing:
        raise domain.missing_reference(field, kind, missing)


RULES: Mapping[str, Callable[[UnitOfWork, Entity], None]] = {
    "regency": check_regency,
    "site": check_site,
    "agency": check_agency,
    "service": check_service,
    "counter": check_counter,
    "hours": check_hours,
    "account": check_account,
    "device": check_device,
}
