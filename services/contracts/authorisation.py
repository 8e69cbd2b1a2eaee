"""Who may have what done: one rule for each method of each service, the only place where that is written.

The gateway applies a rule before it calls a service, the service again to the context of the call, whoever sent it; the
table of routes in ``gateway/README.md`` and ``x-roles`` in the OpenAPI document are made from it. A method without a rule
does not start.

What a rule says of *scopes* is checked where the facts are: an agency is known once the ticket is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

OPERATOR: Final = "operator"
"""Runs the platform and belongs to no regency."""

SYSTEM: Final = "system"
"""The platform itself: timers, consumers of events, one service asking another. No token can carry this role."""

ROLES: Final = ("kiosk", "display", "officer", "front_desk", "supervisor", "administrator", "auditor", "consumer", OPERATOR)
"""Every role that an access token can carry."""


ROLES_OF_PEOPLE: Final = ("officer", "front_desk", "supervisor", "administrator", "auditor")
"""Those of a regency that an identity provider may give: devices and programs have no account there, and operators sign in here."""


class Scope(StrEnum):
    """How much of its regency a rule opens to a caller who is bound to a part of it."""

    AGENCY = "agency"
    """An account that is bound to agencies: their tickets, services and counters only (``agency_forbidden``); to counters: these
    only (``counter_forbidden``)."""
    SITE = "site"
    """A device that stands at one site: that site only (``channel_not_allowed``)."""
    TICKET = "ticket"
    """Who shows the token of a slip: the tickets of that visit only (``ticket_token_invalid``)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call. Roles hold within the regency of the token; operators and the platform itself act in all."""

    roles: frozenset[str] = frozenset()
    anonymous: bool = False
    """Also callers without a token."""
    any_regency: bool = False
    """Tokens of other regencies are welcome: nothing here belongs to one regency alone."""
    ticket_token: bool = False
    """Also whoever shows the ticket's own token."""
    scopes: frozenset[Scope] = frozenset()

    def admits(self, role: str, *, shows_ticket_token: bool) -> bool:
        """Whether a caller of this role may call; scopes and the regency are looked at by others.

        :param role: one of :data:`ROLES`, ``anonymous`` or :data:`SYSTEM`.
        """
        if role == SYSTEM or role in self.roles or (self.ticket_token and shows_ticket_token):
            return True
        return role == "anonymous" and self.anonymous


def _only(*roles: str, anonymous: bool = False, ticket_token: bool = False, scopes: tuple[Scope, ...] = ()) -> Rule:
    narrowed = {*scopes, *([Scope.TICKET] if ticket_token else [])}
    return Rule(frozenset((*roles, OPERATOR)), anonymous, ticket_token=ticket_token, scopes=frozenset(narrowed))


_COUNTER_STAFF = ("officer", "front_desk", "supervisor", "administrator")
_OF_AGENCY = (Scope.AGENCY,)

PUBLIC: Final = Rule(frozenset(ROLES), anonymous=True, any_regency=True)
"""What hangs on the wall of the building: anybody may read it."""

SIGNED_IN: Final = Rule(frozenset(ROLES), any_regency=True)
"""What everybody does for themselves."""

_INTERNAL = Rule()
"""For the platform itself."""

_WITH_A_SLIP = Rule(ticket_token=True, scopes=frozenset({Scope.TICKET}))
"""For whoever shows the token of a ticket, and nobody else."""

_ADMINISTRATORS = _only("administrator")
_OVERSEERS = _only("supervisor", "administrator")
_AUDITABLE = _only("administrator", "auditor")
_STAFF = _only(*_COUNTER_STAFF, "auditor")
_AT_WORK = _only(*_COUNTER_STAFF, scopes=_OF_AGENCY)
_CALLERS = _only("officer", "supervisor", "administrator", scopes=_OF_AGENCY)
"""Who serves at a counter; the front desk issues and helps."""

_EVENT_READERS = _only("consumer", "supervisor", "administrator", "auditor")

_CATALOG = {
    **dict.fromkeys(("list_regencies", "get_regency", "sign_in", "refresh_session", "sign_out"), PUBLIC),
    **dict.fromkeys(("set_password", "begin_pairing", "claim_pairing"), PUBLIC),
    **dict.fromkeys(("list_sites", "list_agencies", "list_services", "list_counters", "list_hours"), PUBLIC),
    **dict.fromkeys(("get_site", "get_agency", "get_service", "get_counter", "get_hours"), PUBLIC),
    **dict.fromkeys(("create_site", "create_agency", "create_service", "create_counter"), _ADMINISTRATORS),
    **dict.fromkeys(("update_site", "update_agency", "update_service", "update_counter"), _ADMINISTRATORS),
    **dict.fromkeys(("create_hours", "update_hours"), _OVERSEERS),
    **dict.fromkeys(("list_accounts", "get_account", "list_devices", "get_device"), _AUDITABLE),
    **dict.fromkeys(("create_account", "update_account", "create_device", "update_device", "end_sessions"), _ADMINISTRATORS),
    **dict.fromkeys(("create_code", "pair_device"), _ADMINISTRATORS),
    **dict.fromkeys(("load_regency", "get_token_state"), _INTERNAL),
    **dict.fromkeys(("begin_page_session", "renew_page_session", "end_page_session"), _INTERNAL),  # a gateway, for a browser
    **dict.fromkeys(("begin_provider_sign_in", "finish_provider_sign_in"), _INTERNAL),
    "list_identity_providers": PUBLIC,
}

