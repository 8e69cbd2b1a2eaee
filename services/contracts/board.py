"""What hangs on the wall of a site: the board, made by the gateway from what ticketing tells of a site's day.

The board says which numbers are called where and how many wait. It holds no id of a ticket, no token and no reason for
priority: whoever reads it can do nothing with it but come when called.
"""

from __future__ import annotations

from services.contracts.catalog.entities import MOST_COUNTERS, MOST_VERSIONS
from services.contracts.schema import Choice, ContractSchema, ListOf, Number, Part, PlainText, TrueOrFalse, WholeNumber
from services.contracts.staffing import COUNTER_STATES
from services.contracts.streams import HIGHEST_SEQUENCE
from services.contracts.ticketing import LANES, TICKET_STATES
from services.contracts.values import AgencyCode, BusinessDate, CounterId, ServiceId, Slug, TicketId, TicketNumber, Timestamp, TimeZone

MOST_LAST_CALLS = 10
"""Calls that a board remembers."""

MOST_OPEN_TICKETS = 20_000
"""Open tickets of one site and day that a board counts; 800 numbers were the most ever seen."""

MOST_SERVICES = 1000
MOST_CLOSURES = 501
"""Every agency by itself, and the whole site."""

MOST_SITES_ASKED = 200
_LONGEST = 31_536_000


def _sequence() -> WholeNumber:
    return WholeNumber(0, HIGHEST_SEQUENCE, required=True, about="Newest change of the site's queue that this knows of.")


def _zone() -> TimeZone:
    return TimeZone(required=True, about="Its local date is the business date.")


# --- between ticketing and the gateway


class GetSiteDay(ContractSchema):
    """Everything that a board of a site shows today."""

    site = Slug(required=True)


class BoardTicket(ContractSchema):
    """What a board must know of a ticket."""

    id = TicketId(required=True)
    number = TicketNumber(required=True)
    service = ServiceId(required=True)
    lane = Choice(*LANES, required=True)
    status = Choice(*TICKET_STATES, required=True)
    counter = CounterId(required=True, allow_none=True)
    arrived_at = Timestamp(required=True)
    issued_at = Timestamp()
    turn_at = Timestamp(allow_none=True, load_default=None)
    called_at = Timestamp(required=True, allow_none=True, about="Its last call; null: never called.")
    called_to = CounterId(required=True, allow_none=True, about="The counter of its last call, also after it has left that.")
    call_undone = TrueOrFalse(load_default=False, about="Its last call was a mistake and was undone.")
    recalls = WholeNumber(0, 1000, required=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True)


class DayCounter(ContractSchema):
    """A counter of the site, as far as ticketing knows the catalogue."""

    id = CounterId(required=True)
    number = WholeNumber(1, MOST_COUNTERS, required=True)
    name = PlainText(100, required=True)
    services = ListOf(ServiceId(), most=500, required=True)
    active = TrueOrFalse(required=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True)


class CounterNow(ContractSchema):
    """Whether a counter is open today."""

    counter = CounterId(required=True)
    status = Choice(*COUNTER_STATES, required=True)


class DayService(ContractSchema):
    """A public service that counters of the site serve, or for which somebody took a number there today."""

    id = ServiceId(required=True)
    name = PlainText(200, required=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True)


class ServicePace(ContractSchema):
    """How long a call takes a counter of late; a service that was never observed is missing."""

    service = ServiceId(required=True)
    mean_seconds = Number(0, _LONGEST, required=True)


class CounterTurns(ContractSchema):
    """Where a counter stands between its priority calls."""

    counter = CounterId(required=True)
    regular_calls = WholeNumber(0, 20, required=True, about="Regular tickets called since its last priority call.")


class WorkingPeriod(ContractSchema):
    """When a site works."""

    opens_at = Timestamp(required=True)
    closes_at = Timestamp(required=True)


def _turns() -> ListOf:
    return ListOf(Part(CounterTurns), most=MOST_COUNTERS, load_default=list, about="Where the policy mixes the lanes.")


def _working() -> ListOf:
    return ListOf(Part(WorkingPeriod), most=12, load_default=list, about="The hours of today, in order; empty: closed.")


class Closure(ContractSchema):
    """A one-off closure that holds today."""

    agency = AgencyCode(required=True, allow_none=True, about="Null: the whole site.")
    opens_at = Timestamp(required=True, allow_none=True, about="When it opens next; null: not known.")


def _closures() -> ListOf:
    return ListOf(Part(Closure), most=MOST_CLOSURES, load_default=list, about="Unforeseen closures of today.")


