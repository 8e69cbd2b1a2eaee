"""Rules of the catalogue: plain functions over entities, without I/O.

An entity is a dictionary in the shape of its contract (`services.contracts.catalog`), e.g. a site `{"id": "sukadana",
"name": ..., "hours": ...}`. The contract has made sure of every field by itself (types, lengths, opening hours in
order, ids that follow from other fields); here are the rules between fields and between entities. They raise
`CatalogError` with a published problem code.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Entity = dict[str, Any]

PLATFORM = "platform"
PASSWORD_MINIMUM = 8


class CatalogError(Exception):
    """A rule refused the command; `code` is stable and published, `details` name what stands in the way."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(f"{code}: {details}" if details else code)
        self.code = code
        self.details = details


def invalid(field: str, rule: str, message: str, **parameters: Any) -> CatalogError:
    """The value of `field` (path in the payload) breaks `rule`; `message` is its English text, `parameters` are the values in it."""
    error = {"field": field, "rule": rule, "parameters": parameters, "message": message.format(**parameters)}
    return CatalogError("payload_invalid", errors=[error])


def missing_reference(field: str, kind: str, ids: Iterable[str]) -> CatalogError:
    """`field` names entities of `kind` that do not exist in this regency."""
    return CatalogError("reference_unknown", field=field, kind=kind, missing=sorted(ids))


def canonical(kind: str, entity: Entity) -> Entity:
    """The entity with its sets in the order in which they are stored, so that equal entities compare equal."""
    if kind == "agency":
        return {**entity, "presences": sorted(entity["presences"], key=lambda presence: str(presence["site"]))}
    if kind == "counter":
        return {**entity, "services": sorted(entity["services"])}
    return entity


def check_version(current: Entity, if_match: int | None) -> None:
    """Refuse with `version_conflict` when the caller has seen another version than the current one."""
    if if_match is not None and if_match != current["version"]:
        raise CatalogError("version_conflict", id=current["id"], current_version=current["version"])


def check_site(site: Entity) -> None:
    """Only a site that has opening hours can enforce them; else it would be closed for ever."""
    if site["enforce_hours"] and not any(site["hours"].values()):
        raise invalid("enforce_hours", "enforced_hours_missing", "Needs opening hours on at least one day.")


def check_service(service: Entity) -> None:
    """A service does not come before itself. Longer circles show when somebody wants all of them in one visit."""
    if service["id"] in service["prerequisites"]:
        raise invalid("prerequisites", "requires_itself", "A service must not require itself.")


def check_agency(agency: Entity, taken: Mapping[tuple[str, str], str], counters: Mapping[str, Iterable[str]]) -> None:
    """An agency is present at most once at a site, with a prefix that no other agency uses there.

    `taken`: (site, prefix) -> agency of the regency. `counters`: site -> counters that belong to this agency or serve
    one of its services; it stays present where there are some.
    """
    present: set[str] = set()
    for index, presence in enumerate(agency["presences"]):
        site, prefix = presence["site"], presence["prefix"]
        if site in present:
            raise invalid(f"presences.{index}.site", "presence_repeated", "The agency stands twice at {site}.", site=site)
        present.add(site)
        holder = taken.get((site, prefix))
        if holder is not None and holder != agency["id"]:
            raise CatalogError("prefix_taken", site=site, prefix=prefix, agency=holder)
    for site, ids in counters.items():
        if site not in present:
            raise CatalogError("in_use", field="presences", site=site, users=sorted(ids))


def check_counter(counter: Entity, present: Iterable[str], offered: Mapping[str, str]) -> None:
    """A counter serves what its site offers, and, when it belongs to an agency, only that agency's services.

    `present`: agencies present at the site. `offered`: public service -> its agency, for the counter's services that
    exist.
    """
    agency, site, at_site = counter["agency"], counter["site"], set(present)
    absent = "The agency {agency} is not present at {site}."
    if agency is not None and agency not in at_site:
        raise invalid("agency", "agency_absent", absent, agency=agency, site=site)
    unknown = set(counter["services"]) - offered.keys()
    if unknown:
        raise missing_reference("services", "service", unknown)
    for index, service in enumerate(counter["services"]):
        field, owner = f"services.{index}", offered[service]
        if agency is not None and owner != agency:
            text = "Belongs to {owner}, the counter to {agency}."
            raise invalid(field, "service_of_other_agency", text, owner=owner, agency=agency)
        if owner not in at_site:
            raise invalid(field, "agency_absent", absent, agency=owner, site=site)


def check_hours(entry: Entity, present: bool | None) -> None:
    """Special hours begin before they end, and those of an agency at a site are of one that is there.

    A change of one end is seen here only: the contract knows the fields of one command.

    :param present: whether the agency stands at the site; None where the entry does not name both.
    """
    if entry["to"] < entry["from"]:
        raise invalid("to", "ends_before_it_begins", "The last day must not be before the first.")
    if present is False:
        text = "The agency {agency} is not present at {site}."
        raise invalid("agency", "agency_absent", text, agency=entry["agency"], site=entry["site"])


def regency_of(username: str) -> str | None:
    """The regency (or `platform`) that a username names after its only `@`; None when it names none."""
    name, _, regency = username.partition("@")
    return regency if name and regency and "@" not in regency else None


def check_username(username: str, regency: str) -> None:
    """Usernames are `<name>@<regency>`, so that signing in needs no second field."""
    if regency_of(username) != regency:
        raise invalid("id", "username_of_another_regency", "Must end with @{regency}.", regency=regency)


def check_password(password: str, username: str) -> None:
    """Length counts, composition does not (NIST SP 800-63B): at least 8 characters, and not the username itself."""
    if len(password) < PASSWORD_MINIMUM:
        raise invalid("password", "too_short", "Must have at least {min} characters.", min=PASSWORD_MINIMUM)
    if password.casefold() in {username.casefold(), username.partition("@")[0].casefold()}:
        raise invalid("password", "password_is_username", "Must differ from the username.")
