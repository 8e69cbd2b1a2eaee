"""The sites that somebody watches here, and with them the regencies whose events are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from gateway.board.watch import Watch
from gateway.problems import Refusal
from services.chassis import metrics

IDLE_SECONDS = 300.0
MOST_WATCHED = 2_000


class EventFeed(Protocol):
    """Where events come from."""

    def want(self, regency: str, timeout: float) -> None:
        """Have the events of a regency; raises ``BrokerUnavailable``."""
        ...

    def drop(self, regency: str) -> None:
        """Have them no more."""
        ...


class WatchedSites:
    """The watches of one gateway. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.feed: EventFeed | None = None
        self.changed: set[Watch] = set()
        """In which something may have to be shown."""
        self._watches: dict[str, dict[str, Watch]] = {}
        metrics.BOARDS_WATCHED.set_function(lambda: len(self))

    def __len__(self) -> int:
        return sum(map(len, self._watches.values()))

    def __iter__(self) -> Iterator[Watch]:
        # While one is looked at, others come and go.
        return iter([watch for of_regency in self._watches.values() for watch in of_regency.values()])

    def get(self, regency: str, site: str) -> Watch | None:
        """Return the watch of a site; ``None``: nobody watches it."""
        return self._watches.get(regency, {}).get(site)

    def of_regency(self, regency: str) -> list[Watch]:
        """Return the watches of a regency's sites."""
        return list(self._watches.get(regency, {}).values())

    def add(self, regency: str, site: str, now: float) -> Watch:
        """Begin to watch a site; raises ``Refusal`` (``busy``) when too many are watched."""
        if len(self) >= MOST_WATCHED:
            self.forget_idle(now)
            if len(self) >= MOST_WATCHED:
                raise Refusal("busy")
        watch = self._watches.setdefault(regency, {})[site] = Watch(regency, site, now, self.changed)
        return watch

    def want_events(self, regency: str, timeout: float) -> None:
        """Have the events of a regency until none of its sites is watched; raises ``BrokerUnavailable``."""
        if self.feed is not None:
            self.feed.want(regency, timeout)

    def remove(self, watch: Watch) -> None:
        """Watch a site no more; a newer watch of it stays."""
        if self.get(watch.regency, watch.site) is not watch:
            return
        self.changed.discard(watch)
        del self._watches[watch.regency][watch.site]
        if not self._watches[watch.regency]:
            del self._watches[watch.regency]
            if self.feed is not None:
                self.feed.drop(watch.regency)

    def forget_idle(self, now: float) -> None:
        """Forget sites and tickets for which nobody has asked for a while."""
        for watch in self:
            watch.forget_followers(now - IDLE_SECONDS)
            if watch.is_idle(now - IDLE_SECONDS) and not watch.loading:
                self.remove(watch)
