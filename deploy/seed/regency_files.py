"""One YAML file per regency, turned into the document that the catalogue loads.

A file describes a regency the way people speak of it: sites with their agencies in the order of the counters. What it
leaves out follows from these rules:

- An agency without a published service offers one: `INF`, `Informasi dan Konsultasi`, marked as a default.
- Counters are numbered in the order of the agencies, one for each, serving that agency's services; with
  `shared_counters: true` every counter serves every service of the site and belongs to no agency.
- A site has its regency's time zone, takes numbers over every channel, and is closed on days that `hours` does not
  name.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from deploy.seed.places import Place, SeedError, read_yaml
from services.contracts.catalog import RegencyDocument
from services.contracts.schema import PayloadInvalid

DATA = Path(__file__).parent.parent / "data"
"""The five regencies that come with the platform."""

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DEFAULT_SERVICE = {"code": "INF", "name": "Informasi dan Konsultasi", "default": True}
CHANNELS = ["kiosk", "web", "front_desk"]

# Fields of the document (kind, field) that a file calls otherwise.
WRITTEN_AS = {
    ("regency", "id"): "slug",
    ("sites", "id"): "slug",
    ("sites", "agencies"): "with",
    ("agencies", "id"): "code",
    ("services", "id"): "code",
}

Document = dict[str, Any]


def documents(folder: Path = DATA) -> list[Document]:
    """The documents of all `*.yaml` files of a folder, by file name; raises `SeedError` for the first that is wrong."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise SeedError(f"{folder}: no .yaml file here. Give the folder that holds the regencies' data.")
    read = [document(file) for file in files]
    seen: dict[str, str] = {}
    for file, each in zip(files, read, strict=True):
        slug = each["regency"]["id"]
        if slug in seen:
            raise SeedError(f"{file.name}: regency.slug: {slug} is described by {seen[slug]} already")
        seen[slug] = file.name
    return read


def document(file: Path) -> Document:
    """The document of one file."""
    normaliser = Normaliser(Place(file.name))
    normalised = normaliser.document(read_yaml(file))
    try:
        loaded: Document = RegencyDocument().load(normalised)
    except PayloadInvalid as error:
        first = error.details["errors"][0]
        raise normaliser.origin(first["field"]).error(first["message"]) from error
    return loaded


