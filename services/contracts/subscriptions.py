"""Who listens to whose events.

A subscription takes all events of an owner's aggregates, even those its reader has no use for: sequences are
contiguous per stream, and only who sees all of them sees a hole.
"""

from __future__ import annotations

from dataclasses import dataclass

AGGREGATES: dict[str, tuple[str, ...]] = {
    "catalog": ("catalog",),
    "ticketing": ("ticket", "queue", "counter", "site"),
    "reporting": ("survey",),
}
"""Aggregates of each owner: the first word of its event types, the second of its routing keys."""

PUBLIC_AGGREGATES = ("catalog", "counter", "queue", "site", "survey", "ticket")
"""What programs outside the platform may listen to, within their regency."""

INTERNAL_AGGREGATES: tuple[str, ...] = ()
"""What is nobody's business outside."""

EVENT_TYPES: dict[str, tuple[str, ...]] = {
    "catalog": (
        "catalog.regency_changed",
        "catalog.site_changed",
        "catalog.agency_changed",
        "catalog.service_changed",
        "catalog.counter_changed",
        "catalog.hours_changed",
    ),
    "ticketing": (
        "ticket.issued",
        "ticket.reserved",
        "ticket.checked_in",
        "ticket.called",
        "ticket.recalled",
        "ticket.call_undone",
        "ticket.serving_started",
        "ticket.held",
        "ticket.resumed",
        "ticket.returned",
        "ticket.transferred",
        "ticket.completed",
        "ticket.no_show",
        "ticket.rejoined",
        "ticket.priority_changed",
        "ticket.cancelled",
        "ticket.expired",
        "ticket.voided",
        "ticket.person_erased",
        "queue.day_opened",
        "queue.day_closed",
        "counter.opened",
        "counter.paused",
        "counter.closed",
        "site.closed",
        "site.reopened",
    ),
    "reporting": ("survey.submitted",),
}
"""Every event type that is published today, by owner."""

SNAPSHOT_TYPES: dict[str, tuple[str, ...]] = {
    "catalog": (
        "catalog.regency_snapshot",
        "catalog.site_snapshot",
        "catalog.agency_snapshot",
        "catalog.service_snapshot",
        "catalog.counter_snapshot",
        "catalog.hours_snapshot",
    ),
    "ticketing": ("ticket.snapshot",),
}
"""Types of the items of a snapshot, by owner. They are never on the exchange: a reader asks for them (`read_snapshot`)."""


@dataclass(frozen=True)
class Subscription:
    """The durable `queue` of one reader, bound to `aggregates` of `owner`, of all regencies."""

    queue: str
    owner: str
    aggregates: tuple[str, ...]


def binding_keys(subscription: Subscription) -> tuple[str, ...]:
    """Topic patterns that bind the queue to the exchange: ``*.ticket.*`` takes tickets of every regency."""
    return tuple(f"*.{aggregate}.*" for aggregate in subscription.aggregates)


def routing_key(regency: str, event_type: str) -> str:
    """Where an event is published: ``lampung-timur.ticket.called``."""
    return f"{regency}.{event_type}"


def _subscription(reader: str, owner: str) -> Subscription:
    return Subscription(f"{reader}.{owner}", owner, AGGREGATES[owner])


TICKETING_CATALOG = _subscription("ticketing", "catalog")
REPORTING_TICKETING = _subscription("reporting", "ticketing")
REPORTING_CATALOG = _subscription("reporting", "catalog")
NOTIFICATION_TICKETING = _subscription("notification", "ticketing")
NOTIFICATION_CATALOG = _subscription("notification", "catalog")
NOTIFICATION_REPORTING = _subscription("notification", "reporting")

SUBSCRIPTIONS = (
    TICKETING_CATALOG,
    REPORTING_TICKETING,
    REPORTING_CATALOG,
    NOTIFICATION_TICKETING,
    NOTIFICATION_CATALOG,
    NOTIFICATION_REPORTING,
)
"""All queues; they are declared before any relay publishes, and again after a broker lost its disk."""
