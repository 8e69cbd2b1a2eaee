"""Webhooks: events of a regency, sent to a system of its own as they happen, signed."""

from __future__ import annotations

from typing import Any

from services.contracts import shapes
from services.contracts.catalog.entities import MOST_VERSIONS
from services.contracts.paging import PageQuery, items_of, next_cursor
from services.contracts.schema import Choice, ContractSchema, ListOf, PlainText, Text, WholeNumber
from services.contracts.values import Opaque, Slug, TicketId, Timestamp

WEBHOOK_STATES = ("active", "paused")
PAUSE_REASONS = ("administrator", "gone", "failures")
ALL_EVENTS = "*"
MOST_FILTERS = 50
LONGEST_URL = 2000


class WebhookId(TicketId):
    """Id of a webhook: a UUID in lower case."""


class WebhookUrl(Text):
    """Where events are posted: an absolute https address. Services normalise it and say what is wrong with it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_URL, min_length=1, shape=shapes.URL, metadata={"format": "iri"}, **options)


def _filters(**options: Any) -> ListOf:
    inner = Text(max_length=60, shape=shapes.EVENT_FILTER)
    about = "Event types such as `ticket.called`, all of an aggregate (`ticket.*`), or all (`*`)."
    return ListOf(inner, least=1, most=MOST_FILTERS, unique=True, about=about, **options)


class CreateWebhook(ContractSchema):
    """Send events of this regency to a system; the answer shows the secret of its signatures once."""

    url = WebhookUrl(required=True)
    events = _filters(load_default=lambda: [ALL_EVENTS])
    site = Slug(allow_none=True, load_default=None, about="Only events of this site; null: of the whole regency.")
    description = PlainText(200, allow_none=True, load_default=None)


class UpdateWebhook(ContractSchema):
    """Change the fields that are given."""

    id = WebhookId(required=True)
    if_match = WholeNumber(1, MOST_VERSIONS, about="Only if this is still the version.")
    url = WebhookUrl()
    events = _filters()
    site = Slug(allow_none=True)
    description = PlainText(200, allow_none=True)


class GetWebhook(ContractSchema):
    """One webhook."""

    id = WebhookId(required=True)


class ListWebhooks(PageQuery):
    """The webhooks of the regency, oldest first."""


class DeleteWebhook(ContractSchema):
    """Send nothing more; what waits is discarded."""

    id = WebhookId(required=True)


class RotateWebhookSecret(ContractSchema):
    """Make a new secret; for a day every request carries a signature of the old one too."""

    id = WebhookId(required=True)


class TestWebhook(ContractSchema):
    """Send `mpp.webhook.ping`, whatever the filters; the answer is the delivery to look at."""

    id = WebhookId(required=True)


class PauseWebhook(ContractSchema):
    """Send nothing until resumed; events are kept meanwhile."""

    id = WebhookId(required=True)


class ResumeWebhook(ContractSchema):
    """Send again: also what has waited, unless that is to be discarded."""

    id = WebhookId(required=True)
    waiting = Choice("deliver", "discard", load_default="deliver", about="What happens to the events that waited.")


class Webhook(ContractSchema):
    """A system to which events of a regency are sent."""

    id = WebhookId(required=True)
    url = WebhookUrl(required=True)
    events = _filters(required=True)
    site = Slug(required=True, allow_none=True)
    description = PlainText(200, required=True, allow_none=True)
    status = Choice(*WEBHOOK_STATES, required=True)
    paused_reason = Choice(
        *PAUSE_REASONS,
        required=True,
        allow_none=True,
        about="`gone`: the receiver answered 410; `failures`: it failed again and again.",
    )
    paused_at = Timestamp(required=True, allow_none=True)
    failures = WholeNumber(0, 2**31 - 1, required=True, about="Attempts that failed since the last one that succeeded.")
    last_success_at = Timestamp(required=True, allow_none=True)
    last_failure_at = Timestamp(required=True, allow_none=True)
    old_secret_until = Timestamp(required=True, allow_none=True, about="Until then requests are signed with the old secret too.")
    created_at = Timestamp(required=True)
    version = WholeNumber(1, MOST_VERSIONS, required=True)


class CreatedWebhook(Webhook):
    """A webhook with the secret of its signatures, which is shown this once."""

    secret = Opaque(required=True, about="`whsec_` and the key in base64, as Standard Webhooks has it.")


class WebhookPage(ContractSchema):
    """A page of webhooks."""

    items = items_of(Webhook)
    next_cursor = next_cursor()
