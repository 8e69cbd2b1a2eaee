"""Which webhooks want which events."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

CLOCKS_APART = timedelta(seconds=5)
"""So far the clocks of two services may differ: what happened just before a webhook was made may still be sent to it."""


def filters_of(event_type: str) -> set[str]:
    """Return the filters that let a type pass: ``ticket.called`` is wanted by who wants it, ``ticket.*`` or ``*``."""
    return {"*", event_type, f"{event_type.partition('.')[0]}.*"}


def wants(
    filters: Collection[str], site: str | None, since: datetime, *, event_type: str, event_site: str | None, happened_at: datetime
) -> bool:
    """Whether a webhook with such filters, for one site or all, made at ``since``, wants an event; ``event_site``: ``None`` for none."""
    return site in (None, event_site) and since <= happened_at + CLOCKS_APART and not filters_of(event_type).isdisjoint(filters)
