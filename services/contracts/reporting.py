"""Contracts of reporting: figures about sites, services and days. They count tickets and know nobody."""

from __future__ import annotations

from services.contracts.schema import ContractSchema, Number, Part, PlainText, WholeNumber
from services.contracts.values import BusinessDate, Slug

MOST_SECONDS = 31_536_000
"""A ticket lives a business date; a year is beyond every clock that was set wrong."""


class DailyReport(ContractSchema):
    """The figures of one business date at one site."""

    site = Slug(required=True)
    date = BusinessDate(required=True)


def _seconds(about: str) -> Number:
    return Number(0, MOST_SECONDS, required=True, allow_none=True, about=about)


class Durations(ContractSchema):
    """How long something took, in seconds to the millisecond; null when it happened to no ticket."""

    mean = _seconds("Arithmetic mean.")
    p50 = _seconds("Median: linear interpolation between the two nearest when no ticket stands in the middle.")
    p90 = _seconds("Nine tickets in ten took at most this long; interpolated like the median.")


def _tickets(about: str) -> WholeNumber:
    return WholeNumber(0, 1_000_000, required=True, about=about)


class DailyFigures(ContractSchema):
    """What became of the tickets of one business date at one site; the states add up to `issued`."""

    site = Slug(required=True)
    site_name = PlainText(200, required=True, allow_none=True, about="Null until the catalogue has told the name.")
    date = BusinessDate(required=True)
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
