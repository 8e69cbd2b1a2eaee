"""What a citizen is told about a ticket. Texts name the number, never the person."""

from __future__ import annotations

from services.contracts.catalog.entities import MOST_VERSIONS
from services.contracts.schema import Choice, ContractSchema, ListOf, Part, PlainText, TrueOrFalse, WholeNumber
from services.contracts.values import TicketId, Timestamp

LOCALES = ("id", "en")
NOTICE_KINDS = ("issued", "called", "recalled", "no_show", "cancelled", "expired", "completed")

MOST_NOTICES = 1000


class ListNotices(ContractSchema):
    """What was to be told about one ticket, in Indonesian (``id``) or English (``en``)."""

    ticket = TicketId(required=True)
    locale = Choice(*LOCALES, load_default="id")


class Notice(ContractSchema):
    """Something that the holder of a ticket should know; there is at most one for each version of a ticket."""

    ticket = TicketId(required=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True, about="Version of the ticket that this tells of.")
    kind = Choice(*NOTICE_KINDS, required=True)
    superseded = TrueOrFalse(required=True, about="The ticket has changed since: this is history, not news.")
    happened_at = Timestamp(required=True)
    created_at = Timestamp(required=True, about="When the platform decided to tell it.")
    text = PlainText(1000, required=True)


class NoticeList(ContractSchema):
    """Notices of a ticket, oldest version first; empty while nothing is known of the ticket."""

    items = ListOf(Part(Notice), most=MOST_NOTICES, required=True)
