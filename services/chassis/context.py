"""Who calls, for which regency, and until when: what travels with every command and query."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self


@dataclass(frozen=True)
class Actor:
    """Whoever acts. ``agencies`` is ``None`` for somebody who may act for every agency of the regency, ``counters`` for
    somebody who may work at any counter of these, ``site`` for everybody but a device that stands at one site."""

    id: str | None
    role: str
    regency: str | None = None
    agencies: tuple[str, ...] | None = None
    site: str | None = None
    counters: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {name: getattr(self, name) for name in ("id", "role", "regency", "agencies", "site", "counters")}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild from :meth:`to_dict`."""
        agencies, counters = (None if data.get(name) is None else tuple(data[name]) for name in ("agencies", "counters"))
        return cls(data.get("id"), data["role"], data.get("regency"), agencies, data.get("site"), counters)


ANONYMOUS = Actor(None, "anonymous")
"""A citizen without an account."""

SYSTEM = Actor("system", "system")
"""The platform itself: timers, catch-up, seeding."""

UNBOUND_ROLES = frozenset({"anonymous", "system", "operator"})
"""Roles that carry no regency of their own; every other actor acts in its own regency only."""

DEFAULT_DEADLINE_SECONDS = 5.0
LONGEST_DEADLINE_SECONDS = 3600.0
"""Nobody waits longer; a later deadline is taken for this one."""


@dataclass(frozen=True)
class CallContext:
    """What a call carries besides its payload. ``deadline`` is absolute Unix time in seconds."""

    regency: str | None
    actor: Actor = ANONYMOUS
    command_id: str | None = None
    deadline: float = field(default_factory=lambda: time.time() + DEFAULT_DEADLINE_SECONDS)
    locale: str = "id"
    traceparent: str | None = None
    client: str | None = None
    """The network from which staff or a device calls, for the audit log: never a whole address (:mod:`.origin`)."""
    told: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)
    """What the answer of the call says besides its content: ``repeated``, when it is that of an earlier one with the same command id.
    Goes back, not forth."""

    def remaining(self) -> float:
        """Return the seconds left until the deadline; negative when it is over."""
        return self.deadline - time.time()

    def within(self, seconds: float) -> CallContext:
        """Return the same context with a deadline ``seconds`` from now."""
        return replace(self, deadline=time.time() + seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {**{name: getattr(self, name) for name in _FIELDS}, "actor": self.actor.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild from :meth:`to_dict`; fields that only a newer release knows are passed over.

        :raises ValueError: the deadline is no instant. ``KeyError`` and ``TypeError`` when fields lack or are no fields.
        """
        known = {name: data[name] for name in _FIELDS if name in data}
        deadline = float(data["deadline"])
        if not math.isfinite(deadline):
            raise ValueError("the deadline is no instant")
        deadline = min(deadline, time.time() + LONGEST_DEADLINE_SECONDS)
        return cls(**{**known, "actor": Actor.from_dict(data["actor"]), "deadline": deadline})


_FIELDS = tuple(field.name for field in fields(CallContext) if field.name != "told")
