"""The close of day: what midnight ends."""

from __future__ import annotations

from datetime import date
from enum import Enum

from services.chassis.database import UnitOfWork
from services.ticketing import store
from services.ticketing.usecases.changing import expire, tell_of_day
from services.ticketing.usecases.staffing import close_sessions

CLOSING_BATCH = 500
"""Tickets expired in one transaction at close of day; a crash in between loses nothing, the rest follows."""


class Closing(Enum):
    """How far the closing of a day has come."""

    MORE = "a batch was expired, more tickets may be open"
    DONE = "the day was closed just now"
    NOT_OURS = "not due, closed already, or somebody else is at it"


def close_due_day(work: UnitOfWork, site: str, day: date) -> Closing:
    """Expire open tickets of an ended day, a batch at a time, and close it with the last batch.

    Nothing is ever booked as completed by the clock. Resumable: what a crash left open is found again.
    """
    ended_at = store.lock_due_day(work, site, day)
    if ended_at is None:
        return Closing.NOT_OURS
    tickets = store.open_tickets(work, site, day, CLOSING_BATCH)
    for ticket in tickets:
        expire(work, ticket, ended_at)
    if len(tickets) == CLOSING_BATCH:
        return Closing.MORE
    close_sessions(work, site, day, ended_at)
    store.close_day(work, site, day)
    tell_of_day(work, "queue.day_closed", site, day, expired=store.expired_count(work, site, day))
    return Closing.DONE
