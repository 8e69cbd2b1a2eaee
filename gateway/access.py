"""Who may call a route: the access rules and the one function that applies them.

The regency comes first: a token of another regency is refused before anything else is looked at, so that nobody
learns from the answer whether a ticket or an account of that regency exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.problems import Refusal
from services.chassis.context import ANONYMOUS, Actor

OPERATOR: Final = "operator"

ROLES: Final = ("kiosk", "display", "officer", "front_desk", "supervisor", "administrator", "auditor", "consumer", OPERATOR)
"""Every role that a token can carry. The operator runs the platform and belongs to no regency."""


@dataclass(frozen=True)
class Access:
    """An access rule. ``roles`` lists who may call with a token of the path's regency."""

    roles: frozenset[str] = frozenset()
    anonymous: bool = False
    """Also callers without a token."""
    any_regency: bool = False
    """Tokens of other regencies are welcome: nothing here belongs to one regency alone."""
    ticket_token: bool = False
    """Also whoever shows the ticket's own token in the header ``Ticket-Token``."""


PUBLIC = Access(frozenset(ROLES), anonymous=True, any_regency=True)
"""What hangs on the wall of the building: anybody may read it."""


def only(*roles: str) -> Access:
    """Return the rule that admits these roles; the operator may act for any regency."""
    return Access(frozenset((*roles, OPERATOR)))


def authorise(access: Access, actor: Actor, regency: str | None, *, has_ticket_token: bool) -> None:
    """Raise ``Refusal`` (``token_missing``, ``regency_forbidden``, ``role_forbidden``) unless ``actor`` may call."""
    if actor == ANONYMOUS:
        if not (access.anonymous or (access.ticket_token and has_ticket_token)):
            raise Refusal("token_missing")
        return
    if not access.any_regency and actor.role != OPERATOR and actor.regency != regency:
        raise Refusal("regency_forbidden")
    if actor.role not in access.roles and not (access.ticket_token and has_ticket_token):
        raise Refusal("role_forbidden", roles=sorted(access.roles))
