"""Events as they happen: from the broker, or from the event logs where the broker is within another process."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from services.chassis.database import Database
from services.chassis.errors import DomainError
from services.chassis.events import TYPE_PREFIX, read_log, stream_heads
from services.chassis.settings import EMBEDDED_BROKER, SERVICES, Settings
from services.chassis.tail import tail

Event = dict[str, Any]

POLL_SECONDS = 0.5
PAGE = 500


@dataclass(frozen=True)
class Wanted:
    """Which events are shown. ``type`` is a pattern without prefix, such as ``ticket.*``; ``None`` means all."""

    regency: str | None = None
    site: str | None = None
    type: str | None = None

    @property
    def routing_key(self) -> str:
        """What to bind to; sites stand in no routing key."""
        return f"{self.regency or '*'}.{self.type or '#'}"

    def takes(self, event: Event) -> bool:
        """Whether an event is meant. A site's events are those of its own stream."""
        return (
            self.regency in (None, event["regency"])
            and (self.site is None or event["source"].endswith(f"/sites/{self.site}"))
            and fnmatchcase(event["type"].removeprefix(TYPE_PREFIX), self.type or "*")
        )


def watch(settings: Settings, wanted: Wanted, *, timeout: float | None = None) -> Iterator[Event]:
    """Yield the events that are wanted from now on; an empty dictionary first, when nothing can be missed any more.

    :param timeout: ends after so many seconds without such an event; ``None`` waits for ever.
    """
    url = settings.required_broker_url()
    if url.startswith(EMBEDDED_BROKER):
        return follow_logs(settings, wanted, timeout=timeout)
    return _until_quiet(tail(url, wanted.routing_key, timeout=timeout), wanted, timeout)


def _until_quiet(events: Iterator[Event], wanted: Wanted, timeout: float | None) -> Iterator[Event]:
    """Yield what is wanted; what is not does not keep the watch alive."""
    heard = time.monotonic()
    for event in events:
        if not event or wanted.takes(event):
            heard = time.monotonic()
            yield event
        elif timeout is not None and time.monotonic() - heard > timeout:
            return


def follow_logs(settings: Settings, wanted: Wanted, *, timeout: float | None = None) -> Generator[Event, None, None]:
    """Yield events as they appear in the logs of all services whose database is configured.

    :raises DomainError: the regency is not known.
    """
    with ExitStack() as open_databases:
        logs = []
        for service in SERVICES:
            if service in settings.database_urls:
                database = Database(service, settings.database_url(service), pool_size=1, placement=settings.placement)
                open_databases.callback(database.close)
                logs.append(_Log(database, wanted))
        for log in logs:
            log.skip()
        yield {}
        quiet_since = time.monotonic()
        while timeout is None or time.monotonic() - quiet_since <= timeout:
            found = sorted((event for log in logs for event in log.news()), key=_moment)
            if found:
                quiet_since = time.monotonic()
                yield from found
            else:
                time.sleep(POLL_SECONDS)


def _moment(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"])


class _Log:
    """The logs of one service, and how far they were read."""

    def __init__(self, database: Database, wanted: Wanted) -> None:
        self._database = database
        self._wanted = wanted
        self._seen: dict[str, int] = {}

    def skip(self) -> None:
        """Pass over what is there."""
        self._each_head(self._seen.__setitem__)

    def news(self) -> list[Event]:
        """Return what has come since."""
        found: list[Event] = []
        for regency in self._regencies():
            with self._database.regency_work(regency, read_only=True) as work:
                for source, head in stream_heads(work).items():
                    while self._seen.get(source, 0) < head:
                        page = [event.to_cloudevent() for event in read_log(work, source, self._seen.get(source, 0), PAGE)]
                        self._seen[source] = int(page[-1]["sequence"]) if page else head
                        found += [event for event in page if self._wanted.takes(event)]
        return found

    def _each_head(self, note: Callable[[str, int], None]) -> None:
        for regency in self._regencies():
            with self._database.regency_work(regency, read_only=True) as work:
                for source, head in stream_heads(work).items():
                    note(source, head)

    def _regencies(self) -> list[str]:
        known = self._database.regencies()
        if self._wanted.regency is None:
            return known
        if self._wanted.regency not in known:
            raise DomainError("regency_unknown", regency=self._wanted.regency)
        return [self._wanted.regency]
