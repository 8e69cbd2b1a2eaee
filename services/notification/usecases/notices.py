"""Following tickets and the catalogue: what is to be told, and to whom it is sent."""

from __future__ import annotations

import json
from typing import Any

from services.chassis import metrics
from services.chassis.database import UnitOfWork
from services.chassis.events import Envelope
from services.chassis.following import known_data
from services.contracts.notification import MOST_NOTICES
from services.notification import domain, store
from services.notification.domain import Places

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


def apply_ticket_event(work: UnitOfWork, event: Envelope) -> None:
    """Record what the citizen should be told, once per version of a ticket, in whatever order events arrive.

    Every version is followed, with a notice or without: a call that arrives after the start of serving is history, and
    a letter about it that still waits is not sent any more. What goes out because of an event is planned with it.
    """
    data = known_data(event)
    _plan_for_webhooks(work, event, data)
    if "ticket" not in data:
        return
    ticket = data["ticket"]
    ended_at = event.time if ticket["status"] in domain.ENDED_TICKET_STATES else None
    news = store.follow(work, ticket["id"], ticket["version"], ended_at)
    if news:
        withdrawn = store.deliveries.supersede(work, ticket["id"], ticket["version"])
        metrics.DELIVERIES.labels("email", "superseded").inc(withdrawn)
    kind = domain.KINDS.get(event.type)
    if kind is None:
        return
    store.keep_notice(work, ticket["id"], ticket["version"], kind, event.time, domain.parameters_of(ticket))
    if event.replayed:
        return
    identity = {"event_id": event.id, "type": event.type}
    if store.deliveries.plan_mail(work, **identity, ticket=ticket["id"], version=ticket["version"], kind=kind, news=news):
        store.hints.leave(work, work.now)


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep the names of sites and counters up to date; an older version than the one kept changes nothing."""
    data = known_data(event)
    _plan_for_webhooks(work, event, data)
    for kind in ("site", "counter"):
        if kind in data:
            store.keep_place_name(work, kind, data[kind]["id"], data[kind]["name"], data[kind]["version"])


def apply_other_event(work: UnitOfWork, event: Envelope) -> None:
    """Pass an event on to webhooks; nothing of it is kept here."""
    _plan_for_webhooks(work, event, known_data(event))


def _plan_for_webhooks(work: UnitOfWork, event: Envelope, data: dict[str, Any]) -> None:
    """Plan an event for the webhooks that want it. An unknown type is a newer release's: they get it as it came.

    What comes again when projections are made anew, and what a snapshot tells, is no news for anybody outside.
    """
    if event.replayed:
        return
    body = json.dumps(event.to_cloudevent(), ensure_ascii=False, separators=(",", ":"))
    planned = store.deliveries.plan_for_webhooks(
        work, event_id=event.id, type=event.type, site=_site_of(event, data), happened_at=event.time, body=body
    )
    if planned:
        store.hints.leave(work, work.now)


def _site_of(event: Envelope, data: dict[str, Any]) -> str | None:
    """Return the site of which an event tells, ``None`` when it concerns the whole regency."""
    _, marker, site = event.source.partition("/sites/")
    if marker:
        return site
    if "site" in data:
        return str(data["site"]["id"]) if isinstance(data["site"], dict) else str(data["site"])
    return next((str(part["site"]) for part in data.values() if isinstance(part, dict) and part.get("site")), None)