_TICKETING = {
    # devices, staff, and citizens without an account where the site allows the channel
    "issue_ticket": _only("kiosk", *_COUNTER_STAFF, anonymous=True, scopes=(Scope.AGENCY, Scope.SITE)),
    "confirm_printing": _only("kiosk", *_COUNTER_STAFF, ticket_token=True, scopes=_OF_AGENCY),
    **dict.fromkeys(("cancel_ticket", "rejoin_ticket"), _only(*_COUNTER_STAFF, ticket_token=True, scopes=_OF_AGENCY)),
    **dict.fromkeys(("call_next", "open_counter", "pause_counter", "close_counter"), _CALLERS),
    **dict.fromkeys(("call_ticket", "recall_ticket", "undo_call", "start_ticket", "complete_ticket", "mark_no_show"), _AT_WORK),
    **dict.fromkeys(("hold_ticket", "resume_ticket", "return_ticket", "transfer_ticket"), _AT_WORK),
    **dict.fromkeys(("set_priority", "check_in"), _AT_WORK),
    "get_ticket": _only(*_COUNTER_STAFF, "auditor", ticket_token=True),
    "get_ticket_by_token": _WITH_A_SLIP,
    "get_desk": _only(*_COUNTER_STAFF, "auditor", scopes=_OF_AGENCY),
    **dict.fromkeys(("list_tickets", "get_my_counter"), _STAFF),
    **dict.fromkeys(("get_site_day", "get_site_hours"), PUBLIC),
    "get_site_heads": _INTERNAL,
    # of the person behind a ticket: masked for who serves, in full for who checks papers, and for that a row in the audit log
    "get_person": _only(*_COUNTER_STAFF, ticket_token=True, scopes=_OF_AGENCY),
    **dict.fromkeys(("reveal_person", "find_persons"), _only("front_desk", "administrator", scopes=_OF_AGENCY)),
    **dict.fromkeys(("withdraw_consent", "erase_person", "export_person"), _only("administrator", ticket_token=True)),
    **dict.fromkeys(("erase_persons", "export_persons"), _ADMINISTRATORS),
    **dict.fromkeys(("record_breach", "update_breach"), _ADMINISTRATORS),
    **dict.fromkeys(("get_breach", "list_breaches"), _AUDITABLE),
}

_REPORTING = {
    # who serves sees how it goes
    **dict.fromkeys(("daily_report", "skm_report"), _STAFF),
    # comments tell of those at the counter, and are for others to learn from
    "list_surveys": _only("supervisor", "administrator", "auditor"),
    # citizens, who need no account but their slip, and devices at the exit; staff does not answer for them
    "submit_survey": _only("kiosk", anonymous=True, scopes=(Scope.TICKET,)),
    "surveys_of_visits": _INTERNAL,
}

_NOTIFICATION = {
    **dict.fromkeys(("list_webhooks", "get_webhook", "list_deliveries", "list_webhook_deliveries", "list_notices"), _AUDITABLE),
    **dict.fromkeys(("create_webhook", "update_webhook", "delete_webhook", "rotate_webhook_secret"), _ADMINISTRATORS),
    **dict.fromkeys(("test_webhook", "pause_webhook", "resume_webhook", "redeliver_webhook"), _ADMINISTRATORS),
    "redeliver": _OVERSEERS,  # may send a letter again that may have arrived
    **dict.fromkeys(("create_subscription", "delete_subscription"), _only(*_COUNTER_STAFF, ticket_token=True)),
    "get_subscription": _only(*_COUNTER_STAFF, "auditor", ticket_token=True),
    "subscriptions_of_visits": _INTERNAL,
    "unsubscribe": PUBLIC,  # the link in a letter is enough (RFC 8058)
}

_PLATFORM = {
    **dict.fromkeys(("read_events", "list_streams"), _EVENT_READERS),
    **dict.fromkeys(("list_audit", "export_audit"), _AUDITABLE),
    **dict.fromkeys(("stream_heads", "read_log", "read_snapshot", "stream_marks"), _INTERNAL),
}
"""What every service answers about its events and its audit log."""

RULES: Final[Mapping[str, Mapping[str, Rule]]] = {
    "catalog": _CATALOG,
    "ticketing": _TICKETING,
    "reporting": _REPORTING,
    "notification": _NOTIFICATION,
    "platform": _PLATFORM,
}
"""Rules by service and method; those of ``platform`` hold for every service."""


def rule_of(service: str, method: str) -> Rule:
    """Return the rule of a service's method.

    :raises LookupError: nobody has said who may call it.
    """
    for owner in (service, "platform"):
        if method in RULES.get(owner, {}):
            return RULES[owner][method]
    raise LookupError(f"{service}.{method} has no rule in services.contracts.authorisation")
