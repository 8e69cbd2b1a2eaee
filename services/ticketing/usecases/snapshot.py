"""What ticketing says of a site's stream when its log was cut: every ticket as it is now.

Events about queue days have no item: a day says nothing that its tickets do not.
"""

from __future__ import annotations

from services.chassis.database import UnitOfWork
from services.chassis.snapshots import Item, Section
from services.ticketing import store
from services.ticketing.usecases.answers import public_ticket


def _tickets(work: UnitOfWork, site: str | None, after: str | None, limit: int) -> list[Item]:
    tickets = store.tickets_by_id(work, site, after, limit)
    return [Item(ticket.id, ticket.id, {"ticket": public_ticket(ticket)}) for ticket in tickets]


SNAPSHOT = (Section("ticket.snapshot", _tickets),)
