"""What the catalogue knows: regency, site, agency, public service, counter, as it answers and publishes them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from marshmallow import ValidationError, validates_schema

from services.contracts.field_rules import Message
from services.contracts.paging import items_of, next_cursor
from services.contracts.schema import Choice, ContractSchema, ListOf, Part, PlainText, TrueOrFalse, WholeNumber
from services.contracts.values import (
    AgencyCode,
    ClosingTime,
    CounterId,
    LocalTime,
    PartialDate,
    Prefix,
    RegencyCode,
    ServiceCode,
    ServiceId,
    Slug,
    TimeZone,
)

STAGES = ("planned", "soft_opening", "trial", "verified", "inaugurated")
"""Life of a site (Perpres 89/2021)."""

CHANNELS = ("kiosk", "web", "front_desk")
AGENCY_KINDS = ("regency", "vertical", "enterprise", "small_business")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

MOST_VERSIONS = 2**31 - 1
MOST_COUNTERS = 999
MOST_PREREQUISITES = 20
MOST_MINUTES = 525_600
"""A promised time is at most a year."""


def version(**options: Any) -> WholeNumber:
    """Counts the changes of an object, from 1; a reader keeps what has the higher version."""
    return WholeNumber(1, MOST_VERSIONS, about="Counts the changes of this object, from 1.", **options)


def if_match() -> WholeNumber:
    """The version that the caller has seen; with another one the command is refused (``version_conflict``)."""
    return WholeNumber(1, MOST_VERSIONS, about="The version seen by the caller; refused when the object has another.")


class Regency(ContractSchema):
    """A regency (kabupaten), the tenant."""

    id = Slug(required=True)
    code = RegencyCode(required=True)
    name = PlainText(100, required=True)
    province = PlainText(100, required=True)
    timezone = TimeZone(required=True)
    capital = PlainText(100, required=True)


class OpeningPeriod(ContractSchema):
    """Open from `open` to `close`, local time of the site, within one day."""

    open = LocalTime(required=True)
    close = ClosingTime(required=True)

    @validates_schema
    def _closes_after_opening(self, data: dict[str, Any], **_: Any) -> None:
        if data["close"] <= data["open"]:
            raise ValidationError([Message("closes_before_opening")], "close")


def _day() -> ListOf:
    return ListOf(Part(OpeningPeriod), most=6)


class WeeklyHours(ContractSchema):
    """Opening periods by day of the week; closed on a day that is left out."""

    monday = _day()
    tuesday = _day()
    wednesday = _day()
    thursday = _day()
    friday = _day()
    saturday = _day()
    sunday = _day()

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        wrong = {}
        for day, periods in data.items():
            if any(after["open"] < before["close"] for before, after in pairwise(periods)):
                wrong[day] = [Message("overlapping_hours")]
        if wrong:
            raise ValidationError(wrong)


class QueuePolicy(ContractSchema):
    """How counters of a site call, and how long it keeps what citizens say of themselves."""

    call_while_serving = TrueOrFalse(required=True, about="A counter may call the next ticket while it serves one.")
    max_recalls = WholeNumber(0, 20, required=True, about="So often a called ticket may be called again.")
    recall_gap_seconds = WholeNumber(0, 600, load_default=0, about="At least so long between two calls of a ticket.")
    undo_call_seconds = WholeNumber(0, 600, load_default=60, about="So long after a call it can be undone as a misclick.")
    regular_per_priority = WholeNumber(
        0, 20, load_default=0, about="So many regular calls follow each priority call while both lanes wait; 0: priority always first."
    )
    ageing_cap_minutes = WholeNumber(
        1, 1440, allow_none=True, load_default=None, about="Who has waited so long is overtaken by nobody of the other lane; null: no cap."
    )
    max_rejoins = WholeNumber(0, 20, load_default=1, about="So often who did not come when called may join the queue again.")
    one_ticket_per_person = TrueOrFalse(
        load_default=True, about="Whoever gives a NIK may wait once for a service on a day; nothing is known of who gives none."
    )
    personal_data_days = WholeNumber(
        1, 365, load_default=30, about="So many days after the visit NIK and telephone number are erased (complaints: 30 days, UU 25/2009)."
    )


def usual_policy() -> dict[str, Any]:
    """Return the policy of a site that has not said anything."""
    policy: dict[str, Any] = QueuePolicy().load({"call_while_serving": False, "max_recalls": 3})
    return policy


class Milestone(ContractSchema):
    """A site reached `stage`, or plans to reach it, at `date`."""

    stage = Choice(*STAGES, required=True)
    date = PartialDate(required=True)
    planned = TrueOrFalse(load_default=False)


class Agreement(ContractSchema):
    """A memorandum (MoU) or cooperation agreement (PKS) with `agencies`; none named: with all of the site."""

    kind = Choice("MoU", "PKS", required=True)
    signed = PartialDate(required=True)
    expires = PartialDate(allow_none=True)
    phase = WholeNumber(1, 100, allow_none=True)
    agencies = ListOf(AgencyCode(), most=200, unique=True)


class Site(ContractSchema):
    """A building of the mall (MPP) with everything that ticketing needs to know of it."""

    id = Slug(required=True)
    name = PlainText(200, required=True)
    address = PlainText(500, required=True, allow_none=True)
    timezone = TimeZone(required=True, about="Its local date is the business date.")
    stage = Choice(*STAGES, required=True)
    accepting = TrueOrFalse(required=True, about="Numbers are issued here.")
    enforce_hours = TrueOrFalse(required=True, about="Numbers are issued within `hours` only.")
    channels = ListOf(Choice(*CHANNELS), most=3, unique=True, required=True, about="Who may issue numbers here.")
    hours = Part(WeeklyHours, required=True)
    policy = Part(QueuePolicy, required=True)
    milestones = ListOf(Part(Milestone), most=50, required=True)
    agreements = ListOf(Part(Agreement), most=200, required=True)
    version = version(required=True)


class Presence(ContractSchema):
    """An agency is present at `site`; its numbers there begin with `prefix`."""

    site = Slug(required=True)
    prefix = Prefix(required=True)
    hours = Part(WeeklyHours, allow_none=True, load_default=None, about="When the agency is there; null: as long as the site is open.")


class Agency(ContractSchema):
    """An agency (instansi) and the sites at which it is present."""

    id = AgencyCode(required=True)
    name = PlainText(200, required=True)
    kind = Choice(*AGENCY_KINDS, required=True)
    presences = ListOf(Part(Presence), most=100, required=True)
    version = version(required=True)


class PublicService(ContractSchema):
    """A public service (layanan) of an agency, offered at every site where the agency is present."""

    id = ServiceId(required=True)
    agency = AgencyCode(required=True)
    code = ServiceCode(required=True)
    name = PlainText(200, required=True)
    requirements = ListOf(PlainText(500), most=50, required=True, about="What the citizen has to bring.")
    prerequisites = ListOf(
        ServiceId(), most=MOST_PREREQUISITES, unique=True, load_default=list, about="Come before it where a visit has several services."
    )
    default = TrueOrFalse(required=True, about="Stands in for an agency that has published no service.")
    promised_minutes = WholeNumber(1, MOST_MINUTES, required=True, allow_none=True)
    active = TrueOrFalse(required=True)
    version = version(required=True)


class Counter(ContractSchema):
    """A counter (loket) and the public services it serves; without `agency` it is shared by several."""

    id = CounterId(required=True)
    site = Slug(required=True)
    number = WholeNumber(1, MOST_COUNTERS, required=True)
    name = PlainText(100, required=True)
    agency = AgencyCode(required=True, allow_none=True)
    services = ListOf(ServiceId(), most=500, unique=True, required=True)
    active = TrueOrFalse(required=True)
    version = version(required=True)


class RegencyList(ContractSchema):
    """All regencies of the platform."""

    items = ListOf(Part(Regency), most=1000, required=True)


class SitePage(ContractSchema):
    """A page of sites."""

    items = items_of(Site)
    next_cursor = next_cursor()


class AgencyPage(ContractSchema):
    """A page of agencies."""

    items = items_of(Agency)
    next_cursor = next_cursor()


class ServicePage(ContractSchema):
    """A page of public services."""

    items = items_of(PublicService)
    next_cursor = next_cursor()


class CounterPage(ContractSchema):
    """A page of counters."""

    items = items_of(Counter)
    next_cursor = next_cursor()
