"""Following tickets and the catalogue: what is to be told, and to whom it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.chassis import metrics
from services.chassis.database import UnitOfWork
from services.chassis.events import Envelope
from services.chassis.following import known_data
from services.contracts.notification import MOST_NOTICES
from services.notification import domain, store
from services.notification.domain import CLOCKS_APART, Places
from services.notification.usecases.planning import Courier, Heard, filters_of, plan_for_webhooks

# --- Queries -------------------------------------------------------------------------------------------------------


def list_notices(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return the notices of a ticket, oldest version first, in the words of a locale."""
    rows = store.newest_notices(work, data["ticket"], MOST_NOTICES)
    return {
        "items": [
            {
                "ticket": row["ticket"],
                "version": row["version"],
                "kind": row["kind"],
                "superseded": row["superseded"],
                "happened_at": row["happened_at"].isoformat(),
                "created_at": row["created_at"].isoformat(),
                "text": domain.text_of(row["kind"], row["parameters"], Places(row["site_name"], row["counter_name"]), data["locale"]),
            }
            for row in reversed(rows)
        ]
    }


# --- Events --------------------------------------------------------------------------------------------------------


def apply_ticket_events(work: UnitOfWork, events: Sequence[Envelope], courier: Courier | None = None) -> None:
    """Record what citizens should be told, once per version of a ticket, in whatever order events arrive.

    Every version is followed, with a notice or without: a call that arrives after the start of serving is history, and
    a letter about it that still waits is not sent any more. What goes out because of an event is planned with it.
    """
    heard = [(event, known_data(event)) for event in events]
    of_tickets = [(event, data["ticket"]) for event, data in heard if "ticket" in data]
    newest: dict[str, store.Version] = {}
    for event, ticket in of_tickets:
        version = store.Version(ticket["version"], event.time if ticket["status"] in domain.ENDED_TICKET_STATES else None)
        newest[ticket["id"]] = max(newest.get(ticket["id"], version), version, key=lambda each: each.number)
    if newest:
        store.follow(work, newest)
    # Asked after the tickets were locked: who subscribes to one of them was before us, or begins behind these events.
    subscribed = _hear(work, heard, {ticket["id"]: ticket["visit"] for _, ticket in of_tickets}, courier)
    _follow_visits(work, of_tickets, subscribed)
    noticed = [(event, ticket, domain.KINDS[event.type]) for event, ticket in of_tickets if event.type in domain.KINDS]
    if noticed:
        store.keep_notices(
            work, [store.Notice(t["id"], t["version"], kind, event.time, domain.parameters_of(t)) for event, t, kind in noticed]
        )
    _tell_subscribers(work, noticed, newest, subscribed)
    erased = [(ticket["visit"], ticket["id"], event.time) for event, ticket in of_tickets if event.type == "ticket.person_erased"]
    if erased:
        store.mail.forget(work, erased)


def _follow_visits(work: UnitOfWork, of_tickets: Sequence[tuple[Envelope, dict[str, Any]]], subscribed: Mapping[str, int]) -> None:
    """Let who wants to be told of a visit be told of this ticket of it, too. What is told anew is no news."""
    heard = {
        ticket["id"]: store.mail.Heard(ticket["id"], ticket["visit"], event.time + CLOCKS_APART)
        for event, ticket in sorted(of_tickets, key=lambda each: each[0].time)
        if ticket["id"] in subscribed and not event.replayed
    }
    if heard:
        store.mail.follow(work, heard.values())


def _tell_subscribers(
    work: UnitOfWork,
    noticed: Sequence[tuple[Envelope, dict[str, Any], str]],
    newest: Mapping[str, store.Version],
    subscribed: Mapping[str, int],
) -> None:
    """Withdraw letters that are no news any more, and plan new ones.

    :param subscribed: newest version by ticket whose visit has subscribers.
    """
    for ticket, version in subscribed.items():
        if newest[ticket].number == version:
            withdrawn = store.deliveries.supersede(work, ticket, version)
            metrics.DELIVERIES.labels("email", "superseded").inc(withdrawn)
    planned = 0
    for event, told, kind in noticed:
        newest_version = subscribed.get(told["id"])
        if newest_version is not None and not event.replayed:
            planned += store.deliveries.plan_mail(
                work,
                event_id=event.id,
                type=event.type,
                ticket=told["id"],
                version=told["version"],
                kind=kind,
                news=told["version"] == newest_version,
                new_number=event.type == "ticket.issued" and told["transferred_from"] is not None,
            )
    if planned:
        store.hints.leave(work, work.now)


def apply_catalog_event(work: UnitOfWork, event: Envelope, courier: Courier | None = None) -> None:
    """Keep the names of sites and counters up to date; an older version than the one kept changes nothing."""
    data = known_data(event)
    _hear(work, [(event, data)], {}, courier)
    for kind in ("site", "counter"):
        if kind in data:
            store.keep_place_name(work, kind, data[kind]["id"], data[kind]["name"], data[kind]["version"])


def apply_other_event(work: UnitOfWork, event: Envelope, courier: Courier | None = None) -> None:
    """Pass an event on to webhooks; nothing of it is kept here."""
    _hear(work, [(event, known_data(event))], {}, courier)


def _hear(work: UnitOfWork, heard: Heard, tickets: Mapping[str, str], courier: Courier | None) -> Mapping[str, int]:
    """Plan events for webhooks; return the newest version heard of by ticket whose visit has subscribers.

    :param tickets: the visit of each.
    """
    audience = store.audience_of(work, tickets, filters_of(heard))
    if audience.webhooks:
        plan_for_webhooks(work, heard, audience.webhooks, courier)
    return audience.subscribed
