"""A visit: everything that a process has under way in one regency, from the first delivery to the last outcome."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from services.chassis import metrics
from services.chassis.database import UnitOfWork
from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger
from services.notification import store
from services.notification.channels import Attempt, Channel, Parcel
from services.notification.domain import Outcome

if TYPE_CHECKING:
    from services.notification.dispatching import Dispatcher

log = get_logger(__name__)

PACE_SECONDS = 0.5
"""What has arrived is written down no more often, all of it together. A process that is killed before sends it again."""

HURRIED_PACE_SECONDS = 0.02
"""The same while something waits for its turn, or has failed: soon, but not each by itself."""

IDLE_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
SOON = timedelta(seconds=1)

PATIENCE_SECONDS = 30.0
"""What has waited longer for a free place is left to whoever finds it when its lease ends: it must not end under way."""

SETTLING_SECONDS = 45.0
"""How long to try to write an outcome down while the database is away; after that the lease decides."""


class Visit:
    """Delivers what it is given, and what it finds while it follows hints; writes outcomes down, several together."""

    def __init__(self, dispatcher: Dispatcher, regency: str) -> None:
        self.regency = regency
        self._dispatcher = dispatcher
        self._slots = {name: threading.Semaphore(dispatcher.limits.per_regency) for name in dispatcher.channels}
        self._under_way: Counter[str] = Counter()
        self._attempts: list[Attempt] = []
        self._hints: set[int] = set()
        self._news = False
        """Whether there is a reason to look, besides deliveries that end."""
        self._begun = float("-inf")
        self._pause = 0.0
        self._stirred = threading.Event()

    # --- with the dispatcher's lock held

    def is_over(self) -> bool:
        """Whether nothing is left to do. Until its pace allows the next turn it stays, so that the next one comes no sooner."""
        if self._under_way.total() or self._attempts:
            return False
        return self._dispatcher.stopping.is_set() or not (self.looks or time.monotonic() < self._begun + PACE_SECONDS)

    @property
    def looks(self) -> bool:
        """Whether it follows hints: something older may be waiting."""
        return bool(self._hints)

    @property
    def ended(self) -> Sequence[str]:
        """Deliveries that have ended, which is not written down yet."""
        return [attempt.parcel.id for attempt in self._attempts]

    def free(self, channel: str) -> int:
        """Return how many more of a channel may be begun."""
        limits = self._dispatcher.limits
        return max(0, min(limits.per_regency - self._under_way[channel], limits.in_all - self._dispatcher.under_way))

    def follow(self, hints: Collection[int]) -> None:
        """Take note of hints."""
        self._news = self._news or bool(hints)
        self._hints.update(hints)
        self._stirred.set()

    def count(self, channel: str, change: int) -> None:
        """Note that so many deliveries begin, or end."""
        self._under_way[channel] += change
        self._dispatcher.under_way += change

    def stir(self) -> None:
        """Look again what there is to do."""
        self._stirred.set()

    # --- without it

    def begin(self, parcels: Iterable[tuple[Channel, Parcel]]) -> None:
        """Deliver what was counted already."""
        for channel, parcel in parcels:
            threading.Thread(target=self._deliver, args=(channel, parcel), name=f"{channel.name}-{self.regency}", daemon=True).start()

    def run(self) -> None:
        """Go on until nothing is left to do; never raises."""
        while not self._dispatcher.leave(self):
            self._stirred.clear()
            seconds = self._seconds_until_turn()
            if seconds > 0:
                self._stirred.wait(seconds)
            else:
                with self._dispatcher.turns:
                    self._take_turn()

    def _seconds_until_turn(self) -> float:
        with self._dispatcher.lock:
            stopping = self._dispatcher.stopping.is_set()
            hurried = (self._news and not stopping) or (
                bool(self._attempts) and (self.looks or stopping or any(each.outcome.result != "delivered" for each in self._attempts))
            )
            if not hurried and not self._attempts and (self.looks or self._under_way.total()):
                return IDLE_SECONDS
        pace = HURRIED_PACE_SECONDS if hurried else PACE_SECONDS
        return self._begun + max(pace, self._pause) - time.monotonic()

    def _take_turn(self) -> None:
        """Write down what has ended, and claim more, in one transaction."""
        with self._dispatcher.lock:
            attempts, hints = list(self._attempts), set(self._hints)
            looks = self.looks and not self._dispatcher.stopping.is_set()
            # Before claiming: what ends meanwhile may make room for something.
            idle = not self._under_way.total()
            self._news = False
        if not attempts and not looks:
            return
        self._begun = time.monotonic()
        try:
            with self._dispatcher.database.regency_work(self.regency, plan_once=True) as work:
                states = self._settle(work, attempts)
                parcels = self._claim(work, idle) if looks else []
        except Exception as error:  # noqa: BLE001  (told, and tried again)
            self._failed(error, looks)
            return
        self._pause = 0.0
        followed = looks and idle and not parcels
        with self._dispatcher.lock:
            del self._attempts[: len(attempts)]
            self._hints -= hints if followed else set()
            for channel, _ in parcels:
                self.count(channel.name, 1)
        if followed:
            self._dispatcher.forget(hints)
        self.begin(parcels)
        for attempt in attempts:
            self._show(attempt, states[attempt.parcel.id])

    def _settle(self, work: UnitOfWork, attempts: Sequence[Attempt]) -> dict[str, str]:
        states: dict[str, str] = {}
        for name, channel in self._dispatcher.channels.items():
            own = [attempt for attempt in attempts if attempt.channel == name]
            if own:
                states |= channel.settle(work, own)
        return states

    def _claim(self, work: UnitOfWork, idle: bool) -> list[tuple[Channel, Parcel]]:
        """Claim what is due and the limits allow. Who finds nothing leaves a hint of what others have under way."""
        channels = self._dispatcher.channels
        due = store.deliveries.next_due(work, list(channels))
        parcels: list[tuple[Channel, Parcel]] = []
        if due is not None and due <= work.now:
            for state in store.deliveries.recover(work):
                metrics.DELIVERIES.labels("any", "uncertain" if state == "uncertain" else "recovered").inc()
            for name, channel in channels.items():
                with self._dispatcher.lock:
                    free = self.free(name)
                parcels += [(channel, parcel) for parcel in (channel.claim(work, free) if free else ())]
        if idle and due is not None and not parcels:
            store.hints.leave(work, max(due, work.now + SOON))
        return parcels

    def _failed(self, error: Exception, looks: bool) -> None:
        """Try again soon; what has been tried for long is left to its lease."""
        with self._dispatcher.lock:
            self._news = looks
            oldest = time.monotonic() - SETTLING_SECONDS
            given_up = [attempt for attempt in self._attempts if attempt.ended < oldest]
            self._attempts = self._attempts[len(given_up) :]
            waiting = len(self._attempts)
        self._begun = time.monotonic()
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
        metrics.DELIVERY_FAILURES.inc()
        unexpected = None if isinstance(error, Unavailable) else error
        if waiting:
            log.info("outcomes_wait", regency=self.regency, deliveries=waiting)
        if looks or unexpected or given_up:
            log.warning("deliveries_not_claimed", regency=self.regency, outcomes_given_up=len(given_up), exc_info=unexpected)

    def _deliver(self, channel: Channel, parcel: Parcel) -> None:
        attempt = None
        try:
            with self._slots[channel.name], self._dispatcher.slots:
                if time.monotonic() - parcel.since < PATIENCE_SECONDS:
                    attempt = self._try(channel, parcel)
        finally:
            with self._dispatcher.lock:
                self.count(channel.name, -1)
                if attempt is None:
                    self._news = self.looks
                else:
                    self._attempts.append(attempt)
            self._stirred.set()

    def _try(self, channel: Channel, parcel: Parcel) -> Attempt:
        handed_over = False

        def hand_over() -> bool:
            nonlocal handed_over
            with self._dispatcher.database.regency_work(self.regency) as work:
                allowed = channel.hand_over(work, parcel)
            handed_over = allowed
            return allowed

        with metrics.DELIVERIES_UNDER_WAY.labels(channel.name).track_inprogress(), metrics.DELIVERY_DURATION.labels(channel.name).time():
            try:
                outcome = channel.deliver(parcel, hand_over)
            except Exception:
                log.exception("channel_failed", channel=channel.name, regency=self.regency, delivery=parcel.id)
                outcome = Outcome("uncertain" if handed_over else "retry", "fault")
        return Attempt(channel.name, parcel, outcome)

    def _show(self, attempt: Attempt, state: str) -> None:
        outcome, shown = attempt.outcome, "retry" if state == "pending" else state
        metrics.DELIVERIES.labels(attempt.channel, shown).inc()
        metrics.REGENCY_DELIVERIES.labels(self.regency, attempt.channel, shown).inc()
        log.info(
            "delivery_tried",
            channel=attempt.channel,
            regency=self.regency,
            delivery=attempt.parcel.id,
            state=state,
            error=outcome.error,
            status=outcome.status,
        )
