"""Bringing a regency back: made anew beside what is there, then put in its place in every service, or not at all.

The long part (making tables, filling them) is done in transactions that nobody else notices. The short part locks the
regency's tables in all services, exchanges the schemas and commits one service after the other, owners first: if this
process dies between two commits, consumers catch up with what is restored, and the same command completes it.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from deploy import parts
from deploy.backup.archive import Archive
from deploy.backup.failure import BackupError
from deploy.backup.filling import fill, fill_platform, fill_platform_audit, given_numbers
from deploy.backup.manifest import StoredSchema
from deploy.backup.snapshots import reading_order
from services.chassis import resuming
from services.chassis.attention import call_attention
from services.chassis.audit import CONSOLE
from services.chassis.connections import HOME
from services.chassis.database import Database
from services.chassis.provisioning import AUDIT, LOCKED, Provisioner, schema_beside
from services.chassis.revisions import NeededRevisions
from services.chassis.settings import SERVICES, Settings
from services.chassis.tenancy import schema_of
from services.contracts.subscriptions import SUBSCRIPTIONS

Progress = Callable[[str], None]

_LOST = """
    SELECT count(*) FROM "{schema}".event_log LEFT JOIN jsonb_each_text(CAST(:heads AS jsonb)) AS kept ON kept.key = event_log.source
    WHERE event_log.sequence > coalesce(CAST(kept.value AS bigint), 0)
"""


_REPLACED = 'SELECT sequence, hash FROM "{schema}".audit_seal ORDER BY sequence DESC LIMIT 1'
_RESTORED = """
    INSERT INTO audit_log (at, actor, role, action, kind, subject, after)
    VALUES (:now, :actor, :role, 'restore', 'regency', :regency, CAST(:after AS jsonb))
