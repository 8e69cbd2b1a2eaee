"""What the dispatcher knows of a channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.chassis.database import UnitOfWork
from services.notification.domain import Outcome

HandOver = Callable[[], bool]
"""Commits that the parcel is about to be handed over; false when it must not be."""


@dataclass(frozen=True)
class Parcel:
    """One claimed delivery: ``id`` of the delivery, ``claim`` of this attempt, and what its channel needs."""

    regency: str
    id: str
    claim: str
    attempts: int
    """Attempts before this one."""
    content: dict[str, Any]
    since: float = field(default_factory=time.monotonic)
    """When it was claimed, by the process's own clock."""

    @classmethod
    def of(cls, regency: str, row: dict[str, Any]) -> Parcel:
        """Make it from a claimed row."""
        return cls(regency, row["id"], row["claim"], row["attempts"], row)


@dataclass(frozen=True)
class Attempt:
    """A parcel of a channel and how delivering it ended, and when by the process's own clock."""

    channel: str
    parcel: Parcel
    outcome: Outcome
    ended: float = field(default_factory=time.monotonic)


class Channel(Protocol):
    """A way to the outside. Claiming and settling happen in units of work, delivering outside of any."""

    name: str

    def claim(self, work: UnitOfWork, limit: int) -> list[Parcel]:
        """Take up to ``limit`` due deliveries of the unit's regency; nobody else takes them while the lease lasts."""
        ...

    def deliver(self, parcel: Parcel, hand_over: HandOver) -> Outcome:
        """Try once. Never raises, and ends before the lease does."""
        ...

    def hand_over(self, work: UnitOfWork, parcel: Parcel) -> bool:
        """Note that the parcel leaves our hands now; false when it must not."""
        ...

    def settle(self, work: UnitOfWork, attempts: Sequence[Attempt]) -> dict[str, str]:
        """Write down how attempts ended and when to try again; return states by delivery, ``withdrawn`` for what is not ours."""
        ...
