"""What notification does: one function per event or query, inside the unit of work that it is given."""

from __future__ import annotations

from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.errors import PermanentFailure
from services.chassis.events import Envelope
from services.contracts.events import EventTypeUnknown, load_event
from services.contracts.notification import MOST_NOTICES
from services.contracts.schema import PayloadInvalid
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

    Every version is followed, with a notice or without: a call that arrives after the start of serving is history.
    """
    data = _known(event)
    if "ticket" not in data:
        return
    ticket = data["ticket"]
    store.follow(work, ticket["id"], ticket["version"])
    kind = domain.KINDS.get(event.type)
    if kind is not None:
        store.keep_notice(work, ticket["id"], ticket["version"], kind, event.time, domain.parameters_of(ticket))


def apply_catalog_event(work: UnitOfWork, event: Envelope) -> None:
    """Keep the names of sites and counters up to date; an older version than the one kept changes nothing."""
    data = _known(event)
    for kind in ("site", "counter"):
        if kind in data:
            store.keep_place_name(work, kind, data[kind]["id"], data[kind]["name"], data[kind]["version"])


def _known(event: Envelope) -> dict[str, Any]:
    """Return the event's data by its contract; empty for a type that only a newer release knows."""
    try:
        return load_event(event.type, event.data)
    except EventTypeUnknown:
        return {}
    except PayloadInvalid as error:
        raise PermanentFailure("the event breaks its contract") from error
