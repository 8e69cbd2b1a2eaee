"""Making the projections of a service again, one regency after the other, and watching until they are caught up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from services.chassis import rebuilding, relay
from services.chassis.attention import call_attention
from services.chassis.database import Database
from services.chassis.errors import Busy
from services.chassis.rebuilding import EMPTYING_SECONDS, WAITING_SECONDS, Progress, Projections
from services.contracts.subscriptions import SUBSCRIPTIONS

ATTEMPTS = 5
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 120.0
"""Without any progress for so long nobody is catching up."""

Tell = Callable[[str], None]


class Stalled(Exception):
    """Nothing has moved for :data:`PATIENCE_SECONDS`; what was emptied is filled whenever the services run again."""


class Rebuild:
    """Rebuilds one service, by its database; the running service and the owners of its streams do the work."""

    def __init__(
        self, database: Database, owners: dict[str, Database], projections: Projections, tell: Tell, *, patience: float = PATIENCE_SECONDS
    ) -> None:
        """``owners``: the databases of the services whose streams the projections' consumers read."""
        self._database = database
        self._owners = owners
        self._projections = projections
        self._tell = tell
        self._patience = patience

    def of(self, regency: str, *, again: bool = False) -> Progress:
        """Rebuild one regency to the owners' heads; a rebuild that was begun is gone on with unless ``again``.

        :raises Stalled: nobody catches up.
        :raises Unavailable: a database is away, or handlings under way did not end.
        """
        with self._database.regency_work(regency, read_only=True) as work:
            unfinished = rebuilding.unfinished(work, self._projections)
        if unfinished and not again:
            self._tell(f"{regency}: goes on with a rebuild that was begun before")
        else:
            self._tell(f"{regency}: {self._empty(regency)} rows emptied")
        call_attention(self._database, regency)
        return self._watch(regency)

    def _empty(self, regency: str) -> int:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._database.regency_work(regency, timeout=EMPTYING_SECONDS, lock_timeout=WAITING_SECONDS) as work:
                    return rebuilding.reset(work, self._projections)
            except Busy:
                if attempt == ATTEMPTS:
                    raise
                self._tell(f"{regency}: waits for handlings under way")
        raise AssertionError("unreachable")  # pragma: no cover

    def _watch(self, regency: str) -> Progress:
        heads = list(self._heads(regency))
        seen, moved_at = Progress(-1, 0, 0, 0, 0), time.monotonic()
        while True:
            with self._database.regency_work(regency, read_only=True) as work:
                progress = rebuilding.progress(work, self._projections, heads)
            if progress.caught_up:
                self._tell(f"{regency}: caught up to the heads, {progress.wanted} events")
                return progress
            if replace(progress, failed=0) != replace(seen, failed=0):
                if progress.handled != seen.handled:
                    self._tell(f"{regency}: {progress.handled} of {progress.wanted} events")
                seen, moved_at = progress, time.monotonic()
            elif time.monotonic() - moved_at > self._patience:
                raise Stalled
            time.sleep(LOOK_SECONDS)

    def _heads(self, regency: str) -> Iterable[dict[str, object]]:
        for subscription in SUBSCRIPTIONS:
            if subscription.queue in self._projections:
                for head in relay.stream_heads(self._owners[subscription.owner]):
                    if head["regency"] == regency:
                        yield {**head, "consumer": subscription.queue}
