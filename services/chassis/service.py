"""What every service is: its database, its relay, its upkeep, and the streams it owns."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.chassis import events, gaps
from services.chassis.database import Database, PlatformWork, UnitOfWork
from services.chassis.entrypoints import platform_query, query
from services.chassis.extensions import DatabaseProvider, RelayRunner, SettingsProvider, UpkeepRunner
from services.chassis.settings import Settings
from services.contracts.streams import ReadLog, StreamHeads, StreamMarks

_HEADS = sa.text("SELECT source, regency, sequence FROM platform.stream_head ORDER BY source")


class Service:
    """Base of all nameko service classes of the platform."""

    database: Database = DatabaseProvider()  # type: ignore[assignment]
    settings: Settings = SettingsProvider()  # type: ignore[assignment]
    relay = RelayRunner()
    upkeep = UpkeepRunner()

    @platform_query(StreamHeads)
    def stream_heads(self, work: PlatformWork, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the last published sequence of every stream of this service."""
        return [dict(row) for row in work.execute(_HEADS).mappings()]

    @query(ReadLog)
    def read_log(self, work: UnitOfWork, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return events of one stream after a sequence, in order, as CloudEvents."""
        page = events.read_log(work, data["source"], data["after"], data["limit"])
        return [event.to_cloudevent() for event in page]

    @query(StreamMarks)
    def stream_marks(self, work: UnitOfWork, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return how far this service's consumers have come in this regency."""
        return gaps.stream_marks(work)

