"""Contracts of counters at work, which ticketing keeps: opened, paused and closed by officers. Who works there is nobody's business."""

from __future__ import annotations

from services.contracts.schema import Choice, ContractSchema, ListOf, Part, TrueOrFalse, WholeNumber
from services.contracts.ticketing import Ticket
from services.contracts.values import BusinessDate, CounterId, Slug, Timestamp

COUNTER_STATES = ("open", "paused", "closed")
PAUSE_REASONS = ("break", "prayer", "system", "other")


class OpenCounter(ContractSchema):
    """An officer begins, or goes on, to work at a counter."""

    counter = CounterId(required=True)
    take_over = TrueOrFalse(load_default=False, about="Also when somebody else has it open; a supervisor's business.")


class PauseCounter(ContractSchema):
    """The counter calls nobody for a while; whom it serves is served to the end."""

    counter = CounterId(required=True)
    reason = Choice(*PAUSE_REASONS, load_default="break")


class CloseCounter(ContractSchema):
    """The counter's work is over for today, or until it is opened again."""

    counter = CounterId(required=True)


class GetDesk(ContractSchema):
    """A counter as its officer sees it."""

    counter = CounterId(required=True)


class GetMyCounter(ContractSchema):
    """The counter that the caller has open or paused today; the answer is null when there is none."""


class CounterSession(ContractSchema):
    """How a counter is staffed today."""

    counter = CounterId(required=True)
    site = Slug(required=True)
    business_date = BusinessDate(required=True)
    status = Choice(*COUNTER_STATES, required=True)
    reason = Choice(*PAUSE_REASONS, required=True, allow_none=True, about="Why it is paused.")
    since = Timestamp(required=True)
    mine = TrueOrFalse(required=True, about="The caller is who works there.")


class Desk(ContractSchema):
    """A counter with everything that its officer needs after loading the page anew."""

    counter = CounterId(required=True)
    session = Part(CounterSession, required=True, allow_none=True, about="null: nobody has opened it today.")
    tickets = ListOf(Part(Ticket), most=1000, required=True, about="Called, serving or on hold there, by number.")
    waiting = WholeNumber(0, 1_000_000, required=True, about="Who waits for what the caller may call there.")


class CounterStatusChanged(ContractSchema):
    """A counter was opened, paused or closed. Who works there is nobody's business."""

    counter = CounterId(required=True)
    site = Slug(required=True)
    business_date = BusinessDate(required=True)
    status = Choice(*COUNTER_STATES, required=True)
    reason = Choice(*PAUSE_REASONS, required=True, allow_none=True)
