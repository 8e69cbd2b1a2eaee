"""What a site decides about its queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class QueuePolicy:
    """A site's rules; the defaults are for what a site's catalogue entry, written by an older release, does not say yet."""

    call_while_serving: bool = False
    max_recalls: int = 3
    recall_gap_seconds: int = 0
    undo_call_seconds: int = 60
    max_rejoins: int = 1
    regular_per_priority: int = 0
    ageing_cap_minutes: int | None = None
    one_ticket_per_person: bool = True
    personal_data_days: int = 30

    @property
    def is_strict(self) -> bool:
        """Whether priority comes first without any exception."""
        return self.regular_per_priority == 0 and self.ageing_cap_minutes is None


def policy_of(site: Mapping[str, Any]) -> QueuePolicy:
    """Return the policy of a site as the catalogue tells of it (``site["policy"]``); what a newer release has added is passed over."""
    known = {field.name for field in fields(QueuePolicy)}
    return QueuePolicy(**{name: value for name, value in site["policy"].items() if name in known})
