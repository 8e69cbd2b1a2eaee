"""What a citizen may say of himself with a number, and what becomes of it.

NIK and telephone number come in with a consent, stand encrypted in ticketing, and leave it in the answers below only: never
in an event, a log or an address. Law 27/2022 on personal data: consent (Art. 20-22), rights of the person (Art. 5-13).
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from services.contracts import shapes
from services.contracts.catalog.entities import CHANNELS
from services.contracts.field_rules import Message
from services.contracts.schema import Choice, ContractSchema, ListOf, MultilineText, Part, PlainText, Text, TrueOrFalse, WholeNumber
from services.contracts.values import BusinessDate, Opaque, ServiceId, Slug, TicketId, TicketNumber, Timestamp

PURPOSES = ("identification", "contact")
"""What a citizen consents to: the NIK is used to know who comes (and comes once), the number to be reached."""

ERASED_BECAUSE = ("withdrawn", "requested", "expired")
"""The consent was withdrawn, the person asked for it, or it was kept for as long as it may be."""

MOST_VISITS = 500
MOST_TICKETS = 200


class Nik(Text):
    """A NIK (UU 24/2013): 16 digits, as on the card; only the form is checked, and nobody's residence or age is taken from it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=16, shape=shapes.NIK, **options)


class PhoneNumber(Text):
    """A telephone number: ``0812-3456-7890`` or with the country's code, ``+62 812 3456 7890``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=24, shape=shapes.PHONE_NUMBER, **options)


class Contact(ContractSchema):
    """How the citizen can be reached."""

    phone = PhoneNumber(required=True)


class Consent(ContractSchema):
    """What the citizen agreed to, and to which text."""

    version = BusinessDate(required=True, about="Date of the text that the citizen was shown.")
    purposes = ListOf(
        Choice(*PURPOSES),
        least=1,
        most=len(PURPOSES),
        unique=True,
        required=True,
        about="The NIK needs identification, the number contact.",
    )


class GetPerson(ContractSchema):
    """What is held of the person behind a ticket, masked; for staff of its agency, or for who shows its token."""

    id = TicketId(required=True)
    token = Opaque()


class RevealPerson(ContractSchema):
    """NIK and telephone number of the person behind a ticket in full. Each reading is in the audit log."""

    id = TicketId(required=True)


class WithdrawConsent(ContractSchema):
    """Take back the consent: what was given with it is erased, and no more messages are sent."""

    id = TicketId(required=True)
    token = Opaque()


class ErasePerson(ContractSchema):
    """Erase all that is known of the person behind a ticket's visit, in every part of the platform. The visit itself stays counted."""

    id = TicketId(required=True)
    token = Opaque()


class ExportPerson(ContractSchema):
    """All that is held of the person behind a ticket's visit, masked for who shows a slip: a slip can be found."""

    id = TicketId(required=True)
    token = Opaque()


class _ByPerson(ContractSchema):
    nik = Nik()
    phone = PhoneNumber()

    @validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError([Message("one_search_term")])


class FindPersons(_ByPerson):
    """The visits of whoever has this NIK or this telephone number. Each search is in the audit log."""


class ExportPersons(_ByPerson):
    """All that is held of whoever has this NIK or this telephone number, in full, for who has shown who he is."""


class ErasePersons(_ByPerson):
    """Erase all that is known of whoever has this NIK or this telephone number, over all visits."""


class GivenConsent(ContractSchema):
    """A consent as it is kept, also after what it was given for is gone."""

    version = BusinessDate(required=True)
    purposes = ListOf(Choice(*PURPOSES), most=len(PURPOSES), required=True)
    given_at = Timestamp(required=True)


class Person(ContractSchema):
    """What is held of the person behind a visit."""

    visit = TicketId(required=True)
    nik = PlainText(16, required=True, allow_none=True, about="Masked but for the last four digits, unless it was asked for in full.")
    phone = PlainText(16, required=True, allow_none=True, about="Masked but for the last three digits, unless it was asked for in full.")
    readable = TrueOrFalse(required=True, about="False: encrypted with a key that the platform does not have any more.")
    consent = Part(GivenConsent, required=True)
    erased_at = Timestamp(required=True, allow_none=True)
    erased_because = Choice(*ERASED_BECAUSE, required=True, allow_none=True)


class TicketOfPerson(ContractSchema):
    """A ticket of a visit, as far as it says who came when for what."""

    id = TicketId(required=True)
    number = TicketNumber(required=True)
    site = Slug(required=True)
    service = ServiceId(required=True)
    business_date = BusinessDate(required=True)
    channel = Choice(*CHANNELS, required=True)
    issued_at = Timestamp(required=True)
    status = PlainText(20, required=True)


class VisitOfPerson(ContractSchema):
    """A visit with its tickets."""

    visit = TicketId(required=True)
    person = Part(Person, required=True, allow_none=True)
    tickets = ListOf(Part(TicketOfPerson), most=MOST_TICKETS, required=True)


class PersonVisits(ContractSchema):
    """Visits, the newest first."""

    visits = ListOf(Part(VisitOfPerson), most=MOST_VISITS, required=True)
    more = TrueOrFalse(required=True, about="There are older ones that did not fit in.")


class Erased(ContractSchema):
    """What was erased. What other parts of the platform hold of these visits follows within seconds."""

    visits = WholeNumber(0, MOST_VISITS, required=True)
    more = TrueOrFalse(required=True, about="There were too many for once: ask again.")


class SubscriptionsOfVisits(ContractSchema):
    """Addresses that are told of these visits."""

    visits = ListOf(TicketId(), most=MOST_VISITS, required=True)
    tickets = ListOf(TicketId(), most=MOST_VISITS * MOST_TICKETS, required=True)
    masked = TrueOrFalse(required=True)


class SurveysOfVisits(ContractSchema):
    """What was said of these visits."""

    visits = ListOf(TicketId(), most=MOST_VISITS, required=True)


class HeldSubscription(ContractSchema):
    """An address that is told of a visit."""

    id = TicketId(required=True)
    visit = TicketId(required=True)
    email = PlainText(254, required=True)
    created_at = Timestamp(required=True)


class HeldSubscriptions(ContractSchema):
    """Addresses that are told of visits."""

    items = ListOf(Part(HeldSubscription), most=10 * MOST_VISITS, required=True)


class HeldSurvey(ContractSchema):
    """What was said of a visit."""

    id = TicketId(required=True)
    visit = TicketId(required=True)
    submitted_at = Timestamp(required=True)
    comment = MultilineText(2000, required=True, allow_none=True)


class HeldSurveys(ContractSchema):
    """What was said of visits."""

    items = ListOf(Part(HeldSurvey), most=MOST_VISITS, required=True)


class PersonExport(ContractSchema):
    """All that the platform holds of a person."""

    visits = ListOf(Part(VisitOfPerson), most=MOST_VISITS, required=True)
    more = TrueOrFalse(required=True)
    subscriptions = ListOf(Part(HeldSubscription), most=10 * MOST_VISITS, required=True)
    surveys = ListOf(Part(HeldSurvey), most=MOST_VISITS, required=True)
