"""What an inbox handles events with: a function of a unit of work and the events that are handled in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.chassis.database import UnitOfWork
from services.chassis.events import Envelope

Handler = Callable[[UnitOfWork, Envelope], None]
GroupHandler = Callable[[UnitOfWork, Sequence[Envelope]], None]
"""Handles one event or more, of one regency, all new, of one subject in order of their sequence. What it emits belongs
to the first one's trace."""


def one_by_one(handler: Handler) -> GroupHandler:
    """Handle each event of a group by itself. What it emits belongs to its trace; of a replayed one nothing is told again."""

    def handle(work: UnitOfWork, events: Sequence[Envelope]) -> None:
        for event in events:
            before = len(work.emitted)
            work.context = replace(work.context, traceparent=event.traceparent)
            handler(work, event)
            told = [] if event.replayed else work.emitted[before:]
            work.emitted[before:] = [replace(each, traceparent=event.traceparent) for each in told]

    return handle
