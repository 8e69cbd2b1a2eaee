"""Closing the gaps of one stream: from the owner's log, and where that was cut, from the owner's snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from services.chassis import marks, metrics
from services.chassis.errors import Unavailable
from services.chassis.events import Envelope
from services.chassis.inbox import Inbox
from services.chassis.logs import get_logger
from services.chassis.marks import Standing

log = get_logger(__name__)

PAGE = 200
"""Events or items in memory at a time; fewer when the owner cannot answer so many in time."""


@dataclass(frozen=True)
class SnapshotPage:
    """A page of an owner's snapshot; ``sequence``: the last event that it surely holds."""

    sequence: int
    items: list[Envelope]
    next_cursor: str | None


class Owner(Protocol):
    """What the owner of streams is asked."""

    def heads(self) -> list[dict[str, Any]]:
        """``[{"source", "regency", "sequence"}]`` of all its streams."""

    def log_page(self, regency: str, source: str, after: int, limit: int) -> list[Envelope]:
        """Events of one stream above ``after``, in order."""

    def snapshot_page(self, regency: str, source: str, cursor: str | None, limit: int) -> SnapshotPage:
        """Everything that a stream tells of, as it is now."""


@dataclass
class _Snapshot:
    """A snapshot that is being applied in the place of the events up to ``cut``; ``whole``: nothing is logged behind it."""

    cut: int
    standing: Standing
    whole: bool
    cursor: str | None = None
    items: int = 0


class CatchUp:
    """Reads what one consumer lacks of one stream, a page at a time.

    Whoever goes on with it after a failure goes on where it was; a process that died begins again. All steps can be
    repeated, and done by several replicas at a time.
    """

    def __init__(self, inbox: Inbox, owner: Owner, regency: str, source: str, mark: int, head: int | None) -> None:
        """``head``: how far the owner itself says that the stream goes; ``None`` when only others say more."""
        self._inbox = inbox
        self._owner = owner
        self._regency = regency
        self._source = source
        self._after = mark
        self._head = head
        self._limit = PAGE
        self._snapshot: _Snapshot | None = None
        self.new = 0
        """How many events were new."""

    @property
    def reached(self) -> int:
        """Up to where everything has been handled."""
        return self._after

    def step(self) -> bool:
        """Do one page; return whether there is nothing left to do.

        :raises Unavailable: owner or database away; the same step can be tried again.
        """
        if self._snapshot is not None:
            self._apply_page(self._snapshot)
            return False
        page = self._asked(lambda limit: self._owner.log_page(self._regency, self._source, self._after, limit))
        if page:
            self._handle(page)
        elif self._head is not None and self._after < self._head:
            self._bridge(self._head, whole=True)
        else:
            return True
        return False

    def _handle(self, page: list[Envelope]) -> None:
        """Handle what follows without a hole; sequence and time may disagree a little where a month was cut."""
        run = [event for place, event in enumerate(page, start=1) if event.sequence == self._after + place]
        if not run:
            self._bridge(page[0].sequence - 1, whole=False)
            return
        new = self._inbox.receive_page(self._regency, run)
        self._after = run[-1].sequence
        self.new += new
        metrics.EVENTS_CAUGHT_UP.labels(self._inbox.consumer).inc(new)

    def _bridge(self, cut: int, *, whole: bool) -> None:
        """The log lacks everything up to ``cut``: go on behind it, with the snapshot unless all of it has arrived."""
        with self._inbox.database.regency_work(self._regency) as work:
            standing = marks.standing(work, self._inbox.consumer, self._source, self._after, cut)
        if standing.arrived:
            self._after = cut
            return
        log.warning("event_log_cut", consumer=self._inbox.consumer, source=self._source, mark=max(standing.mark, self._after), cut=cut)
        self._snapshot = _Snapshot(cut, standing, whole)

    def _apply_page(self, snapshot: _Snapshot) -> None:
        page = self._asked(lambda limit: self._owner.snapshot_page(self._regency, self._source, snapshot.cursor, limit))
        if snapshot.cursor is None and snapshot.whole:
            snapshot.cut = max(snapshot.cut, page.sequence)  # of the first page: what happens later may not be in it
        if page.items:
            self._inbox.apply_snapshot(self._regency, page.items)
        snapshot.items += len(page.items)
        if page.next_cursor is None:
            self._finish(snapshot)
        else:
            snapshot.cursor = page.next_cursor

    def _finish(self, snapshot: _Snapshot) -> None:
        consumer, known = self._inbox.consumer, snapshot.standing
        with self._inbox.database.regency_work(self._regency) as work:
            moved = marks.move(work, consumer, self._source, snapshot.cut, known.rebuild)
        if not moved:  # emptied meanwhile, and what had been applied with it: from the beginning
            self._snapshot, self._after = None, 0
            return
        metrics.SNAPSHOTS_APPLIED.labels(consumer).inc()
        log.info("snapshot_applied", consumer=consumer, source=self._source, items=snapshot.items, mark=snapshot.cut)
        self._snapshot, self._after = None, max(self._after, snapshot.cut)

    def _asked(self, ask: Callable[[int], Any]) -> Any:
        """Ask the owner for a page; for a smaller one next time when it could not answer in time."""
        try:
            answer = ask(self._limit)
        except Unavailable as error:
            if error.code == "deadline_exceeded":
                self._limit = max(1, self._limit // 4)
            raise
        self._limit = min(PAGE, self._limit * 2)
        return answer
