"""Planning deliveries to webhooks with the event, and, while there is room, as if they were claimed already.

What is *born claimed* needs nobody who finds and claims it: whoever handled the event posts it after the commit. If the
process dies before, its lease ends like any other, and a hint has somebody look by then.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from services.chassis.database import UnitOfWork
from services.chassis.events import Envelope
from services.notification import domain, store
from services.notification.channels import Parcel
from services.notification.channels.webhook import LEASE, PER_WEBHOOK

WATCHED_AT_LEAST = timedelta(seconds=35)
"""A hint that comes up no sooner than this is still there when a transaction that relies on it has ended."""


@dataclass(frozen=True)
class Room:
    """What a process could begin to post at once in a regency: so many more, given that these have ended already.

    ``watched_until``: when the hint comes up that it has left last.
    """

    free: int = 0
    ended: Sequence[str] = ()
    watched_until: datetime | None = None


class Courier(Protocol):
    """Who posts at once."""

    def room(self, regency: str) -> Room:
        """Return what could be begun in a regency now."""
        ...

    def begin(self, regency: str, parcels: Sequence[Parcel], watched_until: datetime | None) -> None:
        """Deliver what was born claimed; a hint will come up at that time, if any was left with it."""
        ...


Heard = Sequence[tuple[Envelope, dict[str, Any]]]
"""Events with their data by the contract."""


def filters_of(heard: Heard) -> set[str]:
    """Return the filters of webhooks that want something of it.

    What comes again when projections are made anew, and what a snapshot tells, is no news for anybody outside.
    """
    return {each for event, _ in heard if not event.replayed for each in domain.filters_of(event.type)}


def plan_for_webhooks(work: UnitOfWork, heard: Heard, webhooks: Sequence[Mapping[str, Any]], courier: Courier | None) -> None:
    """Plan events for the webhooks that want them. An unknown type is a newer release's: they get it as it came."""
    plans: list[store.deliveries.Plan] = []
    bodies: dict[str, str] = {}
    contents: dict[str, dict[str, Any]] = {}
    room = Room() if courier is None else courier.room(work.regency)
    free = room.free
    for webhook in webhooks:
        since = datetime.fromisoformat(webhook["created_at"])
        for event, data in heard:
            if event.replayed or not _wants(webhook, since, event, data):
                continue
            if event.id not in bodies:
                bodies[event.id] = json.dumps(event.to_cloudevent(), ensure_ascii=False, separators=(",", ":"))
            claim = str(uuid.uuid4()) if free > 0 and webhook["sound"] else None
            if claim is not None:
                free -= 1
                contents[claim] = {**webhook, "webhook": webhook["id"], "event_id": event.id, "body": bodies[event.id]}
            plans.append(store.deliveries.Plan(webhook["id"], event.id, event.type, claim))
    if not plans:
        return
    planned = store.deliveries.plan_for_webhooks(work, plans, bodies, lease=LEASE, per_webhook=PER_WEBHOOK, ended=room.ended)
    parcels = [Parcel(work.regency, delivery, claim, 0, contents[claim]) for delivery, claim in planned if claim is not None]
    if len(parcels) < len(planned):
        store.hints.leave(work, work.now)
    if parcels and courier is not None:
        watched_until = None
        if room.watched_until is None or room.watched_until < work.now + WATCHED_AT_LEAST:
            watched_until = work.now + LEASE
            store.hints.leave(work, watched_until)
        work.measured.append(partial(courier.begin, work.regency, parcels, watched_until))


def _wants(webhook: Mapping[str, Any], since: datetime, event: Envelope, data: dict[str, Any]) -> bool:
    return domain.wants(
        webhook["events"], webhook["site"], since, event_type=event.type, event_site=_site_of(event, data), happened_at=event.time
    )


def _site_of(event: Envelope, data: dict[str, Any]) -> str | None:
    """Return the site of which an event tells, ``None`` when it concerns the whole regency."""
    _, marker, site = event.source.partition("/sites/")
    if marker:
        return site
    if "site" in data:
        return str(data["site"]["id"]) if isinstance(data["site"], dict) else str(data["site"])
    return next((str(part["site"]) for part in data.values() if isinstance(part, dict) and part.get("site")), None)