@dataclass
class Normaliser:
    """Turns what one file says into lists of entities, and remembers from where in the file each entity came."""

    place: Place
    entities: dict[str, list[Document]] = field(default_factory=lambda: {"sites": [], "agencies": [], "services": [], "counters": []})
    origins: dict[str, Place] = field(init=False)

    def __post_init__(self) -> None:
        self.origins = {"": self.place, "regency": self.place["regency"]}

    def origin(self, path: str) -> Place:
        """The place in the file of a field of the document: `services.3.name` -> `sites.0.agencies.1.services.0.name`."""
        steps = path.split(".")
        known = next(size for size in range(len(steps), -1, -1) if ".".join(steps[:size]) in self.origins)
        place = self.origins[".".join(steps[:known])]
        for step in steps[known:]:
            place = place[WRITTEN_AS.get((steps[0], step), step)]
        return place

    def add(self, kind: str, entity: Document, place: Place) -> Document:
        """Add an entity to the document."""
        self.origins[f"{kind}.{len(self.entities[kind])}"] = place
        self.entities[kind].append(entity)
        return entity

    def document(self, raw: Any) -> Document:
        """The whole file. `evaluations` (grades given by the ministry) are kept in the file, the catalogue has no place for them."""
        top = self.place.mapping(raw, ("regency", "sites"), ("evaluations",))
        names = ("slug", "code", "name", "province", "timezone", "capital")
        regency = self.place["regency"].mapping(top["regency"], names)
        for place, site in self.place["sites"].items(top["sites"]):
            self.site(place, site, regency)
        for agency in self.entities["agencies"]:
            self.default_service(agency)
        for place, site in self.place["sites"].items(top["sites"]):
            self.counters(place, site)
        return {"regency": {"id": regency["slug"], **{name: regency[name] for name in names[1:]}}, **self.entities}

    def site(self, place: Place, raw: Any, regency: Document) -> None:
        """A site with its agencies and their services."""
        copied = ("name", "address", "stage", "accepting", "enforce_hours", "policy")
        others = ("timezone", "channels", "hours", "milestones", "agreements", "shared_counters")
        site = place.mapping(raw, ("slug", "name", "counters", "agencies"), (*copied[1:], *others))
        entity = {"id": site["slug"], **{name: site[name] for name in copied if name in site}}
        entity["timezone"] = site.get("timezone", regency["timezone"])
        entity["channels"] = site.get("channels", CHANNELS)
        entity["hours"] = weekly_hours(place["hours"], site.get("hours"))
        entity["milestones"] = [milestone(*item) for item in place["milestones"].items(site.get("milestones"))]
        entity["agreements"] = [agreement(*item) for item in place["agreements"].items(site.get("agreements"))]
        self.add("sites", entity, place)
        for item in place["agencies"].items(site["agencies"]):
            self.agency(*item, site["slug"])

    def agency(self, place: Place, raw: Any, site: str) -> None:
        """An agency of a site; one that stands at several sites is one agency with several presences."""
        agency = place.mapping(raw, ("code", "prefix", "name", "kind"), ("services",))
        facts = {"id": agency["code"], "name": agency["name"], "kind": agency["kind"]}
        known = next((each for each in self.entities["agencies"] if each["id"] == facts["id"]), None)
        if known is None:
            known = self.add("agencies", {**facts, "presences": []}, place)
        elif any(known[name] != value for name, value in facts.items()):
            raise place["code"].error(f"{facts['id']} has another name or kind at another site")
        position = f"agencies.{self.entities['agencies'].index(known)}.presences.{len(known['presences'])}"
        self.origins[position] = place
        known["presences"].append({"site": site, "prefix": agency["prefix"]})
        ids = {service["id"] for service in self.entities["services"]}
        for where, raw_service in place["services"].items(agency.get("services")):
            service = where.mapping(raw_service, ("code", "name"), ("requirements", "promised_minutes"))
            entity = {"id": f"{facts['id']}-{service['code']}", "agency": facts["id"], **service}
            if entity["id"] in ids:
                raise where["code"].error(f"{service['code']} stands twice under {facts['id']}")
            ids.add(entity["id"])
            self.add("services", entity, where)

    def default_service(self, agency: Document) -> None:
        """Nobody comes in vain: an agency without a published service informs and advises."""
        if not any(service["agency"] == agency["id"] for service in self.entities["services"]):
            service = {"id": f"{agency['id']}-{DEFAULT_SERVICE['code']}", "agency": agency["id"], **DEFAULT_SERVICE}
            self.add("services", service, self.origins[f"agencies.{self.entities['agencies'].index(agency)}"])

    def counters(self, place: Place, site: Document) -> None:
        """The counters of a site, numbered from 1."""
        codes = [agency["code"] for agency in site["agencies"]]
        count = site["counters"]
        if type(count) is not int or count < 1:
            raise place["counters"].error("must be a whole number from 1")
        shared = site.get("shared_counters", False)
        if not shared and count != len(codes):
            raise place["counters"].error(f"must be {len(codes)}, one for each agency, or `shared_counters: true`")
        for index in range(count):
            agencies = codes if shared else [codes[index]]
            services = [service["id"] for service in self.entities["services"] if service["agency"] in agencies]
            counter = {"site": site["slug"], "number": index + 1, "agency": None if shared else codes[index]}
            self.add("counters", {**counter, "services": services}, place["counters"])


def weekly_hours(place: Place, raw: Any) -> Document:
    """`{"monday-thursday": "08:00-16:00", "friday": "08:00-11:30,13:30-16:00"}` by day, each period with `open` and `close`."""
    hours: Document = {}
    if raw is None:
        return hours
    if not isinstance(raw, dict):
        raise place.error("must be a mapping of days to hours")
    for days, text in raw.items():
        for day in days_of(place, days):
            if day in hours:
                raise place[str(days)].error(f"{day} is given twice")
            hours[day] = [period(place[str(days)], part) for part in str(text).split(",")]
    return hours


def days_of(place: Place, name: Any) -> tuple[str, ...]:
    """The days that `friday` or `monday-thursday` names."""
    first, _, last = str(name).partition("-")
    if first not in DAYS or (last or first) not in DAYS or DAYS.index(last or first) < DAYS.index(first):
        raise place[str(name)].error("must be a day or a range such as monday-thursday")
    return DAYS[DAYS.index(first) : DAYS.index(last or first) + 1]


def period(place: Place, text: str) -> Document:
    """`08:00-16:00` as `open` and `close`; the contract checks the times themselves."""
    opens, separator, closes = text.strip().partition("-")
    if not separator:
        raise place.error(f"must be hours such as 08:00-16:00, not {text.strip()}")
    return {"open": opens.strip(), "close": closes.strip()}


def milestone(place: Place, raw: Any) -> Document:
    """A stage that the site reached or plans to reach."""
    given = place.mapping(raw, ("stage", "date"), ("planned",))
    return {**given, "date": partial_date(given["date"])}


def agreement(place: Place, raw: Any) -> Document:
    """An MoU or PKS; `with` names the agencies, all of the site when it is left out."""
    given = dict(place.mapping(raw, ("kind", "signed"), ("expires", "phase", "with")))
    if "with" in given:
        given["agencies"] = given.pop("with")
    return {**given, **{name: partial_date(given[name]) for name in ("signed", "expires") if name in given}}


def partial_date(value: Any) -> Any:
    """YAML reads `2024-12-27` as a date and `2024` as a number; the contract takes both as text."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if type(value) is int else value
