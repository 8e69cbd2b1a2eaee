"""The figures of a day. They count tickets and know nobody."""

from __future__ import annotations

from services.contracts.schema import Choice, ContractSchema, ListOf, Number, Part, PlainText, WholeNumber
from services.contracts.ticketing import LANES
from services.contracts.values import AgencyCode, BusinessDate, ServiceId, Slug

MOST_SECONDS = 31_536_000
"""A ticket lives a business date; a year is beyond every clock that was set wrong."""

MOST_SERVICES = 10_000


LONG_WAIT_SECONDS = 600
"""Of shorter waits an error in per cent says little: one minute instead of two is half, and no harm."""


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


def _error(about: str) -> Number:
    return Number(-MOST_SECONDS, MOST_SECONDS, required=True, allow_none=True, about=about)


class LongWaitErrors(ContractSchema):
    """Errors of first estimates for tickets that waited more than ten minutes for their first call; null without any."""

    compared = _tickets("Tickets with a first estimate that waited more than 600 seconds for their first call.")
    median_absolute_error_seconds = _error("Median of the absolute errors.")
    median_absolute_error_percent = Number(
        0, MOST_SECONDS, required=True, allow_none=True, about="Median of the absolute errors, each in per cent of the ticket's wait."
    )
    bias_seconds = _error("Mean error; above zero: citizens were told more than they waited.")
    within_25_percent = Number(
        0, 100, required=True, allow_none=True, about="Per cent of these tickets whose error is at most 25 % of their wait."
    )


class EstimateErrors(ContractSchema):
    """How far first estimates were off; null without any. The error of a ticket is its first estimate minus its wait.

    The first estimate is what was told when the ticket joined the queue; the wait is the time from then to the first call.
    """

    compared = _tickets("Tickets with a first estimate that were called.")
    not_called = _tickets("Tickets with a first estimate that were not called, not yet or never: nothing to compare with.")
    not_estimated = _tickets("Tickets that were called and have no first estimate: nothing to compare.")
    median_absolute_error_seconds = _error("Median of the absolute errors.")
    bias_seconds = _error("Mean error; above zero: citizens were told more than they waited.")
    above_ten_minutes = Part(LongWaitErrors, required=True, about="The same of long waits only, also in per cent.")


class VisitFigures(ContractSchema):
    """How citizens' visits went, over all their services; `open`, `finished`, `broken_off` and `unserved` add up to `total`.

    A visit is one arrival; its legs are its numbers, one per service, and one more for each transfer. With an agency or a service
    asked for these are the visits that have a leg there, each as a whole.
    """

    total = _tickets("Visits of which at least one number entered the queue.")
    open = _tickets("A leg has not ended: it is reserved, waits, is called, served or put aside.")
    finished = _tickets("All legs have ended, each completed or passed on.")
    broken_off = _tickets("All have ended; some were completed or passed on, others not: cancelled, expired, or nobody came.")
    unserved = _tickets("All have ended, and none was completed or passed on.")
    several_legs = _tickets("Visits of more than one leg.")
    legs = _tickets("Legs of all these visits, also those that never came to wait; void numbers are none.")
    first_call_seconds = Part(
        Durations, required=True, about="From arrival to the first call of any leg, of visits that were called; an undone call is none."
    )
    wait_seconds = Part(Durations, required=True, about="Time in the queue, all legs together, of finished visits.")
    serve_seconds = Part(Durations, required=True, about="Time at counters, all legs together, of finished visits.")
    stay_seconds = Part(Durations, required=True, about="From arrival to the end of the last leg, of finished visits.")


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
    first_call_seconds = Part(
        Durations, required=True, about="From joining the queue to the first call, of called tickets; an undone call is none."
    )
    serve_seconds = Part(Durations, required=True, about="Time at the counter of completed tickets.")
    estimates = Part(EstimateErrors, required=True, about="How far the waits that were told first were off.")


class ServiceFigures(_Figures):
    """What became of the tickets for one public service."""

    agency = AgencyCode(required=True)
    service = ServiceId(required=True)


class AgencyFigures(_Figures):
    """What became of the tickets for the services of one agency."""

    agency = AgencyCode(required=True)


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
    visits = Part(VisitFigures, required=True, about="The citizens' visits, each over all its services.")
    by_agency = ListOf(Part(AgencyFigures), most=MOST_SERVICES, required=True, about="Agencies with tickets, by code.")
    by_service = ListOf(Part(ServiceFigures), most=MOST_SERVICES, required=True, about="Services with tickets, by id.")
    by_lane = ListOf(Part(LaneFigures), most=len(LANES), required=True, about="Lanes with tickets, regular first.")
