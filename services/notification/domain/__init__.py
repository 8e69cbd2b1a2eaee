"""The rules of notification: what is told to whom, when it is tried again, and where nothing is ever sent."""

from services.notification.domain.addresses import is_allowed, literal_of
from services.notification.domain.deliveries import (
    ENDED_TICKET_STATES,
    MAIL_RETRIES,
    REDELIVERABLE,
    WEBHOOK_RETRIES,
    Outcome,
    Retries,
    pause_reason,
    rest_after,
    seconds_of_retry_after,
    verdict_of_status,
)
from services.notification.domain.mail import Letter, letter_of, masked
from services.notification.domain.notices import KINDS, Places, parameters_of, text_of, wording_of
from services.notification.domain.signatures import key_of, new_secret, signature_of, signed_headers
from services.notification.domain.wishes import CLOCKS_APART, filters_of, wants

__all__ = [
    "CLOCKS_APART",
    "ENDED_TICKET_STATES",
    "KINDS",
    "MAIL_RETRIES",
    "REDELIVERABLE",
    "WEBHOOK_RETRIES",
    "Letter",
    "Outcome",
    "Places",
    "Retries",
    "filters_of",
    "is_allowed",
    "key_of",
    "letter_of",
    "literal_of",
    "masked",
    "new_secret",
    "parameters_of",
    "pause_reason",
    "rest_after",
    "seconds_of_retry_after",
    "signature_of",
    "signed_headers",
    "text_of",
    "verdict_of_status",
    "wants",
    "wording_of",
]
