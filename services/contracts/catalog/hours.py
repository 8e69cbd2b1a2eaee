"""Days on which other hours hold than in every week: holidays, joint leave, Ramadan, closures.

Nothing is ever removed: an entry that is not `active` has no effect, and can be taken up again.
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from services.contracts.catalog.entities import WeeklyHours, if_match, version
from services.contracts.field_rules import Message
from services.contracts.paging import PageQuery, items_of, next_cursor
from services.contracts.schema import Choice, ContractSchema, Part, PlainText, TrueOrFalse
from services.contracts.values import AgencyCode, BusinessDate, Slug

HOURS_KINDS = ("national_holiday", "joint_leave", "regional_holiday", "ramadan", "closure", "other")
"""`ramadan` replaces the hours of every week; the others are about single days, and a `closure` was not foreseen."""


def _first(**options: Any) -> BusinessDate:
    return BusinessDate(data_key="from", attribute="from", about="First day, by the site's local date.", **options)


def _last(**options: Any) -> BusinessDate:
    return BusinessDate(about="Last day, included.", **options)


def _site(**options: Any) -> Slug:
    return Slug(allow_none=True, about="Null: all sites of the regency.", **options)


def _agency(**options: Any) -> AgencyCode:
    return AgencyCode(allow_none=True, about="Null: all agencies.", **options)


def _hours(**options: Any) -> Part:
    return Part(WeeklyHours, about="Hours on these days; closed on a day of the week that is left out.", **options)


class _InOrder(ContractSchema):
    @validates_schema
    def _ends_after_it_begins(self, data: dict[str, Any], **_: Any) -> None:
        if "from" in data and "to" in data and data["to"] < data["from"]:
            raise ValidationError([Message("ends_before_it_begins")], "to")


class SpecialHours(_InOrder):
    """From one local date to another, both included, these hours hold instead of the usual ones."""

    id = Slug(required=True)
    name = PlainText(100, required=True, about="What people read: `Idulfitri 1447 H`.")
    kind = Choice(*HOURS_KINDS, required=True)
    from_ = _first(required=True)
    to = _last(required=True)
    site = _site(required=True)
    agency = _agency(required=True)
    hours = _hours(required=True)
    active = TrueOrFalse(required=True, about="false: has no effect, as if it had been removed.")
    version = version(required=True)


class HoursPage(ContractSchema):
    """A page of days with special hours."""

    items = items_of(SpecialHours)
    next_cursor = next_cursor()


class ListHours(PageQuery):
    """Days with special hours, by id; those that touch the days from `since` to `until`, and those that concern `site`."""

    since = BusinessDate(about="Those that end on this day or later.")
    until = BusinessDate(about="Those that begin on this day or earlier.")
    site = Slug(about="Those of this site, and those of all sites.")


class GetHours(ContractSchema):
    """One entry of special hours."""

    id = Slug(required=True)


class CreateHours(_InOrder):
    """Add days with special hours; without `hours` they are closed. A `closure` of today tells those who wait at once."""

    id = Slug(required=True)
    name = PlainText(100, required=True)
    kind = Choice(*HOURS_KINDS, required=True)
    from_ = _first(required=True)
    to = _last(required=True)
    site = _site(load_default=None)
    agency = _agency(load_default=None)
    hours = _hours(load_default=dict)
    active = TrueOrFalse(load_default=True)


class UpdateHours(_InOrder):
    """Change days with special hours; `hours` is replaced as a whole, `active: false` takes them back."""

    id = Slug(required=True)
    if_match = if_match()
    name = PlainText(100)
    kind = Choice(*HOURS_KINDS)
    from_ = _first()
    to = _last()
    site = _site()
    agency = _agency()
    hours = _hours()
    active = TrueOrFalse()


class HoursChanged(ContractSchema):
    """Days with special hours were added or changed."""

    hours = Part(SpecialHours, required=True)