"""


@dataclass
class Restored:
    """What became of one regency."""

    rows: int = 0
    handed_on: int = 0
    """Events that a consumer had not handled when the backup was made, and handles now."""
    to_rebuild: list[str] = field(default_factory=list)
    """Services whose projections must be made again."""


class Restore:
    """Brings regencies back from one archive."""

    def __init__(self, settings: Settings, archive: Archive, progress: Progress) -> None:
        self._settings = settings
        self._archive = archive
        self._progress = progress

    def check_release(self, chosen: Iterable[str]) -> None:
        """Raise :class:`BackupError` when this program is older than the archive."""
        for regency in chosen:
            for provisioner in self._provisioners(regency):
                _check_release(provisioner, self._archive.manifest.regencies[regency][provisioner.service])

    def prepare(self, chosen: Iterable[str]) -> None:
        """Create what is missing of databases, logins and platform tables."""
        for server in sorted({HOME, *map(self._server, chosen)}):
            for provisioner in parts.provisioners(self._settings, server):
                provisioner.prepare()

    def lost(self, regency: str) -> dict[str, int]:
        """Return by service how many events have happened here since the backup, for services that have the regency."""
        found = {}
        for provisioner in self._provisioners(regency):
            if provisioner.exists() and regency in provisioner.regencies():
                found[provisioner.service] = _events_since(provisioner, regency, self._archive.manifest.regencies[regency])
        return found

    def restore(self, regency: str, *, really: bool = True) -> Restored:
        """Bring one regency back in all services.

        :param really: else everything is done but for the last step, and nothing is changed.
        :raises BackupError: it cannot be done; nothing was changed, unless the message says so.
        """
        stored, done = self._archive.manifest.regencies[regency], Restored()
        self._archive.check(table for each in stored.values() for table in each.tables.values())
        provisioners = {each.service: each for each in self._provisioners(regency)}
        with ExitStack() as stack, _told(regency):
            # Owners are committed first; their order is also the one in which tables are locked.
            order = list(reversed(reading_order()))
            connections = {
                service: stack.enter_context(provisioners[service].beside(regency, stored[service].revisions)) for service in order
            }
            for service in order:
                done.rows += fill(connections[service], schema_beside(regency), stored[service], self._archive)
                self._progress(f"{regency}: {service}: {stored[service].rows:,} rows")
                provisioners[service].bring_up_to_date(connections[service], regency)
            for service in order:
                provisioners[service].take_from_others(connections[service], regency)
            self._resume(connections, regency, done)
            for service in order:
                provisioners[service].put_in_place(connections[service], regency, stored[service].facts)
            if really:
                _commit(regency, connections)
        if really:
            self._announce(regency, stored["catalog"].facts)
        return done

    def restore_platform(self, *, replace: bool) -> int:
        """Bring back the operators' accounts; those that exist stay as they are unless ``replace``. Return how many came."""
        tables, count = self._archive.manifest.platform, 0
        self._archive.check(table for each in tables.values() for table in each.values())
        for provisioner in parts.provisioners(self._settings):
            mine = dict(tables.get(provisioner.service, {}))
            if audited := {name: mine.pop(name) for name in AUDIT if name in mine}:
                with provisioner.connected() as connection:
                    fill_platform_audit(connection, audited, self._archive)
                    connection.commit()
            for name, table in mine.items():
                with provisioner.connected() as connection:
                    count += fill_platform(connection, name, table, self._archive, replace=replace)
                    connection.commit()
        return count

    def _server(self, regency: str) -> str:
        return self._settings.placement.get(regency, HOME)

    def _provisioners(self, regency: str) -> list[Provisioner]:
        return parts.provisioners(self._settings, self._server(regency))

    def _resume(self, connections: dict[str, Connection], regency: str, done: Restored) -> None:
        """Let streams and consumers go on from the restored state."""
        own = schema_of(regency)
        numbers = {service: given_numbers(connection, own) for service, connection in connections.items()}
        for connection in connections.values():
            connection.execute(sa.text("SELECT set_config('search_path', :schema, true)"), {"schema": f'"{schema_beside(regency)}"'})
        leaps = {service: resuming.leap(connection, regency, numbers[service].streams) for service, connection in connections.items()}
        for subscription in SUBSCRIPTIONS:
            consumer, reader = subscription.queue, subscription.queue.partition(".")[0]
            for source, leap in leaps[subscription.owner].items():
                owner = connections[subscription.owner]
                events = resuming.unhandled(consumer, connections[reader], owner, regency, source, leap)
                if events is None and reader not in done.to_rebuild:
                    done.to_rebuild.append(reader)
                done.handed_on += len(events or ())
                resuming.put_behind(connections[reader], consumer, source, leap, events or ())
            resuming.invalidate_snapshots(connections[reader], consumer, numbers[reader].rebuilds.get(consumer, 0))
        for service, connection in connections.items():
            for statement in parts.after_restore(service):
                connection.execute(statement, {"regency": regency, "now": datetime.now(UTC)})
            self._audit(connection, regency, service)

    def _audit(self, connection: Connection, regency: str, service: str) -> None:
        """Say in the audit log that it was restored, and which chain it takes the place of."""
        stored, own = self._archive.manifest.regencies[regency][service], schema_of(regency)
        replaced = None
        if connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": f'"{own}".audit_seal'}).scalar_one() is not None:
            head = connection.execute(sa.text(_REPLACED.format(schema=own))).first()
            replaced = None if head is None else {"sequence": head.sequence, "hash": bytes(head.hash).hex()}
        after = {"backup_of": stored.at.isoformat(), "release": self._archive.manifest.release, "replaced": replaced}
        row = {"now": datetime.now(UTC), "actor": CONSOLE.id, "role": CONSOLE.role, "regency": regency, "after": json.dumps(after)}
        connection.execute(sa.text(_RESTORED), row)

    def _announce(self, regency: str, facts: dict[str, Any]) -> None:
        """List the regency at home too, and let the running services look at it at once."""
        if self._server(regency) != HOME:
            for provisioner in parts.provisioners(self._settings):
                provisioner.register(regency, facts)
        for service in SERVICES:
            database = Database(service, self._settings.database_url(service), pool_size=1)
            try:
                call_attention(database, regency)
            finally:
                database.close()


def _check_release(provisioner: Provisioner, stored: StoredSchema) -> None:
    needed = NeededRevisions.of(provisioner.migrations).regency
    if stored.revisions.chassis > needed.chassis or stored.revisions.service > needed.service:
        raise BackupError(
            f"The archive's {provisioner.service} has revision {stored.revisions.chassis}/{stored.revisions.service}, this program knows"
            f" {needed.chassis}/{needed.service}: use the release that made the archive, or a newer one."
        )


def _events_since(provisioner: Provisioner, regency: str, stored: dict[str, StoredSchema]) -> int:
    with provisioner.connected() as connection:
        if connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": f'"{schema_of(regency)}".event_log'}).scalar_one() is None:
            return 0
        statement = sa.text(_LOST.format(schema=schema_of(regency)))
        return int(connection.execute(statement, {"heads": json.dumps(stored[provisioner.service].heads)}).scalar_one())


def _commit(regency: str, connections: dict[str, Connection]) -> None:
    committed: list[str] = []
    with _undisturbed():
        for service, connection in connections.items():
            try:
                connection.commit()
            except Exception as error:
                if not committed:
                    raise
                raise BackupError(
                    f"{regency} was restored in {', '.join(committed)}, but not in {service}: {type(error).__name__}."
                    " Its services do not fit together now: run the same command again, with --replace."
                ) from error
            committed.append(service)


@contextmanager
def _told(regency: str) -> Iterator[None]:
    """Say it in the operator's words when others do not let go."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in LOCKED:
            raise
        raise BackupError(f"{regency} is being backed up, migrated or kept locked by others. Nothing was changed; try again.") from error


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hear Ctrl-C and SIGTERM only afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
