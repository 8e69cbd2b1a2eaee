"""Contracts of ticketing. The priority class goes in with the number's request and never comes out: others see the lane."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from services.contracts.catalog.entities import CHANNELS, MOST_VERSIONS
from services.contracts.field_rules import Message
from services.contracts.paging import PageQuery, items_of, next_cursor
from services.contracts.persons import Consent, Contact, Nik
from services.contracts.schema import Choice, ContractSchema, ListOf, Part, TrueOrFalse, WholeNumber
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
MOST_LEGS = 8
"""Public services in one visit."""

RETURN_POSITIONS = ("first", "last")
CANCELLED_BY = ("citizen", "staff", "closure")
"""Who gave a number back, or that the site or its agency was closed; stable, never a text."""

OUTCOMES = ("done", "papers_missing", "collect_later", "referred")


class IssueTicket(ContractSchema):
    """Take a number for a public service at a site."""

    site = Slug(required=True)
    service = ServiceId(required=True)
    priority_class = Choice(*PRIORITY_CLASSES, allow_none=True, load_default=None)
    channel = Choice(*CHANNELS, required=True)
    then = ListOf(
        ServiceId(),
        most=MOST_LEGS - 1,
        unique=True,
        load_default=list,
        about="Further services of the visit, a number for each.",
    )
    nik = Nik(about="Needs a consent to identification. It stands encrypted, and in no answer but `/person`.")
    contact = Part(Contact, about="Needs a consent to contact.")
    consent = Part(Consent)
    print = TrueOrFalse(load_default=False, about="Wait with calling until `confirm` says that the slip was printed; void after 2 minutes.")


class ConfirmPrinting(ContractSchema):
    """Say whether the slip came out of the printer: the ticket waits, or its number is void."""

    id = TicketId(required=True)
    token = Opaque()
    printed = TrueOrFalse(load_default=True)


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


class CheckIn(ContractSchema):
    """Let a reserved number of a visit wait now, before the service that should come first has ended."""

    id = TicketId(required=True)


class UndoCall(ContractSchema):
    """The ticket was called by mistake: it waits again in its old place, as if it had not been called."""

    id = TicketId(required=True)


class HoldTicket(ContractSchema):
    """Put the ticket aside, for a photocopy or a signature; the counter is free for others."""

    id = TicketId(required=True)


class ResumeTicket(ContractSchema):
    """Go on with a ticket that was put aside, as it was before, at the same counter or another one."""

    id = TicketId(required=True)
    counter = CounterId()


class ReturnTicket(ContractSchema):
    """Send the ticket back to the queue: called next in its lane (`first`), or after all who wait now (`last`)."""

    id = TicketId(required=True)
    position = Choice(*RETURN_POSITIONS, required=True)


class TransferTicket(ContractSchema):
    """End this ticket and take a new one for another public service; the visit goes on and the arrival is kept."""

    id = TicketId(required=True)
    service = ServiceId(required=True)


class RejoinTicket(ContractSchema):
    """Who did not come when called joins the queue again, at its end."""

    id = TicketId(required=True)
    token = Opaque()


class SetPriority(ContractSchema):
    """Give the ticket a priority class, or none."""

    id = TicketId(required=True)
    priority_class = Choice(*PRIORITY_CLASSES, required=True, allow_none=True)


class CompleteTicket(ContractSchema):
    """Serving has ended, with an outcome."""

    id = TicketId(required=True)
    outcome = Choice(*OUTCOMES, load_default="done")
    collect_on = BusinessDate(about="When to collect what was applied for; with the outcome `collect_later` only.")

    @validates_schema
    def _is_collected_later(self, data: dict[str, Any], **_: Any) -> None:
        if "collect_on" in data and data["outcome"] != "collect_later":
            raise ValidationError([Message("collected_at_once")], "collect_on")


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
    undone = TrueOrFalse(load_default=False, about="A call that was a mistake and was undone.")


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
    arrived_at = Timestamp(required=True, about="When the visit began; kept when the ticket is transferred.")
    issued_at = Timestamp(required=True)
    turn_at = Timestamp(allow_none=True, load_default=None, about="Decides the turn within the lane, unless null: then `arrived_at` does.")
    counter = CounterId(required=True, allow_none=True, about="Where it was called; null while it waits.")
    recalls = WholeNumber(0, 1000, required=True, about="So often it was called again since its last call.")
    returns = WholeNumber(0, 1000, required=True)
    outcome = Choice(*OUTCOMES, required=True, allow_none=True)
    collect_on = BusinessDate(allow_none=True, load_default=None, about="When to collect what was applied for.")
    transferred_from = TicketId(allow_none=True, load_default=None, about="The ticket of this visit before this one.")
    transferred_to = TicketId(allow_none=True, load_default=None, about="The ticket of this visit after this one.")
    leg = WholeNumber(1, MOST_LEGS, allow_none=True, load_default=None, about="Which service of the visit; null: it has one only.")
    first_estimate_seconds = WholeNumber(
        0,
        31_536_000,
        allow_none=True,
        load_default=None,
        about="Expected from joining the queue to the first call, at joining. Never changed.",
    )
    cancelled_by = Choice(*CANCELLED_BY, allow_none=True, load_default=None, about="Null while it is not cancelled.")
    periods = ListOf(Part(Period), most=1000, required=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True, about="Counts the changes of this ticket, from 1.")


class Ticket(PublicTicket):
    """A ticket as it stands now."""

    position = WholeNumber(1, 1_000_000, required=True, allow_none=True, about="Place in the queue; null: not waiting.")
    estimated_wait_seconds = WholeNumber(
        0, 31_536_000, required=True, allow_none=True, about="Null: not waiting, or no counter for its service is open."
    )


class Leg(ContractSchema):
    """A further number of the same visit; it waits by itself once the service before it has ended."""

    id = TicketId(required=True)
    number = TicketNumber(required=True)
    service = ServiceId(required=True)
    status = Choice(*TICKET_STATES, required=True)


class IssuedTicket(Ticket):
    """A ticket just taken, with the token by which the citizen follows or cancels it and the visit's further numbers."""

    token = Opaque(required=True)
    legs = ListOf(Part(Leg), most=MOST_LEGS, load_default=list)


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
