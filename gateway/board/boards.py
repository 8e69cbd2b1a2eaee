"""The boards of watched sites: begun when somebody asks, fed by events, shown to all who watch.

A site is watched from the first time that anybody asks for its board. One thread does everything that time brings; a
snapshot or comparison, which waits for ticketing, runs in a thread of its own (:mod:`.reconciliation`). All of them are
green threads: they take turns where they wait and nowhere else, so what happens between two waits needs no lock.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from gateway.board.changes import Change, site_of
from gateway.board.reconciliation import RPC_SECONDS, Reconciler, Services
from gateway.board.streams import Slot, Stream, StreamLimits
from gateway.board.watch import Follower, Shown, Watch, digest_of
from gateway.board.watched_sites import EventFeed, WatchedSites
from gateway.problems import Refusal
from services.chassis import metrics
from services.chassis.errors import DomainError, Unavailable
from services.chassis.logs import get_logger

log = get_logger(__name__)

TICK_SECONDS = 0.2
COALESCE_SECONDS = 0.008
"""Changes of one moment (what one relay publishes together) become one board."""

SECONDS_BETWEEN = 0.03
"""Two boards of a site follow each other no faster than the eye sees."""

MOST_AGED = 20
"""So many boards are made anew at one look because a minute has passed: hundreds come one after the other."""

ABANDONED_SECONDS = 3.0
"""How often to look whose reader has hung up."""

SECONDS_PER_STREAM = 0.00002
"""What showing a board to one more stream costs, about: between two boards the others get as much time again."""

FORGET_SECONDS = 30.0
MOST_FOLLOWED = 20_000
CONSUMER = "gateway.boards"


class Boards:
    """The boards of one gateway."""

    def __init__(
        self,
        rpc: Services,
        limits: StreamLimits,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._clock = clock
        self._watched = WatchedSites()
        self._streams: set[Stream] = set()
        self._lost_at: float | None = monotonic()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._ending = threading.Event()
        self._reconciler = Reconciler(rpc, self._wake.set, monotonic=monotonic, clock=clock)

    # --- life

    def start(self, feed: EventFeed) -> None:
        """Begin to keep boards."""
        metrics.begin_boards(CONSUMER)
        self._watched.feed = feed
        threading.Thread(target=self._run, name="boards", daemon=True).start()

    def end_streams(self) -> None:
        """End all streams cleanly, and every new one after its first message: the process is about to stop."""
        self._ending.set()
        for stream in list(self._streams):
            stream.wake()

    def stop(self) -> None:
        """End everything."""
        self.end_streams()
        self._stopping.set()
        self._wake.set()

    def on_connected(self) -> None:
        """The feed has a connection, and a queue in which nothing of before is: every board begins anew."""
        self._lost_at = None
        now = self._monotonic()
        for watch in self._watched:
            watch.want_snapshot("reconnected", now)
        self._wake.set()

    def on_lost(self) -> None:
        """Nothing comes any more."""
        self._lost_at = self._monotonic()
        self._wake.set()

    # --- asking

    def board(self, regency: str, site: str, timeout: float) -> Shown:
        """Return the newest board; begins to watch the site when nobody did.

        :raises DomainError: ``site_unknown``, ``regency_unknown``. ``Unavailable`` when there is no board yet and none to be had.
        """
        shown = self.watch(regency, site, timeout).shown
        if shown is None:
            raise Unavailable("no board yet")
        return shown

    def board_stream(self, regency: str, site: str, client: str, timeout: float) -> Stream:
        """Return a stream of the site's boards, the newest first; raises like :meth:`board`, and for too many streams."""
        return self._stream(lambda: self.watch(regency, site, timeout).slot, client)

    def ticket_stream(self, regency: str, ticket: Mapping[str, Any], token: str | None, client: str, timeout: float) -> Stream:
        """Return a stream of a ticket's states; ``ticket`` is ticketing's answer to the one who asks."""
        return self._stream(lambda: self._follow(regency, ticket, token, timeout).slot, client)

    def follow(self, regency: str, ticket: Mapping[str, Any], token: str, timeout: float) -> None:
        """Keep the state of a ticket whose holder asks again and again."""
        with suppress(DomainError, Refusal):  # then ticketing is asked again
            self._follow(regency, ticket, token, timeout)

    def ticket(self, regency: str, ticket_id: str, token: str, seen_version: int) -> dict[str, Any] | None:
        """Return the state of a ticket to who showed this token before; ``None``: ask ticketing.

        :param seen_version: what the caller holds already; an older one is no answer.
        """
        now = self._monotonic()
        for watch in self._watched.of_regency(regency):
            follower = watch.followers.get(ticket_id)
            if follower is not None:
                if not follower.accepts(token) or follower.outdated or not watch.is_live(now, self._lost_at):
                    return None
                follower.asked_at = watch.asked_at = now
                if follower.ticket["version"] < seen_version:
                    return None
                return watch.status_of(follower.ticket, self._clock())
        return None

    def watch(self, regency: str, site: str, timeout: float) -> Watch:
        """Return the watch of a site, with a board; raises like :meth:`board`."""
        watch = self._watched.get(regency, site) or self._watched.add(regency, site, self._monotonic())
        watch.asked_at = self._monotonic()
        if watch.shown is None:
            self._await_opening(watch, timeout)
        return watch

    def _await_opening(self, watch: Watch, timeout: float) -> None:
        """Have the first of all who ask open the watch; the others share the outcome."""
        if not watch.opening.acquire(timeout=timeout):
            raise Unavailable("no board yet")
        try:
            if watch.failure is not None:
                raise watch.failure
            if watch.shown is None:
                self._open(watch, timeout)
        except Exception as error:
            watch.failure = error
            self._watched.remove(watch)
            raise
        finally:
            watch.opening.release()

    def _open(self, watch: Watch, timeout: float) -> None:
        watch.loading = True
        try:
            self._watched.want_events(watch.regency, min(timeout, RPC_SECONDS))
            self._reconciler.load(watch, timeout)
            watch.show(self._monotonic(), self._clock(), self._lost_at)
        finally:
            watch.loading = False

    def _stream(self, slot: Callable[[], Slot], client: str) -> Stream:
        def leave() -> None:
            self._streams.discard(stream)
            self._limits.leave(client)

        self._limits.enter(client)
        try:
            stream = Stream(slot(), leave, self._ending)
        except BaseException:
            self._limits.leave(client)
            raise
        self._streams.add(stream)
        return stream

    def _follow(self, regency: str, ticket: Mapping[str, Any], token: str | None, timeout: float) -> Follower:
        watch, now = self.watch(regency, ticket["site"], timeout), self._monotonic()
        follower = watch.followers.get(ticket["id"])
        if follower is None:
            if sum(len(other.followers) for other in self._watched.of_regency(regency)) >= MOST_FOLLOWED:
                raise Refusal("busy")
            follower = watch.followers[ticket["id"]] = Follower(ticket, None, now)
        watch.follow(ticket)
        follower.asked_at = now
        if token is not None:
            follower.token_digest = digest_of(token)
        # Where the event of the newest change is still on its way, ticketing's own words are told.
        status = watch.status_of(follower.ticket, self._clock()) or ticket
        if status != follower.status:
            watch.tell(follower, status)
        return follower

    # --- events

    def on_event(self, routing_key: str, body: bytes) -> None:
        """Take an event off the feed; never raises."""
        try:
            regency, _, rest = routing_key.partition(".")
            if rest.startswith("catalog."):
                self._on_catalog_event(regency, body)
                return
            watch = self._watched.get(*(site_of(body) or ("", "")))
            if watch is not None:
                watch.take(Change.read(body), self._monotonic(), self._clock())
                self._wake.set()
        except ValueError as error:
            metrics.EVENTS_HANDLED.labels(CONSUMER, "unknown", "rejected").inc()
            log.warning("event_rejected", consumer=CONSUMER, reason=str(error)[:200])
        except Exception:
            log.exception("board_event_failed")

    def _on_catalog_event(self, regency: str, body: bytes) -> None:
        data, now = json.loads(body).get("data"), self._monotonic()
        if isinstance(data, dict) and "hours" in data:
            for watch in self._watched.of_regency(regency):
                watch.want_snapshot("catalogue", now + 0.1)  # as for others; should ticketing read it later, a comparison tells
        for kind in ("site", "counter", "service"):
            if isinstance(data, dict) and isinstance(entity := data.get(kind), dict):
                for watch in self._watched.of_regency(regency):
                    watch.entity_changed(kind, entity, now)

    # --- what time brings

    def _run(self) -> None:
        next_look = next_forgetting = next_roll_call = 0.0
        while not self._stopping.is_set():
            self._wake.wait(self._pause())
            self._wake.clear()
            try:
                now = self._monotonic()
                if now >= next_look:
                    self.look()
                    next_look = now + TICK_SECONDS
                if now >= next_roll_call:
                    for stream in list(self._streams):
                        stream.end_if_abandoned()
                    next_roll_call = now + ABANDONED_SECONDS
                if now >= next_forgetting:
                    self.forget()
                    next_forgetting = now + FORGET_SECONDS
                self.show_changed()
            except Exception:
                log.exception("boards_failed")
                self._stopping.wait(1.0)

    def _pause(self) -> float:
        now, pause = self._monotonic(), TICK_SECONDS
        for watch in self._watched.changed:
            if watch.projection.sequence >= 0:
                pause = min(pause, self._due(watch) - now)
        return max(0.001, pause)

    def _due(self, watch: Watch) -> float:
        interval = SECONDS_BETWEEN + SECONDS_PER_STREAM * len(watch.slot.streams)
        return max((watch.dirty_at or 0.0) + COALESCE_SECONDS, watch.flushed_at + interval)

    def show_changed(self) -> None:
        """Show what has changed and waited long enough for more to change."""
        now = self._monotonic()
        for watch in list(self._watched.changed):
            if watch.projection.sequence < 0 or self._due(watch) > now:
                continue
            oldest, watch.oldest_change = watch.oldest_change, None
            clock = self._clock()
            watch.show(now, clock, self._lost_at)
            if oldest is not None:
                metrics.EVENT_AGE.labels(CONSUMER).observe(max(0.0, clock - oldest.timestamp()))

    def look(self) -> None:
        """Look at every board, and start the snapshots and comparisons that are due."""
        now, clock = self._monotonic(), self._clock()
        begun = [watch for watch in self._watched if watch.shown is not None]  # else who asked for it first is at it
        for watch in begun:
            watch.look(now, clock, self._lost_at)
        for watch in [watch for watch in begun if watch.is_aged(clock)][:MOST_AGED]:
            watch.dirty(now)
        self._reconciler.start_due(begun, now)

    def forget(self) -> None:
        """Forget what nobody has asked for in a while."""
        self._watched.forget_idle(self._monotonic())
