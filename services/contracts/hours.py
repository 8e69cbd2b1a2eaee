"""When people can come: the hours of a site and its agencies, day by day, holidays and closures taken into account."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import ValidationError, validates_schema

from services.contracts.catalog.entities import OpeningPeriod
from services.contracts.catalog.hours import HOURS_KINDS
from services.contracts.field_rules import Message
from services.contracts.schema import Choice, ContractSchema, ListOf, Part, PlainText, TrueOrFalse
from services.contracts.values import AgencyCode, BusinessDate, Slug, Timestamp, TimeZone

MOST_DAYS = 62
"""Two months in one answer."""

REASONS = ("weekly", *HOURS_KINDS)


class GetSiteHours(ContractSchema):
    """Hours of a site from one local date to another, both included."""

    site = Slug(required=True)
    since = BusinessDate(about="First day; left out: today.")
    until = BusinessDate(about="Last day; left out: six days after the first.")

    @validates_schema
    def _not_too_many(self, data: dict[str, Any], **_: Any) -> None:
        if "since" in data and "until" in data:
            days = (date.fromisoformat(data["until"]) - date.fromisoformat(data["since"])).days
            if days < 0:
                raise ValidationError([Message("ends_before_it_begins")], "until")
            if days >= MOST_DAYS:
                raise ValidationError([Message("too_many", max=MOST_DAYS)], "until")


def _periods() -> ListOf:
    return ListOf(Part(OpeningPeriod), most=12, required=True, about="Local time; empty: closed.")


def _reason() -> Choice:
    return Choice(*REASONS, required=True, about="Which hours hold: those of every week, or those of a holiday, Ramadan, a closure.")


def _name() -> PlainText:
    return PlainText(100, required=True, allow_none=True, about="`Idulfitri 1447 H`; null for the hours of every week.")


class AgencyDay(ContractSchema):
    """An agency that is present at the site, on one day."""

    agency = AgencyCode(required=True)
    periods = _periods()
    reason = _reason()
    name = _name()


class SiteHoursOfDay(ContractSchema):
    """One local date of the site."""

    date = BusinessDate(required=True)
    periods = _periods()
    reason = _reason()
    name = _name()
    agencies = ListOf(Part(AgencyDay), most=500, required=True, about="Those whose hours are not those of the site.")


class SiteHours(ContractSchema):
    """The hours of a site and its agencies, day by day."""

    site = Slug(required=True)
    timezone = TimeZone(required=True)
    enforced = TrueOrFalse(required=True, about="Numbers are refused outside these hours; during a closure they always are.")
    opens_at = Timestamp(required=True, allow_none=True, about="When the site opens next after now; null: not within a year.")
    days = ListOf(Part(SiteHoursOfDay), most=MOST_DAYS, required=True)
