"""One watched site: its projection, the board that is shown, and the tickets that somebody follows there."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from gateway.answers import encoded
from gateway.board.changes import Change, Entry
from gateway.board.projection import Projection
from gateway.board.streams import Slot, encoded_event
from services.contracts.queue_forecast import AS_OF_SECONDS
from services.contracts.ticketing import Period, PublicTicket

FINAL_STATES = frozenset({"completed", "transferred", "cancelled", "expired", "void"})
"""After these nothing happens to a ticket. Who did not come when called may still join the queue again."""

HOLE_SECONDS = 0.4
"""Two relays publish side by side, so events overtake each other by moments; what is missing longer is fetched."""

_TICKET = tuple(PublicTicket().fields)
_PERIOD = tuple(Period().fields)

BEHIND_SECONDS = 1.0
"""So long may an event that ticketing has written be on its way."""

DOUBT_SECONDS = 12.0
"""Without a sign from ticketing for so long, nobody knows whether a board is still true."""

PUT_BACK = 1_000_000
"""So many changes are not missed: a restore makes streams leap by it (``services.chassis.resuming.LEAP``)."""

OUTAGE_SECONDS = 1.0
"""A connection that is back within this time is not worth a notice on every wall."""


@dataclass(frozen=True)
class Shown:
    """A board as it is handed out."""

    body: bytes
    tag: str
    content: Mapping[str, Any]
    live: bool
    as_of: str


@dataclass
class Follower:
    """A ticket that somebody follows: its newest state, and who may see it."""

    ticket: Mapping[str, Any]
    token_digest: bytes | None
    """Of the token that ticketing has accepted; ``None``: followed by staff only."""
    asked_at: float
    slot: Slot = field(default_factory=Slot)
    status: Mapping[str, Any] | None = None
    outdated: bool = False
    """A snapshot has shown that a change of it was missed."""

    def accepts(self, token: str) -> bool:
        """Whether ticketing has accepted this token before."""
        return self.token_digest is not None and hmac.compare_digest(self.token_digest, digest_of(token))


def digest_of(token: str) -> bytes:
    """Return what is kept of a token: enough to know it again."""
    return hashlib.sha256(token.encode()).digest()


class Watch:
    """Everything about one site that somebody watches. Times are monotonic seconds unless said otherwise."""

    def __init__(self, regency: str, site: str, asked_at: float, changed: set[Watch]) -> None:
        """``changed``: where it is put while there may be something to show."""
        self.regency = regency
        self.site = site
        self.projection = Projection(regency, site)
        self.slot = Slot()
        self.shown: Shown | None = None
        self.followers: dict[str, Follower] = {}
        self.asked_at = asked_at
        self._changed = changed
        self.reload_at: float | None = None
        self.reload_reason = "first"
        self.loading = False
        self.attempts = 0
        self.opening = threading.Lock()
        self.failure: Exception | None = None
        """Why there is no first board; then the watch is no longer among those of the gateway."""
        self.catalogue_attempts = 0
        self._missed_services: set[str] = set()
        self.wanted_versions: dict[tuple[str, str], int] = {}
        self.true_at = 0.0
        """Unix time at which the board was known to be true."""
        self.sign_at = 0.0
        self.hole_at: float | None = None
        self.behind: tuple[int, float] | None = None
        self.dirty_at: float | None = None
        self.flushed_at = float("-inf")
        self.shown_minute = 0.0
        """For which minute estimates were shown."""
        self.oldest_change: datetime | None = None

    # --- what comes in

    def take(self, change: Change, now: float, clock: float) -> None:
        """Take an event of the site."""
        applied = self.projection.add(change)
        self.applied(applied, now, clock)
        self.hole_at = None if not self.projection.has_hole else (self.hole_at if self.hole_at is not None and not applied else now)

    def applied(self, changes: Iterable[Change], now: float, clock: float) -> None:
        """Note what the projection has applied."""
        for change in changes:
            self.dirty(now)
            self.true_at = clock
            if self.oldest_change is None:
                self.oldest_change = change.time
            if change.ticket is not None and change.ticket["id"] in self.followers:
                self.follow(change.ticket)
        if self.projection.behind_date:
            self.want_snapshot("day", now)
        missing = self.projection.missing_services() - self._missed_services
        if missing:  # asked for once each: what ticketing does not know either keeps its id for a name
            self._missed_services |= missing
            self.want_snapshot("catalogue", now)

    def begin(self, day: Mapping[str, Any], asked_sequence: int, now: float, clock: float) -> None:
        """Begin anew from a snapshot.

        :param asked_sequence: what the projection had when the snapshot was asked for: an older one means that
            ticketing's history was put back.
        """
        before = self.projection.sequence
        early = self.projection.begin(day, force=day["sequence"] < asked_sequence)
        if day["sequence"] < asked_sequence or (before >= 0 and day["sequence"] - before >= PUT_BACK):
            self._let_followers_ask_again()
        self.sign_at, self.true_at, self.behind = now, clock, None
        self.attempts, self.reload_at = 0, None
        self.hole_at = now if self.projection.has_hole else None
        self.dirty(now)
        self.applied(early, now, clock)
        for follower in self.followers.values():
            entry = self.projection.knows(follower.ticket["id"])
            known, version = follower.ticket["status"] not in FINAL_STATES, follower.ticket["version"]
            of_today = follower.ticket["business_date"] == self.projection.business_date
            if (entry.version > version) if entry is not None else (known and of_today):
                follower.outdated = True
        self.wanted_versions = {key: v for key, v in self.wanted_versions.items() if self.projection.versions.get(key, 0) < v}

    def compare(self, head: Mapping[str, Any], asked_sequence: int, now: float, clock: float) -> None:
        """Compare with what ticketing says of the site's stream."""
        if self.projection.learn(head):
            self.dirty(now)
        if head["sequence"] < asked_sequence:
            self.want_snapshot("restored", now)
        else:
            self.hear(head["sequence"], now, clock)

    def hear(self, sequence: int, now: float, clock: float) -> None:
        """Hear from ticketing how far the site's stream has come."""
        if sequence > self.projection.sequence:
            self.behind = self.behind or (sequence, now)
        else:
            self.sign_at, self.true_at = now, clock

    def entity_changed(self, kind: str, entity: Mapping[str, Any], now: float) -> None:
        """Note that the catalogue has changed something that this board may show."""
        key = (kind, str(entity["id"]))
        own = {"site": entity["id"] == self.site, "counter": entity.get("site") == self.site}.get(kind, False)
        if not own and key not in self.projection.versions:
            return
        if self.projection.versions.get(key, 0) < entity["version"]:
            self.wanted_versions[key] = max(entity["version"], self.wanted_versions.get(key, 0))
            self.want_snapshot("catalogue", now + 0.1)  # ticketing reads the same event

    def want_snapshot(self, reason: str, when: float) -> None:
        """Have a snapshot taken at the given time, or earlier if that was wanted already."""
        if self.reload_at is None or when < self.reload_at:
            self.reload_at, self.reload_reason = when, reason

    def dirty(self, now: float) -> None:
        """Something that can be seen may have changed."""
        if self.dirty_at is None:
            self.dirty_at = now
            self._changed.add(self)

    # --- what time brings

    def look(self, now: float, clock: float, lost_at: float | None) -> None:
        """Find out whether a snapshot is due, and whether what is shown as live still is."""
        if self.hole_at is not None and now - self.hole_at >= HOLE_SECONDS:
            self.want_snapshot("hole", now)
            self.hole_at = now
        if self.behind is not None:
            if self.projection.sequence >= self.behind[0]:
                self.behind, self.sign_at, self.true_at = None, now, clock
            elif now - self.behind[1] >= BEHIND_SECONDS:
                self.want_snapshot("behind", now)
                self.behind = None
        if self.projection.sequence >= 0 and local_date(clock, self.projection.timezone) > self.projection.business_date:
            self.want_snapshot("day", now)
        if self.shown is not None and self.shown.live != self.is_live(now, lost_at):
            self.dirty(now)

    def is_aged(self, clock: float) -> bool:
        """Whether waits of an earlier minute are shown."""
        return self.shown is not None and self.shown_minute != clock // AS_OF_SECONDS and self.projection.tells_waits

    def is_live(self, now: float, lost_at: float | None) -> bool:
        """Whether the board is known to be true now."""
        connected = lost_at is None or now - lost_at < OUTAGE_SECONDS
        return connected and now - self.sign_at < DOUBT_SECONDS

    def is_idle(self, since: float) -> bool:
        """Whether nobody has asked since, and nobody watches."""
        return self.asked_at < since and not self.slot.streams and not any(f.slot.streams for f in self.followers.values())

    def _let_followers_ask_again(self) -> None:
        """Forget what was known of tickets: after a restore their versions count anew, and some do not exist."""
        for follower in self.followers.values():
            follower.slot.end()
        self.followers.clear()

    def forget_followers(self, since: float) -> None:
        """Forget tickets after which nobody has asked for a while."""
        for ticket in [t for t, f in self.followers.items() if f.asked_at < since and not f.slot.streams]:
            del self.followers[ticket]

    # --- what goes out

    def show(self, now: float, clock: float, lost_at: float | None) -> None:
        """Make board and tickets anew where they have changed, once for all who watch."""
        self.dirty_at, self.flushed_at = None, now
        self._changed.discard(self)
        live = self.is_live(now, lost_at)
        self.shown_minute = clock // AS_OF_SECONDS
        content = self.projection.content(clock)
        if self.shown is None or self.shown.content != content or self.shown.live != live:
            as_of = datetime.fromtimestamp(clock if live else self.true_at, UTC).isoformat(timespec="milliseconds")
            body = encoded({**content, "live": live, "as_of": as_of})
            self.shown = Shown(body, tag_of(body), content, live, as_of)
            self.slot.offer(encoded_event("board", self.projection.sequence, body))
        for follower in self.followers.values():
            status = self.status_of(follower.ticket, clock)
            if status is not None and status != follower.status:
                self.tell(follower, status)

    def tell(self, follower: Follower, status: Mapping[str, Any]) -> None:
        """Hand a ticket's state to who follows it."""
        follower.status = status
        message = encoded_event("ticket", self.projection.sequence, encoded(status))
        follower.slot.offer(message, final=status["status"] in FINAL_STATES)

    def status_of(self, ticket: Mapping[str, Any], clock: float) -> dict[str, Any] | None:
        """Return a ticket with its place in the queue as ticketing would answer it at a Unix time; ``None``: this board cannot tell."""
        position, estimate = None, None
        if ticket["status"] == "waiting":
            entry = self.projection.knows(ticket["id"])
            if entry is None or entry.version != ticket["version"]:
                return None
            position, estimate = self.projection.place(entry, clock)
        return {**ticket, "position": position, "estimated_wait_seconds": estimate}

    def follow(self, ticket: Mapping[str, Any]) -> None:
        """Keep the newer state of a followed ticket."""
        follower = self.followers[ticket["id"]]
        if ticket["version"] >= follower.ticket["version"]:
            follower.ticket = in_order(ticket)
            follower.outdated = False


def in_order(ticket: Mapping[str, Any]) -> dict[str, Any]:
    """Return a public ticket with its members in the contract's order: as an answer or event, it is the same bytes."""
    periods = [{name: period[name] for name in _PERIOD if name in period} for period in ticket["periods"]]
    return {**{name: ticket[name] for name in _TICKET if name in ticket}, "periods": periods}


def tag_of(body: bytes) -> str:
    """Return the strong entity tag of an answer: the same bytes, the same tag."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def local_date(clock: float, timezone: str) -> str:
    """Return the date at a site, at a Unix time."""
    return _date_of_minute(int(clock // 60), timezone)


@lru_cache(maxsize=16)
def _date_of_minute(minute: int, timezone: str) -> str:
    """Days begin with a minute everywhere."""
    return datetime.fromtimestamp(minute * 60, ZoneInfo(timezone)).date().isoformat()


__all__ = ["FINAL_STATES", "Entry", "Follower", "Shown", "Watch", "digest_of", "local_date", "tag_of"]