class SiteDay(ContractSchema):
    """A site's queue of today, exactly as it was after the change `sequence` of its stream.

    Of the tickets: all that are open, and of the closed ones those that were called or issued last.
    """

    site = Slug(required=True)
    name = PlainText(200, required=True)
    timezone = _zone()
    version = WholeNumber(1, MOST_VERSIONS, required=True, about="Of the site in the catalogue.")
    business_date = BusinessDate(required=True)
    sequence = _sequence()
    counters = ListOf(Part(DayCounter), most=MOST_COUNTERS, required=True)
    services = ListOf(Part(DayService), most=MOST_SERVICES, required=True)
    paces = ListOf(Part(ServicePace), most=MOST_SERVICES, required=True)
    default_pace_seconds = Number(0, _LONGEST, required=True, about="Assumed for a service that has no pace yet.")
    counters_now = ListOf(Part(CounterNow), most=MOST_COUNTERS, load_default=list, about="Counters that were opened today.")
    regular_per_priority = WholeNumber(0, 20, load_default=0, about="Of the site's policy.")
    ageing_cap_minutes = WholeNumber(1, 1440, load_default=None, allow_none=True, about="Of the site's policy; null: none.")
    turns = _turns()
    working = _working()
    closures = _closures()
    tickets = ListOf(Part(BoardTicket), most=MOST_OPEN_TICKETS, required=True)


class GetSiteHeads(ContractSchema):
    """How far the queues of some sites have come: the cheap question whether a board is still true."""

    sites = ListOf(Slug(), most=MOST_SITES_ASKED, least=1, unique=True, required=True)


class SiteHead(ContractSchema):
    """Newest change of a site's queue, and what no event tells: the pace of its services, turns of counters, hours."""

    site = Slug(required=True)
    sequence = _sequence()
    paces = ListOf(Part(ServicePace), most=MOST_SERVICES, required=True)
    turns = _turns()
    working = _working()


# --- what everybody may see


class BoardCall(ContractSchema):
    """A number that was called to a counter."""

    number = TicketNumber(required=True)
    service = ServiceId(required=True)
    counter = CounterId(required=True)
    called_at = Timestamp(required=True)


class AtCounter(ContractSchema):
    """A number that is called or served at a counter."""

    number = TicketNumber(required=True)
    service = ServiceId(required=True)
    lane = Choice(*LANES, required=True)
    called_at = Timestamp(required=True)
    recalls = WholeNumber(0, 1000, required=True, about="So often it was called again.")


class BoardCounter(ContractSchema):
    """A counter and whom it calls and serves now."""

    id = CounterId(required=True)
    number = WholeNumber(1, MOST_COUNTERS, required=True)
    name = PlainText(100, required=True)
    status = Choice(*COUNTER_STATES, allow_none=True, load_default=None, about="null: nobody has opened it today.")
    called = Part(AtCounter, required=True, allow_none=True)
    serving = Part(AtCounter, required=True, allow_none=True)


class BoardService(ContractSchema):
    """The queue of a public service."""

    id = ServiceId(required=True)
    name = PlainText(200, required=True)
    waiting = WholeNumber(0, 1_000_000, required=True)
    last_called = TicketNumber(required=True, allow_none=True, about="The number called last today.")
    last_issued = TicketNumber(required=True, allow_none=True, about="The number given out last today.")
    estimated_wait_seconds = WholeNumber(
        0, _LONGEST, required=True, allow_none=True, about="For who takes a number now; null: no counter serves it."
    )


class Board(ContractSchema):
    """The board of a site.

    A reader keeps the board with the higher `sequence`; of two with the same one, that with the later `as_of`. Gateways
    differ by moments, so an older board may come after a newer one, and is passed over. (One exception: a board whose
    `as_of` is more than a minute later counts whatever its sequence: the site's history may have been restored.)
    """

    regency = Slug(required=True)
    site = Slug(required=True)
    name = PlainText(200, required=True)
    timezone = _zone()
    business_date = BusinessDate(required=True)
    sequence = _sequence()
    live = TrueOrFalse(required=True, about="false: the gateway cannot tell whether anything has changed since `as_of`.")
    as_of = Timestamp(required=True, about="The board was true then, and while it is live it still is.")
    counters = ListOf(Part(BoardCounter), most=MOST_COUNTERS, required=True)
    calls = ListOf(Part(BoardCall), most=MOST_LAST_CALLS, required=True, about="Last calls of the day, newest first.")
    services = ListOf(Part(BoardService), most=MOST_SERVICES, required=True)
    closures = _closures()
