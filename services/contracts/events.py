"""Which contract the data of an event type has, for who writes events and for who reads them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Literal

from marshmallow import EXCLUDE, RAISE

from services.contracts.catalog import AgencyChanged, CounterChanged, HoursChanged, RegencyChanged, ServiceChanged, SiteChanged
from services.contracts.reporting import SurveySubmitted
from services.contracts.schema import ContractSchema
from services.contracts.staffing import CounterStatusChanged
from services.contracts.subscriptions import EVENT_TYPES
from services.contracts.ticketing import DayClosed, DayOpened, SiteClosed, SiteReopened, TicketChanged

EVENT_SCHEMAS: dict[str, type[ContractSchema]] = {
    "catalog.regency_changed": RegencyChanged,
    "catalog.site_changed": SiteChanged,
    "catalog.agency_changed": AgencyChanged,
    "catalog.service_changed": ServiceChanged,
    "catalog.counter_changed": CounterChanged,
    "catalog.hours_changed": HoursChanged,
    "queue.day_opened": DayOpened,
    "queue.day_closed": DayClosed,
    **dict.fromkeys(("counter.opened", "counter.paused", "counter.closed"), CounterStatusChanged),
    "site.closed": SiteClosed,
    "site.reopened": SiteReopened,
    "survey.submitted": SurveySubmitted,
    "catalog.regency_snapshot": RegencyChanged,
    "catalog.site_snapshot": SiteChanged,
    "catalog.agency_snapshot": AgencyChanged,
    "catalog.service_snapshot": ServiceChanged,
    "catalog.counter_snapshot": CounterChanged,
    "catalog.hours_snapshot": HoursChanged,
    "ticket.snapshot": TicketChanged,
    **{event_type: TicketChanged for event_type in EVENT_TYPES["ticketing"] if event_type.startswith("ticket.")},
}


class EventTypeUnknown(LookupError):
    """No contract describes this event type. A reader passes it over: its writer may be a newer release."""


def is_known(event_type: str) -> bool:
    """Whether this release knows the event type (``ticket.called``, without ``mpp.``)."""
    return event_type in EVENT_SCHEMAS


def load_event(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Data of an event that somebody else wrote: checked, and without the fields that this release does not know.

    Raises `PayloadInvalid` when it breaks the contract, which no later attempt will heal, and `EventTypeUnknown`.
    """
    return _loaded(_schema(event_type, EXCLUDE), data)


def checked_event(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Data of an event about to be written, exactly as the contract says; raises like `load_event`."""
    return _loaded(_schema(event_type, RAISE), data)


@functools.cache
def _schema(event_type: str, unknown: Literal["exclude", "raise"]) -> ContractSchema:
    # Making a schema copies all its fields, which takes longer than loading with it.
    if event_type not in EVENT_SCHEMAS:
        raise EventTypeUnknown(event_type)
    return EVENT_SCHEMAS[event_type](unknown=unknown)


def _loaded(schema: ContractSchema, data: Mapping[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = schema.load(data)
    return loaded
