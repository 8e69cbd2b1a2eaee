"""Keeps the boards of watched sites: begins, feeds, checks, shows and forgets them.

A site is watched from the first time that anybody asks for its board. One thread does everything that time brings; a
snapshot or comparison, which waits for ticketing, runs in a thread of its own. All of them are green threads: they
take turns where they wait and nowhere else, so what happens between two waits needs no lock.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from gateway.board.changes import Change, site_of
from gateway.board.streams import Slot, Stream, StreamLimits
from gateway.board.watch import Follower, Shown, Watch, digest_of
from gateway.problems import Refusal
from services.chassis import metrics
from services.chassis.context import ANONYMOUS, SYSTEM, CallContext
from services.chassis.errors import DomainError, Unavailable
from services.chassis.logs import get_logger
from services.contracts.board import MOST_SITES_ASKED

log = get_logger(__name__)

TICK_SECONDS = 0.2
COALESCE_SECONDS = 0.008
"""Changes of one moment (what one relay publishes together) become one board."""

SECONDS_BETWEEN = 0.03
"""Two boards of a site follow each other no faster than the eye sees."""

ABANDONED_SECONDS = 3.0
"""How often to look whose reader has hung up."""

SECONDS_PER_STREAM = 0.00006
"""What showing a board to one more stream costs, about: between two boards the others get as much time again."""

COMPARE_SECONDS = 5.0
SECONDS_PER_COMPARISON = 0.05
"""With many regencies comparisons are spread, so that ticketing hears at most so often from this gateway."""

IDLE_SECONDS = 300.0
MOST_WATCHED = 2_000
MOST_FOLLOWED = 20_000
LOADING_AT_ONCE = 4
LONGEST_PAUSE = 5.0
MOST_CATALOGUE_ATTEMPTS = 8
RPC_SECONDS = 4.0
CONSUMER = "gateway.boards"


class Services(Protocol):
    """Calls services."""

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        """Return the service's answer."""
        ...


