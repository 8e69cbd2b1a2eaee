"""An owner of streams without a broker: what a consumer is answered that asks for heads, log and snapshot."""

from typing import Any

from services.chassis.catch_up import SnapshotPage
from services.chassis.events import Envelope


class Owner:
    """What the owner of the streams would answer: its heads and its log."""

    def __init__(self) -> None:
        self.logged: dict[str, list[Envelope]] = {}
        self.reads: list[tuple[str, int]] = []
        self.away: Exception | None = None
        self.heads_by_hand: list[dict[str, Any]] = []
        self.state: dict[str, list[Envelope]] = {}
        self.stands_at = 0
        self.snapshots: list[tuple[str, str | None]] = []

    def has(self, *events: Envelope) -> None:
        for each in events:
            self.logged.setdefault(each.source, []).append(each)

    def heads(self) -> list[dict[str, Any]]:
        if self.away:
            raise self.away
        known = [{"source": source, "regency": log[-1].regency, "sequence": log[-1].sequence} for source, log in self.logged.items()]
        return known + self.heads_by_hand

    def log_page(self, regency: str, source: str, after: int, limit: int) -> list[Envelope]:
        self.reads.append((source, after))
        if self.away:
            raise self.away
        return [each for each in self.logged.get(source, []) if each.sequence > after][:limit]

    def snapshot_page(self, regency: str, source: str, cursor: str | None, limit: int) -> SnapshotPage:
        self.snapshots.append((source, cursor))
        if self.away:
            raise self.away
        items = self.state.get(source, [])
        first = int(cursor or 0)
        more = str(first + limit) if first + limit < len(items) else None
        return SnapshotPage(self.stands_at, items[first : first + limit], more)
