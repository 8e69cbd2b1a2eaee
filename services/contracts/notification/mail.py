"""Notices of a ticket by e-mail, for who holds the ticket's token. The address comes in once and goes out masked."""

from __future__ import annotations

from typing import Any

from services.contracts import shapes
from services.contracts.notification.notices import LOCALES, NOTICE_KINDS
from services.contracts.schema import Choice, ContractSchema, ListOf, PlainText, Text
from services.contracts.values import Opaque, TicketId, Timestamp

USUAL_KINDS = ("called", "recalled", "no_show", "cancelled", "expired", "completed")
"""All but the number itself, which the citizen has just been given."""


class SubscriptionId(TicketId):
    """Id of a subscription: a UUID in lower case."""


class EmailAddress(Text):
    """An address such as ``budi@example.id``; domains in other scripts in their ASCII form (``xn--``)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=254, shape=shapes.EMAIL_ADDRESS, metadata={"format": "email"}, **options)


class CreateSubscription(ContractSchema):
    """Send the notices of a ticket to an address; again with the same address: change language and kinds."""

    ticket = TicketId(required=True)
    token = Opaque()
    email = EmailAddress(required=True)
    locale = Choice(*LOCALES, load_default="id")
    kinds = ListOf(Choice(*NOTICE_KINDS), least=1, most=len(NOTICE_KINDS), unique=True, load_default=lambda: list(USUAL_KINDS))


class GetSubscription(ContractSchema):
    """One subscription, for staff or for who shows the ticket's token."""

    id = SubscriptionId(required=True)
    token = Opaque()


class DeleteSubscription(ContractSchema):
    """Send nothing more and erase the address; the answer is what was deleted."""

    id = SubscriptionId(required=True)
    token = Opaque()


class Unsubscribe(ContractSchema):
    """What the link in a mail's header does (RFC 8058): like deleting, for who holds the mail."""

    id = SubscriptionId(required=True)


class Subscription(ContractSchema):
    """An address that is told about a ticket."""

    id = SubscriptionId(required=True)
    ticket = TicketId(required=True)
    email = PlainText(254, required=True, about="Masked: b***@e***.id")
    locale = Choice(*LOCALES, required=True)
    kinds = ListOf(Choice(*NOTICE_KINDS), most=len(NOTICE_KINDS), required=True)
    created_at = Timestamp(required=True)
