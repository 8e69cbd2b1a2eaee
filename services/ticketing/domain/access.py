"""Who may do what: roles, agencies, and the token on the citizen's slip."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Collection, Mapping

from services.ticketing.domain.refusal import QueueRefusal

STAFF_ROLES = frozenset({"officer", "front_desk", "supervisor", "administrator", "operator", "system"})
"""Who needs no slip to act on a ticket. Which role may call which method stands in `services.contracts.authorisation`."""

CHANNELS_OF_ROLE: Mapping[str, frozenset[str]] = {
    "anonymous": frozenset({"web"}),
    "citizen": frozenset({"web"}),
    "kiosk": frozenset({"kiosk"}),
    **{role: frozenset({"front_desk", "kiosk", "web"}) for role in STAFF_ROLES},
}
"""Through which channels a role may issue: a citizen cannot claim to be a kiosk."""


TOKEN_HASH_BYTES = 16
"""128 bits of the keyed hash: beyond guessing, and short enough for a code that a phone reads off a slip."""


def check_channel(role: str, channel: str) -> None:
    """Refuse a channel that is not the caller's."""
    if channel not in CHANNELS_OF_ROLE.get(role, frozenset()):
        raise QueueRefusal("channel_not_allowed", channel=channel)


def check_device_site(bound_to: str | None, site: str) -> None:
    """Refuse a device that stands at another site (``None``: may issue anywhere in its regency)."""
    if bound_to is not None and site != bound_to:
        raise QueueRefusal("channel_not_allowed", site=site, device_site=bound_to)


def check_role(role: str, allowed: Collection[str]) -> None:
    """Refuse a role that is not among those allowed."""
    if role not in allowed:
        raise QueueRefusal("role_forbidden", roles=sorted(allowed))


def check_agency(agencies: Collection[str] | None, agency: str) -> None:
    """Refuse an officer who does not act for this agency (``None``: acts for all)."""
    if agencies is not None and agency not in agencies:
        raise QueueRefusal("agency_forbidden", agency=agency)


def check_counter(counters: Collection[str] | None, counter: str) -> None:
    """Refuse an officer who is not assigned to this counter (``None``: to all)."""
    if counters is not None and counter not in counters:
        raise QueueRefusal("counter_forbidden", counter=counter)


def ticket_token(secret: str, ticket_id: str) -> str:
    """Return the citizen's token for a ticket: its id and a keyed hash of it, 32 bytes in base64url.

    No table holds it and nobody can guess it, and yet it leads to its ticket by itself (:func:`ticket_of_token`).
    """
    digest = hmac.new(secret.encode(), b"ticket:" + ticket_id.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(uuid.UUID(ticket_id).bytes + digest[:TOKEN_HASH_BYTES]).rstrip(b"=").decode()


def check_ticket_token(secret: str, ticket_id: str, token: str | None) -> None:
    """Refuse a wrong token, taking the same time for every wrong one."""
    if token is None or not hmac.compare_digest(ticket_token(secret, ticket_id).encode(), token.encode()):
        raise QueueRefusal("ticket_token_invalid")


def ticket_of_token(secret: str, token: str) -> str:
    """Return the id of the ticket whose token this is; whatever else it may be is refused alike."""
    try:
        ticket_id = str(uuid.UUID(bytes=base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:16]))
    except ValueError as no_token:
        raise QueueRefusal("ticket_token_invalid") from no_token
    check_ticket_token(secret, ticket_id, token)
    return ticket_id
