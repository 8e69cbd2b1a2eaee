"""Staff accounts and devices: who may sign in, and as what. None of this is ever published as an event."""

from __future__ import annotations

from typing import Any

from services.contracts.catalog.entities import if_match, version
from services.contracts.paging import PageQuery, items_of, next_cursor
from services.contracts.schema import Choice, ContractSchema, ListOf, Password, PlainText, TrueOrFalse
from services.contracts.values import AccountId, AgencyCode, BusinessDate, CounterId, Slug

STAFF_ROLES = ("officer", "front_desk", "supervisor", "administrator", "auditor", "consumer")
"""Roles of accounts; a consumer is a program outside that reads events, and nothing else."""

DEVICE_KINDS = ("kiosk", "display")


def _counters(**options: Any) -> ListOf:
    return ListOf(CounterId(), most=200, unique=True, allow_none=True, about="The only counters to work at; null: all.", **options)


def _first_day(**options: Any) -> BusinessDate:
    return BusinessDate(allow_none=True, about="First day of the assignment, by the regency's time; null: it has begun.", **options)


def _last_day(**options: Any) -> BusinessDate:
    return BusinessDate(allow_none=True, about="Last day of the assignment, which counts as a whole; null: no end.", **options)


class Account(ContractSchema):
    """A staff account; `agencies` null means all agencies of the regency. Outside of its days nobody is signed in with it."""

    id = AccountId(required=True)
    role = Choice(*STAFF_ROLES, required=True)
    display_name = PlainText(100, required=True)
    agencies = ListOf(AgencyCode(), most=200, unique=True, required=True, allow_none=True)
    counters = _counters(required=True)
    valid_from = _first_day(required=True)
    valid_until = _last_day(required=True)
    active = TrueOrFalse(required=True)
    version = version(required=True)


class CreateAccount(ContractSchema):
    """Add a staff account; the id ends in ``@`` and the regency. Without a password its owner sets one with a one-time code."""

    id = AccountId(required=True)
    role = Choice(*STAFF_ROLES, required=True)
    display_name = PlainText(100, required=True)
    agencies = ListOf(AgencyCode(), most=200, unique=True, required=True, allow_none=True)
    counters = _counters(load_default=None)
    valid_from = _first_day(load_default=None)
    valid_until = _last_day(load_default=None)
    password = Password()
    active = TrueOrFalse(load_default=True)


class UpdateAccount(ContractSchema):
    """Change a staff account."""

    id = AccountId(required=True)
    if_match = if_match()
    role = Choice(*STAFF_ROLES)
    display_name = PlainText(100)
    agencies = ListOf(AgencyCode(), most=200, unique=True, allow_none=True)
    counters = _counters()
    valid_from = _first_day()
    valid_until = _last_day()
    password = Password()
    active = TrueOrFalse()


class GetAccount(ContractSchema):
    """One staff account."""

    id = AccountId(required=True)


class ListAccounts(PageQuery):
    """Staff accounts of the regency, by id."""


class AccountPage(ContractSchema):
    """A page of staff accounts."""

    items = items_of(Account)
    next_cursor = next_cursor()


class Device(ContractSchema):
    """A kiosk or display that signs in; `site` null means any site of the regency."""

    id = AccountId(required=True)
    kind = Choice(*DEVICE_KINDS, required=True)
    site = Slug(required=True, allow_none=True)
    active = TrueOrFalse(required=True)
    version = version(required=True)


class CreateDevice(ContractSchema):
    """Add a device. Without a password it is paired by the code that it shows."""

    id = AccountId(required=True)
    kind = Choice(*DEVICE_KINDS, required=True)
    site = Slug(allow_none=True, load_default=None)
    password = Password()
    active = TrueOrFalse(load_default=True)


class UpdateDevice(ContractSchema):
    """Change a device."""

    id = AccountId(required=True)
    if_match = if_match()
    kind = Choice(*DEVICE_KINDS)
    site = Slug(allow_none=True)
    password = Password()
    active = TrueOrFalse()


class GetDevice(ContractSchema):
    """One device."""

    id = AccountId(required=True)


class ListDevices(PageQuery):
    """Devices of the regency, by id."""


class DevicePage(ContractSchema):
    """A page of devices."""

    items = items_of(Device)
    next_cursor = next_cursor()
