"""Commands that change the catalogue. An update changes the fields it names and leaves the others alone."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, post_load, validates_schema

from services.contracts.catalog.entities import (
    AGENCY_KINDS,
    CHANNELS,
    MOST_COUNTERS,
    MOST_MINUTES,
    MOST_PREREQUISITES,
    STAGES,
    Agreement,
    Milestone,
    Presence,
    QueuePolicy,
    WeeklyHours,
    if_match,
    usual_policy,
)
from services.contracts.field_rules import Message
from services.contracts.schema import Choice, ContractSchema, ListOf, Part, PlainText, TrueOrFalse, WholeNumber
from services.contracts.values import AgencyCode, CounterId, ServiceCode, ServiceId, Slug, TimeZone


class CreateSite(ContractSchema):
    """Add a site. It accepts no numbers until somebody says so."""

    id = Slug(required=True)
    name = PlainText(200, required=True)
    address = PlainText(500, allow_none=True, load_default=None)
    timezone = TimeZone(required=True)
    stage = Choice(*STAGES, load_default="planned")
    accepting = TrueOrFalse(load_default=False)
    enforce_hours = TrueOrFalse(load_default=False)
    channels = ListOf(Choice(*CHANNELS), most=3, unique=True, load_default=lambda: ["kiosk", "front_desk"])
    hours = Part(WeeklyHours, load_default=dict)
    policy = Part(QueuePolicy, load_default=usual_policy)
    milestones = ListOf(Part(Milestone), most=50, load_default=list)
    agreements = ListOf(Part(Agreement), most=200, load_default=list)


class UpdateSite(ContractSchema):
    """Change a site; `hours`, `policy` and lists are replaced as a whole."""

    id = Slug(required=True)
    if_match = if_match()
    name = PlainText(200)
    address = PlainText(500, allow_none=True)
    timezone = TimeZone()
    stage = Choice(*STAGES)
    accepting = TrueOrFalse()
    enforce_hours = TrueOrFalse()
    channels = ListOf(Choice(*CHANNELS), most=3, unique=True)
    hours = Part(WeeklyHours)
    policy = Part(QueuePolicy)
    milestones = ListOf(Part(Milestone), most=50)
    agreements = ListOf(Part(Agreement), most=200)


class CreateAgency(ContractSchema):
    """Add an agency and where it is present."""

    id = AgencyCode(required=True)
    name = PlainText(200, required=True)
    kind = Choice(*AGENCY_KINDS, required=True)
    presences = ListOf(Part(Presence), most=100, load_default=list)


class UpdateAgency(ContractSchema):
    """Change an agency; `presences` is replaced as a whole."""

    id = AgencyCode(required=True)
    if_match = if_match()
    name = PlainText(200)
    kind = Choice(*AGENCY_KINDS)
    presences = ListOf(Part(Presence), most=100)


class CreateService(ContractSchema):
    """Add a public service. Its id follows from agency and code; a caller may name it, but no other."""

    id = ServiceId()
    agency = AgencyCode(required=True)
    code = ServiceCode(required=True)
    name = PlainText(200, required=True)
    requirements = ListOf(PlainText(500), most=50, load_default=list)
    prerequisites = ListOf(ServiceId(), most=MOST_PREREQUISITES, unique=True, load_default=list)
    default = TrueOrFalse(load_default=False)
    promised_minutes = WholeNumber(1, MOST_MINUTES, allow_none=True, load_default=None)
    active = TrueOrFalse(load_default=True)

    @validates_schema
    def _id_follows(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("id", _service_id(data)) != _service_id(data):
            raise ValidationError([Message("service_of_another_agency")], "id")

    @post_load
    def _with_id(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"id": _service_id(data), **data}


class UpdateService(ContractSchema):
    """Change a public service."""

    id = ServiceId(required=True)
    if_match = if_match()
    name = PlainText(200)
    requirements = ListOf(PlainText(500), most=50)
    prerequisites = ListOf(ServiceId(), most=MOST_PREREQUISITES, unique=True)
    default = TrueOrFalse()
    promised_minutes = WholeNumber(1, MOST_MINUTES, allow_none=True)
    active = TrueOrFalse()


class CreateCounter(ContractSchema):
    """Add a counter. Its id follows from site and number; a caller may name it, but no other."""

    id = CounterId()
    site = Slug(required=True)
    number = WholeNumber(1, MOST_COUNTERS, required=True)
    name = PlainText(100, about="Left out: `Loket` and the number.")
    agency = AgencyCode(allow_none=True, load_default=None)
    services = ListOf(ServiceId(), most=500, unique=True, load_default=list)
    active = TrueOrFalse(load_default=True)

    @validates_schema
    def _id_follows(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("id", _counter_id(data)) != _counter_id(data):
            raise ValidationError([Message("counter_of_another_site")], "id")

    @post_load
    def _with_id_and_name(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"id": _counter_id(data), "name": f"Loket {data['number']}", **data}


class UpdateCounter(ContractSchema):
    """Change a counter; `services` is replaced as a whole."""

    id = CounterId(required=True)
    if_match = if_match()
    name = PlainText(100)
    agency = AgencyCode(allow_none=True)
    services = ListOf(ServiceId(), most=500, unique=True)
    active = TrueOrFalse()


def _service_id(data: dict[str, Any]) -> str:
    return f"{data['agency']}-{data['code']}"


def _counter_id(data: dict[str, Any]) -> str:
    return f"{data['site']}-{data['number']:02d}"
