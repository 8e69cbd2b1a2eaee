"""The figures of a day. They count tickets and know nobody."""

from __future__ import annotations

from services.contracts.schema import Choice, ContractSchema, ListOf, Number, Part, PlainText, WholeNumber
from services.contracts.ticketing import LANES
from services.contracts.values import AgencyCode, BusinessDate, ServiceId, Slug

MOST_SECONDS = 31_536_000
"""A ticket lives a business date; a year is beyond every clock that was set wrong."""

MOST_SERVICES = 10_000


class DailyReport(ContractSchema):
    """The figures of one business date at one site, of all services or those of one agency, or one service."""

    site = Slug(required=True)
    date = BusinessDate(about="Left out: today, by the site's own time zone.")
    agency = AgencyCode(about="Only tickets for services of this agency.")
    service = ServiceId(about="Only tickets for this service.")


def _seconds(about: str) -> Number:
    return Number(0, MOST_SECONDS, required=True, allow_none=True, about=about)


class Durations(ContractSchema):
    """How long something took, in seconds to the millisecond; null when it happened to no ticket."""

    mean = _seconds("Arithmetic mean.")
    p50 = _seconds("Median: linear interpolation between the two nearest when no ticket stands in the middle.")
    p90 = _seconds("Nine tickets in ten took at most this long; interpolated like the median.")


def _tickets(about: str) -> WholeNumber:
    return WholeNumber(0, 1_000_000, required=True, about=about)


class _Figures(ContractSchema):
    """What became of some tickets; the states add up to `issued`."""

    issued = _tickets("Tickets that entered the queue; void numbers and appointments that never checked in did not.")
    waiting = _tickets("Waiting now.")
    called = _tickets("Called and not yet at the counter.")
    serving = _tickets("At a counter now.")
    on_hold = _tickets("Set aside by the counter, to be taken up again.")
    completed = _tickets("Served to the end.")
    no_show = _tickets("Called, and nobody came.")
    transferred = _tickets("Passed on; the visit goes on with another ticket.")
    cancelled = _tickets("Given back.")
    expired = _tickets("Still open when the day was closed.")
    wait_seconds = Part(Durations, required=True, about="Time in the queue of tickets that were called at least once.")
    serve_seconds = Part(Durations, required=True, about="Time at the counter of completed tickets.")


class ServiceFigures(_Figures):
    """What became of the tickets for one public service."""

    agency = AgencyCode(required=True)
    service = ServiceId(required=True)


class LaneFigures(_Figures):
    """What became of the tickets of one lane: whether priority is fair shows in the waits of both, side by side."""

    lane = Choice(*LANES, required=True)


class DailyFigures(_Figures):
    """What became of the tickets of one business date at one site; the states add up to `issued`."""

    site = Slug(required=True)
    site_name = PlainText(200, required=True, allow_none=True, about="Null until the catalogue has told the name.")
    date = BusinessDate(required=True)
    agency = AgencyCode(required=True, allow_none=True, about="The agency that was asked for; null: all.")
    service = ServiceId(required=True, allow_none=True, about="The service that was asked for; null: all.")
    by_service = ListOf(Part(ServiceFigures), most=MOST_SERVICES, required=True, about="Services with tickets, by id.")
    by_lane = ListOf(Part(LaneFigures), most=len(LANES), required=True, about="Lanes with tickets, regular first.")
