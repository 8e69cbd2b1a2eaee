"""Events and a consumer without a broker: what the queue would hand over is given by hand."""

import itertools
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.chassis.database import Database, UnitOfWork
from services.chassis.events import Envelope
from services.chassis.handlers import one_by_one
from services.chassis.inbox import Inbox
from tests.integration.chassis.conftest import Administration, schema

_numbers = itertools.count(1)
COPY = sa.text("INSERT INTO copy (event_id, account, amount) VALUES (:id, :account, :amount)")


class SteppedClock:
    """A clock that runs only when the test moves it."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def event(regency: str, sequence: int, account: str = "a", *, site: str = "main", amount: int = 1, **changes: Any) -> Envelope:
    """An event of the ledger as it arrives."""
    fields: dict[str, Any] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{regency}/{site}/{sequence}")),
        "source": f"/regencies/{regency}/ledger/sites/{site}",
        "type": "entry.added",
        "subject": str(sequence),
        "time": datetime.now(UTC),
        "regency": regency,
        "sequence": sequence,
        "data": {"account": account, "amount": amount},
    }
    return Envelope(**{**fields, **changes})


class Consumer:
    """A mirror: copies every entry, unless the test lets it fail."""

    def __init__(self, database: Database, name: str = "") -> None:
        self.calls: list[int] = []
        self.before: Callable[[UnitOfWork, Envelope], None] = lambda work, event: None
        self.after: Callable[[UnitOfWork, Envelope], None] = lambda work, event: None
        self.inbox = Inbox(database, name or f"mirror.ledger-{next(_numbers)}", one_by_one(self.handle))
        self.name = self.inbox.consumer
        self._lock = threading.Lock()

    def handle(self, work: UnitOfWork, event: Envelope) -> None:
        with self._lock:
            self.calls.append(event.sequence)
        self.before(work, event)
        work.execute(COPY, {"id": event.id, **event.data})
        self.after(work, event)

    def fail_times(self, times: float, error: Exception) -> None:
        """Fail the next so many times, after the effect."""
        attempts = itertools.count(1)

        def fail(work: UnitOfWork, event: Envelope) -> None:
            if next(attempts) <= times:
                raise error

        self.after = fail


def copies(administration: Administration, regency: str) -> list[str]:
    """The ids of the events that had their effect, each as often as it had."""
    return [row[0] for row in administration.run(f"SELECT event_id FROM {schema(regency)}.copy ORDER BY 1")]


def rows(administration: Administration, regency: str) -> dict[int, Any]:
    """The inbox by sequence."""
    return {row.sequence: row for row in administration.run(f"SELECT * FROM {schema(regency)}.inbox ORDER BY sequence")}
