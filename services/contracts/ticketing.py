"""Contracts of ticketing. The priority class goes in with the number's request and never comes out: others see the lane."""

from __future__ import annotations

from services.contracts.catalog.entities import CHANNELS, MOST_VERSIONS
from services.contracts.paging import PageQuery, items_of, next_cursor
from services.contracts.schema import Choice, ContractSchema, ListOf, Part, WholeNumber
from services.contracts.values import AgencyCode, BusinessDate, CounterId, Opaque, ServiceId, Slug, TicketId, TicketNumber, Timestamp

TICKET_STATES = (
    "reserved",
    "printing",
    "waiting",
    "called",
    "serving",
    "on_hold",
    "completed",
    "no_show",
    "transferred",
    "cancelled",
    "expired",
    "void",
)
"""All states a ticket may ever have: readers must know them from the start."""

PRIORITY_CLASSES = ("disability", "elderly", "pregnant", "nursing", "child", "disaster_victim")
LANES = ("regular", "priority")
CANCELLED_BY = ("citizen", "staff", "closure")
"""Who gave a number back, or that the site or its agency was closed; stable, never a text."""

OUTCOMES = ("done", "papers_missing", "collect_later", "referred")


class IssueTicket(ContractSchema):
    """Take a number for a public service at a site."""

    site = Slug(required=True)
    service = ServiceId(required=True)
    priority_class = Choice(*PRIORITY_CLASSES, allow_none=True, load_default=None)
    channel = Choice(*CHANNELS, required=True)


class CallNext(ContractSchema):
    """Call the next ticket to a counter; the answer is null when nobody waits for what it serves."""

    counter = CounterId(required=True)


class CallTicket(ContractSchema):
    """Call this ticket to a counter, out of turn."""

    id = TicketId(required=True)
    counter = CounterId(required=True)


class RecallTicket(ContractSchema):
    """Call again a ticket whose citizen has not come."""

    id = TicketId(required=True)


class StartTicket(ContractSchema):
    """The called citizen is at the counter: serving begins."""

    id = TicketId(required=True)


class CompleteTicket(ContractSchema):
    """Serving has ended, with an outcome."""

    id = TicketId(required=True)
    outcome = Choice(*OUTCOMES, load_default="done")


class MarkNoShow(ContractSchema):
    """The called citizen did not come."""

    id = TicketId(required=True)


class CancelTicket(ContractSchema):
    """The citizen (who shows the ticket's token) or staff gives the number back."""

    id = TicketId(required=True)
    token = Opaque()


class GetTicket(ContractSchema):
    """One ticket, for staff or for who shows its token."""

    id = TicketId(required=True)
    token = Opaque()


class GetTicketByToken(ContractSchema):
    """The ticket to which a citizen's token belongs, for who has nothing but the token."""

    token = Opaque(required=True)


class ListTickets(PageQuery):
    """Tickets of the regency in order of issue; `date` is the business date."""

    site = Slug()
    service = ServiceId()
    status = Choice(*TICKET_STATES)
    date = BusinessDate()


class Period(ContractSchema):
    """A ticket was in `state` from `started_at` until `ended_at`; the last period is open while `ended_at` is null."""

    state = Choice(*TICKET_STATES, required=True)
    counter = CounterId(required=True, allow_none=True)
    started_at = Timestamp(required=True)
    ended_at = Timestamp(required=True, allow_none=True)


class PublicTicket(ContractSchema):
    """A ticket as events carry it: everything that happened to it, nothing about the person."""

    id = TicketId(required=True)
    visit = TicketId(required=True, about="The citizen's visit of that day; a visit has a ticket per service.")
    number = TicketNumber(required=True)
    site = Slug(required=True)
    agency = AgencyCode(required=True)
    service = ServiceId(required=True)
    business_date = BusinessDate(required=True)
    channel = Choice(*CHANNELS, required=True)
    status = Choice(*TICKET_STATES, required=True)
    lane = Choice(*LANES, required=True)
    arrived_at = Timestamp(required=True, about="Decides the turn; kept when the ticket is transferred.")
    issued_at = Timestamp(required=True)
    counter = CounterId(required=True, allow_none=True)
    recalls = WholeNumber(0, 1000, required=True)
    returns = WholeNumber(0, 1000, required=True)
    outcome = Choice(*OUTCOMES, required=True, allow_none=True)
    cancelled_by = Choice(*CANCELLED_BY, allow_none=True, load_default=None, about="Null while it is not cancelled.")
    periods = ListOf(Part(Period), most=1000, required=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True, about="Counts the changes of this ticket, from 1.")


class Ticket(PublicTicket):
    """A ticket as it stands now."""

    position = WholeNumber(1, 1_000_000, required=True, allow_none=True, about="Place in the queue; null: not waiting.")
    estimated_wait_seconds = WholeNumber(0, 31_536_000, required=True, allow_none=True)


class IssuedTicket(Ticket):
    """A ticket just taken, with the token by which the citizen follows or cancels it."""

    token = Opaque(required=True)


class TicketPage(ContractSchema):
    """A page of tickets."""

    items = items_of(Ticket)
    next_cursor = next_cursor()


class TicketChanged(ContractSchema):
    """Something happened to a ticket; it carries the whole ticket, and a reader keeps the higher version."""

    ticket = Part(PublicTicket, required=True)


class DayOpened(ContractSchema):
    """The first number of a business date was issued at a site."""

    site = Slug(required=True)
    business_date = BusinessDate(required=True)


class DayClosed(ContractSchema):
    """The business date of a site has ended; `expired` tickets were still open."""

    site = Slug(required=True)
    business_date = BusinessDate(required=True)
    expired = WholeNumber(0, 1_000_000, required=True)


class SiteClosed(ContractSchema):
    """A one-off closure holds at a site today, for all or for one agency; numbers that wait there are cancelled."""

    site = Slug(required=True)
    business_date = BusinessDate(required=True)
    agency = AgencyCode(required=True, allow_none=True, about="Null: the whole site.")
    reason = Choice("closure", required=True)
    opens_at = Timestamp(required=True, allow_none=True, about="When it opens next, with the site's offset; null: not known.")


class SiteReopened(ContractSchema):
    """The closure was taken back on the same day. What was cancelled stays cancelled."""

    site = Slug(required=True)
    business_date = BusinessDate(required=True)
    agency = AgencyCode(required=True, allow_none=True, about="Null: the whole site.")
