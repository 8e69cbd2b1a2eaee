"""Reconciles boards with ticketing: snapshots of sites, comparisons of stream positions, tickets whose changes were missed.

Each waits for ticketing in a thread of its own; who watches goes on with what is known meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from gateway.board.watch import Watch
from services.chassis import metrics
from services.chassis.context import SYSTEM, CallContext
from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger
from services.chassis.tenancy import stream_of
from services.contracts.board import MOST_SITES_ASKED

log = get_logger(__name__)

LOOK_SECONDS, MOST_COMPARISONS = 0.5, 5
"""How often to look which comparisons are due, and how many of them to begin then: hundreds come one after the other."""

COMPARE_SECONDS = 5.0
SECONDS_PER_COMPARISON = 0.2
"""With many regencies comparisons are spread, so that ticketing hears at most so often from this gateway; in between one
question about all streams tells whether what was published has come."""

LOADING_AT_ONCE = 4
LONGEST_PAUSE = 5.0
MOST_CATALOGUE_ATTEMPTS = 8
RPC_SECONDS = 4.0


class Services(Protocol):
    """Calls services."""

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        """Return the service's answer."""
        ...


class Reconciler:
    """Asks ticketing what boards must know beyond events.

    :param on_news: called whenever there may be something new to show.
    """

    def __init__(
        self,
        rpc: Services,
        on_news: Callable[[], None],
        *,
        monotonic: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._rpc = rpc
        self._on_news = on_news
        self._monotonic = monotonic
        self._clock = clock
        self._compared: dict[str, float] = {}
        self._compare_at = self._heard = 0.0
        self._comparing: set[str] = set()
        self._loading = threading.Semaphore(LOADING_AT_ONCE)

    def load(self, watch: Watch, timeout: float) -> None:
        """Begin a watch anew from a snapshot; raises what the call raises."""
        sequence = watch.projection.sequence
        day = self._ask("get_site_day", {"site": watch.site}, watch.regency, timeout)
        watch.begin(day, sequence, self._monotonic(), self._clock())

    def start_due(self, watches: Iterable[Watch], now: float) -> None:
        """Start what is due for these watches, which are all that have a board; returns at once."""
        by_regency: dict[str, list[Watch]] = {}
        for watch in watches:
            by_regency.setdefault(watch.regency, []).append(watch)
            if watch.reload_at is not None and watch.reload_at <= now and not watch.loading:
                watch.loading = True
                self._spawn(self._reload, watch)
            elif watch.followers and not watch.loading and any(each.outdated for each in watch.followers.values()):
                watch.loading = True
                self._spawn(self._refresh_followers, watch)
        if now >= self._compare_at:
            self._compare_at = now + LOOK_SECONDS
            self._start_comparisons(by_regency, now)

    def _start_comparisons(self, by_regency: dict[str, list[Watch]], now: float) -> None:
        every = max(COMPARE_SECONDS, SECONDS_PER_COMPARISON * len(by_regency))
        self._compared = {regency: self._compared.get(regency, 0.0) for regency in by_regency}
        due = [each for each, at in self._compared.items() if each not in self._comparing and now - at >= every]
        for regency in sorted(due, key=self._compared.__getitem__)[:MOST_COMPARISONS]:
            self._compared[regency] = now
            self._comparing.add(regency)
            self._spawn(self._compare, regency, by_regency[regency])
        if every > COMPARE_SECONDS and now - self._heard >= COMPARE_SECONDS:
            self._heard = now
            self._spawn(self._hear, [watch for of_regency in by_regency.values() for watch in of_regency])

    def _spawn(self, run: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=run, args=arguments, name="boards-asking", daemon=True).start()

    def _reload(self, watch: Watch) -> None:
        reason, watch.reload_at = watch.reload_reason, None
        try:
            with self._loading:
                self.load(watch, RPC_SECONDS)
            metrics.BOARD_SNAPSHOTS.labels(reason).inc()
        except Exception as error:
            watch.attempts += 1
            if not isinstance(error, Unavailable):
                log.exception("snapshot_failed", regency=watch.regency, site=watch.site)
            watch.want_snapshot(reason, self._monotonic() + _pause_after(watch.attempts))
        finally:
            watch.loading = False
            self._ask_for_catalogue_again(watch)
            self._on_news()

    def _ask_for_catalogue_again(self, watch: Watch) -> None:
        """Ticketing may hear of a change of the catalogue later than we do; something it took away never comes."""
        if watch.wanted_versions and watch.catalogue_attempts < MOST_CATALOGUE_ATTEMPTS:
            watch.catalogue_attempts += 1
            watch.want_snapshot("catalogue", self._monotonic() + _pause_after(watch.catalogue_attempts))
        else:
            watch.wanted_versions, watch.catalogue_attempts = {}, 0

    def _compare(self, regency: str, watches: list[Watch]) -> None:
        try:
            for start in range(0, len(watches), MOST_SITES_ASKED):
                asked = {watch.site: (watch, watch.projection.sequence) for watch in watches[start : start + MOST_SITES_ASKED]}
                for head in self._ask("get_site_heads", {"sites": sorted(asked)}, regency, RPC_SECONDS):
                    watch, sequence = asked[head["site"]]
                    watch.compare(head, sequence, self._monotonic(), self._clock())
        except Unavailable:
            pass  # nobody answers: boards say so when that lasts
        except Exception:
            log.exception("comparison_failed", regency=regency)
        finally:
            self._comparing.discard(regency)
            self._on_news()

    def _hear(self, watches: list[Watch]) -> None:
        """Ask once how far all streams were published; what was written and waits for its relay only a comparison shows."""
        context = CallContext(None, SYSTEM, deadline=time.time() + RPC_SECONDS)
        try:
            heads = {head["source"]: head["sequence"] for head in self._rpc.call("ticketing", "stream_heads", {}, context)}
            for watch in watches:
                head = heads.get(stream_of("ticketing", watch.regency, watch.site))
                if head is not None or watch.projection.sequence == 0:  # else its database server is away
                    watch.hear(head or 0, self._monotonic(), self._clock())
        except Unavailable:
            pass  # nobody answers: boards say so when that lasts
        except Exception:
            log.exception("hearing_failed")
        finally:
            self._on_news()

    def _refresh_followers(self, watch: Watch) -> None:
        try:
            for ticket_id in [ticket_id for ticket_id, follower in watch.followers.items() if follower.outdated]:
                ticket = self._ask("get_ticket", {"id": ticket_id}, watch.regency, RPC_SECONDS)
                if ticket_id in watch.followers:
                    watch.follow(ticket)
            watch.dirty(self._monotonic())
        except Unavailable:
            pass  # at the next look
        except Exception:
            log.exception("followers_failed", regency=watch.regency)
        finally:
            watch.loading = False

    def _ask(self, method: str, payload: dict[str, Any], regency: str, timeout: float) -> Any:
        # A ticket is asked for only after its holder has shown the token; the rest hangs on the wall.
        context = CallContext(regency, SYSTEM, deadline=time.time() + timeout)
        return self._rpc.call("ticketing", method, payload, context)


def _pause_after(attempts: int) -> float:
    return min(LONGEST_PAUSE, 0.1 * float(2 ** min(attempts, 8)))
