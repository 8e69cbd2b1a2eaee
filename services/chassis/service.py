"""What every service is: its database, its relay, its upkeep, and the streams it owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from services.chassis import audit_reading, event_pages, events, marks, relay, snapshots
from services.chassis.context import CallContext
from services.chassis.database import Database, UnitOfWork
from services.chassis.entrypoints import direct_call, query
from services.chassis.extensions import DatabaseProvider, RelayRunner, SealingRunner, SettingsProvider, UpkeepRunner
from services.chassis.settings import Settings
from services.chassis.snapshots import Section
from services.chassis.tenancy import stream_of
from services.contracts.audit import ExportAudit, ListAudit
from services.contracts.streams import ListStreams, ReadEvents, ReadLog, ReadSnapshot, StreamHeads, StreamMarks


class Service:
    """Base of all nameko service classes of the platform."""

    database: Database = DatabaseProvider()
    settings: Settings = SettingsProvider()
    relay = RelayRunner()
    upkeep = UpkeepRunner()
    sealing = SealingRunner()
    snapshot: ClassVar[Sequence[Section]] = ()
    """What this service says of a stream whose log was cut; nothing when its events are of no use later."""

    @direct_call(StreamHeads)
    def stream_heads(self, context: CallContext, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the last published sequence of every stream of this service."""
        return relay.stream_heads(self.database)

    @query(ReadLog)
    def read_log(self, work: UnitOfWork, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return events of one stream after a sequence, in order, as CloudEvents."""
        page = events.read_log(work, data["source"], data["after"], data["limit"])
        return [event.to_cloudevent() for event in page]

    @query(ReadEvents)
    def read_events(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Return a page of one stream for a reader outside."""
        source = data.get("source") or stream_of(work.service, work.regency, data.get("site"))
        return event_pages.page(work, source, data.get("after"), data["limit"])

    @query(ListStreams)
    def list_streams(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Return what of this service's streams can be read."""
        return {"items": event_pages.ranges(work)}

    @query(ListAudit)
    def list_audit(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Return a page of this service's audit log."""
        return audit_reading.page(work, data)

    @query(ExportAudit)
    def export_audit(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Return rows of this service's chain."""
        return audit_reading.links(work, data)

    @query(ReadSnapshot)
    def read_snapshot(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Return a page of the state of one stream, as CloudEvents."""
        return snapshots.read_page(work, self.snapshot, data["source"], data.get("cursor"), data["limit"])

    @query(StreamMarks)
    def stream_marks(self, work: UnitOfWork, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return how far this service's consumers have come in this regency."""
        return marks.stream_marks(work)
