"""Subscriptions: an address that is told about a ticket, and about what follows it in the same visit.

Who holds the ticket's token decides; staff see the address masked.

Ticketing knows whether a token fits, so it is asked first, outside of any transaction; what it answers goes into the
command as ``ticket``.
"""

from __future__ import annotations

import uuid
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.encryption import Keyring, KeyUnknown
from services.chassis.errors import Busy, DomainError
from services.chassis.settings import Settings
from services.notification import domain, store
from services.notification.channels.mail import ADDRESS_PURPOSE

OPEN_TICKET_STATES = ("reserved", "waiting", "called", "serving", "on_hold", "no_show")
"""Something can still be told of these; a no-show may rejoin."""

MOST_ADDRESSES = 3
"""Per visit: the citizen, and who helps. More would be a way to send mail to strangers."""


def create_subscription(work: UnitOfWork, data: dict[str, Any], ticket: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Tell an address about a ticket from its present version on, and about the other tickets of its visit.

    The same address again, for whichever of them: change kinds and language.

    :param ticket: the ticket as ticketing answered who holds its token.
    :raises Busy: a newer event of the ticket came in between and found nobody to tell; the caller's repeat asks ticketing anew.
    """
    if settings.delivery.mail_server is None:
        raise DomainError("mail_not_configured")
    if ticket["status"] in domain.ENDED_TICKET_STATES - {"no_show"}:
        raise DomainError("ticket_state_conflict", status=ticket["status"], allowed=list(OPEN_TICKET_STATES))
    keyring, address = Keyring(settings.required_encryption_keys()), _normal(data["email"])
    hashes = keyring.hashes(address, ADDRESS_PURPOSE)
    present = store.mail.of_visit(work, ticket["visit"], ticket["id"])
    known = sorted((each for each in present if each.address_hash in hashes), key=lambda each: each.ticket != ticket["id"])
    if known:
        store.mail.change(work, known[0].made, data["locale"], data["kinds"])
        if known[0].ticket == ticket["id"]:
            return _found(work, known[0].id)
    if store.newest_heard(work, ticket["id"]) > ticket["version"]:
        raise Busy("the ticket has just changed")
    added = str(uuid.uuid4())
    if known:
        store.mail.add_follower(work, known[0].made, id=added, ticket=ticket["id"], from_version=ticket["version"])
        return _found(work, added)
    if len({each.made for each in present}) >= MOST_ADDRESSES:
        raise DomainError("subscription_limit_reached", limit=MOST_ADDRESSES)
    row = {
        "id": added,
        "ticket": ticket["id"],
        "visit": ticket["visit"],
        "follows": None,
        "address": keyring.encrypt(address, ADDRESS_PURPOSE),
        "address_hash": hashes[0],
        "masked": domain.masked(address),
        "locale": data["locale"],
        "kinds": list(data["kinds"]),
        "from_version": ticket["version"],
        "created_at": work.now,
    }
    store.mail.add(work, row)
    return _found(work, added)


def subscriptions_of_visits(work: UnitOfWork, data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the addresses that are told of visits, masked where they are to be or where no key opens them."""
    keyring = Keyring(settings.required_encryption_keys())

    def address_of(row: dict[str, Any]) -> str:
        try:
            return str(row["masked"]) if data["masked"] else keyring.decrypt(row["address"], ADDRESS_PURPOSE)
        except KeyUnknown:
            return str(row["masked"])

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        return {"id": row["id"], "visit": row["visit"], "email": address_of(row), "created_at": row["created_at"].isoformat()}

    return {"items": [shown(row) for row in store.mail.made_for(work, data["visits"], data["tickets"])]}


def get_subscription(work: UnitOfWork, id: str) -> dict[str, Any]:
    """Return a subscription with its address masked; refuses with ``subscription_unknown``."""
    return _found(work, id)


def delete_subscription(work: UnitOfWork, id: str) -> dict[str, Any]:
    """Erase a subscription, for all tickets of its visit, and what is on its way to it; answer what it was."""
    answer = _found(work, id)
    store.mail.delete(work, id)
    return answer


def unsubscribe(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Erase a subscription for who holds a mail of it: its id is random and stands nowhere else."""
    return delete_subscription(work, data["id"])


def _found(work: UnitOfWork, id: str) -> dict[str, Any]:
    row = store.mail.find(work, id)
    if row is None:
        raise DomainError("subscription_unknown")
    shown = {name: row[name] for name in ("id", "ticket", "locale", "kinds")}
    return {**shown, "email": row["masked"], "created_at": row["created_at"].isoformat()}


def _normal(address: str) -> str:
    """Domains do not tell capitals from small letters; whether the part before them does is the receiver's business."""
    local, _, domain_name = address.rpartition("@")
    return f"{local}@{domain_name.lower()}"