class EventFeed(Protocol):
    """Where events come from."""

    def want(self, regency: str, timeout: float) -> None:
        """Have the events of a regency; raises ``BrokerUnavailable``."""
        ...

    def drop(self, regency: str) -> None:
        """Have them no more."""
        ...


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
        self._rpc = rpc
        self._limits = limits
        self._monotonic = monotonic
        self._clock = clock
        self._feed: EventFeed | None = None
        self._watches: dict[tuple[str, str], Watch] = {}
        self._streams: set[Stream] = set()
        self._compared: dict[str, float] = {}
        self._comparing: set[str] = set()
        self._lost_at: float | None = monotonic()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._ending = threading.Event()
        self._loading = threading.Semaphore(LOADING_AT_ONCE)
        metrics.BOARDS_WATCHED.set_function(lambda: len(self._watches))

    # --- life

    def start(self, feed: EventFeed) -> None:
        """Begin to keep boards."""
        self._feed = feed
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
        for watch in list(self._watches.values()):
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
        for watch in self._of_regency(regency):
            follower = watch.followers.get(ticket_id)
            if follower is not None:
                if not follower.accepts(token) or follower.outdated or not watch.is_live(now, self._lost_at):
                    return None
                follower.asked_at = watch.asked_at = now
                if follower.ticket["version"] < seen_version:
                    return None
                return watch.status_of(follower.ticket)
        return None

    def watch(self, regency: str, site: str, timeout: float) -> Watch:
        """Return the watch of a site, with a board; raises like :meth:`board`."""
        watch = self._watches.get((regency, site)) or self._new_watch(regency, site)
        watch.asked_at = self._monotonic()
        if watch.shown is None:
            self._await_opening(watch, timeout)
        return watch

    def _new_watch(self, regency: str, site: str) -> Watch:
        if len(self._watches) >= MOST_WATCHED:
            self._forget(self._monotonic())
            if len(self._watches) >= MOST_WATCHED:
                raise Refusal("busy")
        watch = self._watches[regency, site] = Watch(regency, site, self._monotonic())
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
            if self._watches.get((watch.regency, watch.site)) is watch:
                del self._watches[watch.regency, watch.site]
                self._drop_unwatched(watch.regency)
            raise
        finally:
            watch.opening.release()

    def _open(self, watch: Watch, timeout: float) -> None:
        watch.loading = True
        try:
            if self._feed is not None:
                self._feed.want(watch.regency, min(timeout, RPC_SECONDS))
            self._load(watch, timeout)
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
            if sum(len(other.followers) for other in self._of_regency(regency)) >= MOST_FOLLOWED:
                raise Refusal("busy")
            follower = watch.followers[ticket["id"]] = Follower(ticket, None, now)
        watch.follow(ticket)
        follower.asked_at = now
        if token is not None:
            follower.token_digest = digest_of(token)
        # Where the event of the newest change is still on its way, ticketing's own words are told.
        status = watch.status_of(follower.ticket) or ticket
        if status != follower.status:
            watch.tell(follower, status)
        return follower

    def _of_regency(self, regency: str) -> list[Watch]:
        return [watch for (of, _), watch in list(self._watches.items()) if of == regency]

    # --- events

    def on_event(self, routing_key: str, body: bytes) -> None:
        """Take an event off the feed; never raises."""
        try:
            regency, _, rest = routing_key.partition(".")
            if rest.startswith("catalog."):
                self._on_catalog_event(regency, body)
                return
            watch = self._watches.get(site_of(body) or ("", ""))
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
        for kind in ("site", "counter", "service"):
            if isinstance(data, dict) and isinstance(entity := data.get(kind), dict):
                for watch in self._of_regency(regency):
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
                    self._forget(now)
                    next_forgetting = now + 30.0
                self.show_changed()
            except Exception:
                log.exception("boards_failed")
                self._stopping.wait(1.0)

    def _pause(self) -> float:
        now, pause = self._monotonic(), TICK_SECONDS
        for watch in self._watches.values():
            if watch.dirty_at is not None and watch.projection.sequence >= 0:
                pause = min(pause, self._due(watch) - now)
        return max(0.001, pause)

    def _due(self, watch: Watch) -> float:
        interval = SECONDS_BETWEEN + SECONDS_PER_STREAM * len(watch.slot.streams)
        return max((watch.dirty_at or 0.0) + COALESCE_SECONDS, watch.flushed_at + interval)

    def show_changed(self) -> None:
        """Show what has changed and waited long enough for more to change."""
        now = self._monotonic()
        for watch in list(self._watches.values()):
            if watch.dirty_at is None or watch.projection.sequence < 0 or self._due(watch) > now:
                continue
            oldest, watch.oldest_change = watch.oldest_change, None
            clock = self._clock()
            watch.show(now, clock, self._lost_at)
            if oldest is not None:
                metrics.EVENT_AGE.labels(CONSUMER).observe(max(0.0, clock - oldest.timestamp()))

    def look(self) -> None:
        """Look at every board, and start the snapshots and comparisons that are due."""
        now, clock = self._monotonic(), self._clock()
        by_regency: dict[str, list[Watch]] = {}
        for watch in list(self._watches.values()):
            if watch.shown is None:
                continue  # who asked for it first is at it
            watch.look(now, clock, self._lost_at)
            by_regency.setdefault(watch.regency, []).append(watch)
            if watch.reload_at is not None and watch.reload_at <= now and not watch.loading:
                watch.loading = True
                self._spawn(self._reload, watch)
            elif any(follower.outdated for follower in watch.followers.values()) and not watch.loading:
                watch.loading = True
                self._spawn(self._refresh_followers, watch)
        every = max(COMPARE_SECONDS, SECONDS_PER_COMPARISON * len(by_regency))
        for regency, watches in by_regency.items():
            if regency not in self._comparing and now - self._compared.get(regency, 0.0) >= every:
                self._compared[regency] = now
                self._comparing.add(regency)
                self._spawn(self._compare, regency, watches)

    def _spawn(self, run: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=run, args=arguments, name="boards-asking", daemon=True).start()

    def _reload(self, watch: Watch) -> None:
        reason, watch.reload_at = watch.reload_reason, None
        try:
            with self._loading:
                self._load(watch, RPC_SECONDS)
            metrics.BOARD_SNAPSHOTS.labels(reason).inc()
        except Exception as error:
            watch.attempts += 1
            if not isinstance(error, DomainError):
                log.exception("snapshot_failed", regency=watch.regency, site=watch.site)
            watch.want_snapshot(reason, self._monotonic() + _pause_after(watch.attempts))
        finally:
            watch.loading = False
            self._ask_for_catalogue_again(watch)
            self._wake.set()

    def _ask_for_catalogue_again(self, watch: Watch) -> None:
        """Ticketing may hear of a change of the catalogue later than we do; something it took away never comes."""
        if watch.wanted_versions and watch.catalogue_attempts < MOST_CATALOGUE_ATTEMPTS:
            watch.catalogue_attempts += 1
            watch.want_snapshot("catalogue", self._monotonic() + _pause_after(watch.catalogue_attempts))
        else:
            watch.wanted_versions, watch.catalogue_attempts = {}, 0

    def _load(self, watch: Watch, timeout: float) -> None:
        sequence = watch.projection.sequence
        day = self._ask("get_site_day", {"site": watch.site}, watch.regency, timeout)
        watch.begin(day, sequence, self._monotonic(), self._clock())

    def _compare(self, regency: str, watches: list[Watch]) -> None:
        try:
            for start in range(0, len(watches), MOST_SITES_ASKED):
                asked = {watch.site: (watch, watch.projection.sequence) for watch in watches[start : start + MOST_SITES_ASKED]}
                for head in self._ask("get_site_heads", {"sites": sorted(asked)}, regency, RPC_SECONDS):
                    watch, sequence = asked[head["site"]]
                    watch.compare(head, sequence, self._monotonic(), self._clock())
        except DomainError:
            pass  # nobody answers: boards say so when that lasts
        except Exception:
            log.exception("comparison_failed", regency=regency)
        finally:
            self._comparing.discard(regency)
            self._wake.set()

    def _refresh_followers(self, watch: Watch) -> None:
        try:
            for ticket_id in [ticket_id for ticket_id, follower in watch.followers.items() if follower.outdated]:
                ticket = self._ask("get_ticket", {"id": ticket_id}, watch.regency, RPC_SECONDS)
                if ticket_id in watch.followers:
                    watch.follow(ticket)
            watch.dirty(self._monotonic())
        except DomainError:
            pass  # at the next look
        except Exception:
            log.exception("followers_failed", regency=watch.regency)
        finally:
            watch.loading = False

    def _ask(self, method: str, payload: dict[str, Any], regency: str, timeout: float) -> Any:
        # What hangs on the wall is asked for as anybody; a ticket only after its holder has shown the token.
        actor = SYSTEM if method == "get_ticket" else ANONYMOUS
        context = CallContext(regency, actor, deadline=time.time() + timeout)
        return self._rpc.call("ticketing", method, payload, context)

    def _forget(self, now: float) -> None:
        for key, watch in list(self._watches.items()):
            watch.forget_followers(now - IDLE_SECONDS)
            if watch.is_idle(now - IDLE_SECONDS) and not watch.loading:
                del self._watches[key]
                self._drop_unwatched(watch.regency)

    def _drop_unwatched(self, regency: str) -> None:
        if self._feed is not None and not self._of_regency(regency):
            self._feed.drop(regency)
            self._compared.pop(regency, None)


def _pause_after(attempts: int) -> float:
    return min(LONGEST_PAUSE, 0.1 * float(2 ** min(attempts, 8)))
