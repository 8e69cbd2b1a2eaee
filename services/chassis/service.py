"""What every service is: its database, its relay, its upkeep, and the streams it owns."""

from __future__ import annotations

from typing import Any

from services.chassis import events, gaps, relay
from services.chassis.context import CallContext
from services.chassis.database import Database, UnitOfWork
from services.chassis.entrypoints import direct_call, query
from services.chassis.extensions import DatabaseProvider, RelayRunner, SettingsProvider, UpkeepRunner
from services.chassis.settings import Settings
from services.contracts.streams import ReadLog, StreamHeads, StreamMarks


class Service:
    """Base of all nameko service classes of the platform."""

    database: Database = DatabaseProvider()
    settings: Settings = SettingsProvider()
    relay = RelayRunner()
    upkeep = UpkeepRunner()

    @direct_call(StreamHeads)
    def stream_heads(self, context: CallContext, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the last published sequence of every stream of this service."""
        return relay.stream_heads(self.database)

    @query(ReadLog)
    def read_log(self, work: UnitOfWork, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return events of one stream after a sequence, in order, as CloudEvents."""
        page = events.read_log(work, data["source"], data["after"], data["limit"])
        return [event.to_cloudevent() for event in page]

    @query(StreamMarks)
    def stream_marks(self, work: UnitOfWork, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return how far this service's consumers have come in this regency."""
        return gaps.stream_marks(work)
