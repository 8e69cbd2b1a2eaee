"""Applies the rule of a route to whoever calls it.

The regency comes first: a token of another regency is refused before anything else is looked at, so that nobody
learns from the answer whether a ticket or an account of that regency exists.
"""

from __future__ import annotations

from gateway.problems import Refusal
from services.chassis.context import ANONYMOUS, Actor
from services.contracts.authorisation import OPERATOR, Rule


def authorise(rule: Rule, actor: Actor, regency: str | None, *, has_ticket_token: bool) -> None:
    """Raise ``Refusal`` (``token_missing``, ``regency_forbidden``, ``role_forbidden``) unless ``actor`` may call."""
    admitted = rule.admits(actor.role, shows_ticket_token=has_ticket_token)
    if actor == ANONYMOUS:
        if not admitted:
            raise Refusal("token_missing")
        return
    if not rule.any_regency and actor.role != OPERATOR and actor.regency != regency:
        raise Refusal("regency_forbidden")
    if not admitted:
        raise Refusal("role_forbidden", roles=sorted(rule.roles))
