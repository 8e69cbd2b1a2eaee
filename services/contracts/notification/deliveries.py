"""Deliveries: one event on its way to one webhook, or one notice on its way to one address."""

from __future__ import annotations

from services.contracts import shapes
from services.contracts.notification.webhooks import WebhookId
from services.contracts.paging import PageQuery, items_of, next_cursor
from services.contracts.schema import Choice, ContractSchema, Text, WholeNumber
from services.contracts.values import Opaque, TicketId, Timestamp

CHANNELS = ("webhook", "email")
DELIVERY_STATES = ("pending", "sending", "handing_over", "delivered", "failed", "superseded", "uncertain", "discarded")
"""`handing_over`: the mail server is being given the text; `uncertain`: whether it took it is not known, and it is not
sent again by itself; `superseded`: the ticket had moved on before it could be sent."""


class ListWebhookDeliveries(PageQuery):
    """Deliveries to a webhook, the newest first."""

    webhook = WebhookId(required=True)
    state = Choice(*DELIVERY_STATES)


class ListDeliveries(PageQuery):
    """Deliveries of all channels, the newest first."""

    channel = Choice(*CHANNELS)
    state = Choice(*DELIVERY_STATES)


class RedeliverWebhook(ContractSchema):
    """Send this event to the webhook again, with the same `webhook-id`."""

    webhook = WebhookId(required=True)
    id = TicketId(required=True)


class Redeliver(ContractSchema):
    """Send it again, although it may have arrived."""

    id = TicketId(required=True)


class Delivery(ContractSchema):
    """How far it is. What was answered is not kept, only its status."""

    id = TicketId(required=True)
    channel = Choice(*CHANNELS, required=True)
    webhook = WebhookId(required=True, allow_none=True)
    subscription = TicketId(required=True, allow_none=True)
    event_id = Opaque(100, required=True, about="Id of the event; the `webhook-id` of the request.")
    event_type = Text(max_length=100, shape=shapes.CLOUDEVENT_TYPE, required=True)
    state = Choice(*DELIVERY_STATES, required=True)
    attempts = WholeNumber(0, 1000, required=True)
    last_status = WholeNumber(0, 999, required=True, allow_none=True, about="What the receiver or mail server last answered.")
    last_error = Opaque(60, required=True, allow_none=True, about="Class of the last failure, such as `connect_timeout`.")
    next_attempt_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    settled_at = Timestamp(required=True, allow_none=True)


class DeliveryPage(ContractSchema):
    """A page of deliveries."""

    items = items_of(Delivery)
    next_cursor = next_cursor()
