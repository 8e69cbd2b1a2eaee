"""The log of personal data breaches: what UU 27/2022, Article 46, has a regency tell within 3 x 24 hours, and that it did."""

from __future__ import annotations

from services.contracts.catalog.entities import MOST_VERSIONS
from services.contracts.paging import PageQuery, items_of, next_cursor
from services.contracts.schema import Choice, ContractSchema, ListOf, MultilineText, TrueOrFalse, WholeNumber
from services.contracts.values import AccountId, TicketId, Timestamp

BREACH_KINDS = ("loss", "theft", "wrong_recipient", "unauthorised_access", "unreadable", "other")
BREACHED_DATA = ("nik", "phone", "email", "comments", "priority_class", "accounts", "other")
HOURS_TO_TELL = 72
LONGEST_TEXT = 2000
MOST_PEOPLE = 1_000_000_000


class BreachId(TicketId):
    """Id of a breach: a UUID in lower case."""


def _breached(**options: bool) -> ListOf:
    return ListOf(Choice(*BREACHED_DATA), least=1, most=len(BREACHED_DATA), unique=True, about="What got out or was lost.", **options)


def _people(**options: bool) -> WholeNumber:
    return WholeNumber(0, MOST_PEOPLE, allow_none=True, about="How many people it concerns; null: not known yet.", **options)


class RecordBreach(ContractSchema):
    """Write a breach down as soon as it is known; what is not known yet is added later."""

    kind = Choice(*BREACH_KINDS, required=True)
    discovered_at = Timestamp(required=True, about="When the regency came to know; the 72 hours count from here.")
    data = _breached(required=True)
    people = WholeNumber(0, MOST_PEOPLE, allow_none=True, load_default=None, about="How many people it concerns; null: not known yet.")
    description = MultilineText(LONGEST_TEXT, required=True, about="When and how; names nobody, long numbers are hidden.")
    measures = MultilineText(LONGEST_TEXT, allow_none=True, load_default=None, about="What was and will be done.")


class UpdateBreach(ContractSchema):
    """Add what is known by now: people, measures, and when the authority and the persons were told."""

    id = BreachId(required=True)
    if_match = WholeNumber(1, MOST_VERSIONS, about="Only if this is still the version.")
    data = _breached()
    people = _people()
    description = MultilineText(LONGEST_TEXT)
    measures = MultilineText(LONGEST_TEXT, allow_none=True)
    authority_told_at = Timestamp(allow_none=True)
    persons_told_at = Timestamp(allow_none=True)


class GetBreach(ContractSchema):
    """One breach."""

    id = BreachId(required=True)


class ListBreaches(PageQuery):
    """Breaches, the newest first; `open`: somebody is still to be told."""

    state = Choice("open", "told")


class Breach(ContractSchema):
    """A breach as it is known by now."""

    id = BreachId(required=True)
    kind = Choice(*BREACH_KINDS, required=True)
    discovered_at = Timestamp(required=True)
    tell_by = Timestamp(required=True, about="72 hours after it was discovered.")
    data = ListOf(Choice(*BREACHED_DATA), most=len(BREACHED_DATA), required=True)
    people = _people(required=True)
    description = MultilineText(LONGEST_TEXT, required=True)
    measures = MultilineText(LONGEST_TEXT, required=True, allow_none=True)
    authority_told_at = Timestamp(required=True, allow_none=True)
    persons_told_at = Timestamp(required=True, allow_none=True)
    overdue = TrueOrFalse(required=True, about="The time is over, and the authority or the persons have not been told.")
    recorded_at = Timestamp(required=True)
    recorded_by = AccountId(required=True, allow_none=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True)


class BreachPage(ContractSchema):
    """A page of breaches."""

    items = items_of(Breach)
    next_cursor = next_cursor()
