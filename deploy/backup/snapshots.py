"""Reading one regency in all services, so that what is read fits together.

Each service is read in one transaction that sees one moment. The moments differ a little, so their order matters: who
listens to others is read before them. Then no consumer knows of an event that its owner's copy lacks; what an owner had
done a moment later is in its log, and the consumer catches up as it always does.

Reads with the logins of the services, under the role of the regency: no administrator's right is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from graphlib import TopologicalSorter
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from deploy.backup.archive import ArchiveWriter
from deploy.backup.failure import BackupError
from deploy.backup.manifest import StoredSchema, StoredTable
from services.chassis.connections import HOME, url_on
from services.chassis.provisioning import AUDIT
from services.chassis.revisions import Revisions
from services.chassis.settings import SERVICES, Settings
from services.chassis.tenancy import role_of, schema_of
from services.contracts.subscriptions import SUBSCRIPTIONS

BLOCK = 1 << 18
LOCK_SECONDS = 30

PLATFORM_TABLES = {"catalog": ("account", *AUDIT)}
"""What a backup of everything keeps of the schema `platform`: the operators, and what they did. All else there is made anew
by a restore (registry, heads of streams) or means nothing afterwards (outbox, hints, attention, sessions, revocations,
failed sign-ins, pairings)."""

_ENTER: LiteralString = """
    SELECT now() AS at, facts, chassis_revision, service_revision FROM platform.regency
    WHERE slug = %(slug)s AND provisioned_at IS NOT NULL
"""
_TABLES: LiteralString = """
    SELECT relname AS name, array_agg(attname::text ORDER BY attnum) AS columns
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE nspname = %(schema)s AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE 'migrations\\_of\\_%%'
      AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    GROUP BY relname ORDER BY relname
"""
_MONTHS: LiteralString = """
    SELECT right(child.relname, 6) AS month FROM pg_inherits
    JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
    JOIN pg_namespace ON pg_namespace.oid = parent.relnamespace
    WHERE nspname = %(schema)s AND parent.relname = 'event_log' AND child.relname ~ '^event_log_[0-9]{6}$' ORDER BY 1
"""
_AUDIT_HEAD: LiteralString = "SELECT sequence, hash FROM audit_seal ORDER BY sequence DESC LIMIT 1"
_SEQUENCES: LiteralString = """
    SELECT sequencename AS name, last_value AS last FROM pg_sequences WHERE schemaname = %(schema)s AND last_value IS NOT NULL
"""


def reading_order() -> list[str]:
    """Return the services, listeners before those whom they listen to."""
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(SERVICES, ()))
    for subscription in SUBSCRIPTIONS:
        order.add(subscription.owner, subscription.queue.partition(".")[0])
    return list(order.static_order())


def store_regency(settings: Settings, regency: str, writer: ArchiveWriter) -> dict[str, StoredSchema]:
    """Store one regency of all services, each as of one moment.

    :raises BackupError: it is not there in every service.
    """
    with ExitStack() as stack:
        snapshots = {service: stack.enter_context(_snapshot(settings, service, regency)) for service in reading_order()}
        return {service: snapshots[service].store(writer) for service in SERVICES}


def store_platform(settings: Settings, writer: ArchiveWriter) -> dict[str, dict[str, StoredTable]]:
    """Store what belongs to no regency."""
    stored: dict[str, dict[str, StoredTable]] = {}
    for service, names in PLATFORM_TABLES.items():
        with _connected(settings, service, HOME) as connection:
            connection.execute("SELECT set_config('search_path', 'platform', true)")
            found = {row["name"]: row["columns"] for row in connection.execute(_TABLES, {"schema": "platform"})}
            stored[service] = {
                name: _store(connection, writer, f"platform/{service}/{name}", name, found[name]) for name in names if name in found
            }
    return stored


@contextmanager
def _connected(settings: Settings, service: str, server: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    connection = psycopg.connect(
        url_on(server, settings.database_url(service)),
        row_factory=dict_row,
        connect_timeout=5,
        application_name="mpp-backup",
        options="-c timezone=UTC -c statement_timeout=0 -c idle_in_transaction_session_timeout=0",
    )
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection:
        yield connection


@contextmanager
def _snapshot(settings: Settings, service: str, regency: str) -> Iterator[_Snapshot]:
    with _connected(settings, service, settings.placement.get(regency, HOME)) as connection:
        connection.autocommit = True  # the moment begins when nobody migrates or restores this regency any more
        connection.execute(sql.SQL("SET lock_timeout = '{}s'").format(sql.Literal(LOCK_SECONDS)))
        try:
            connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", [f"mpp:{service}:{regency}"])
        except psycopg.errors.LockNotAvailable as error:
            raise BackupError(f"{service} of {regency} is being migrated or restored. Try again later.") from error
        connection.autocommit = False
        yield _Snapshot(connection, service, regency)


class _Snapshot:
    """One regency in one service, as of the moment in which this was made."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], service: str, regency: str) -> None:
        self._connection = connection
        self._service = service
        self._regency = regency
        self._schema = {"schema": schema_of(regency)}
        found = connection.execute(_ENTER, {"slug": regency}).fetchone()
        if found is None:
            raise BackupError(f"{service} does not know the regency {regency}. `mpp regency list` shows those that exist.")
        self._stored = StoredSchema(
            found["at"].astimezone(UTC), found["facts"], Revisions(found["chassis_revision"], found["service_revision"])
        )
        connection.execute(
            "SELECT set_config('role', %(role)s, true), set_config('search_path', %(schema)s, true)",
            {"role": role_of(service, regency), **self._schema},
        )

    def store(self, writer: ArchiveWriter) -> StoredSchema:
        """Store all tables."""
        stored, execute = self._stored, self._connection.execute
        stored.months = [_month(row["month"]) for row in execute(_MONTHS, self._schema)]
        stored.heads = {row["source"]: row["sequence"] for row in execute("SELECT source, sequence FROM stream ORDER BY source")}
        tables = execute(_TABLES, self._schema).fetchall()
        if any(table["name"] == "audit_seal" for table in tables):  # a regency may be behind its migrations
            head = execute(_AUDIT_HEAD).fetchone()
            stored.audit_head = None if head is None else (head["sequence"], bytes(head["hash"]).hex())
        for table in tables:
            member = f"{self._regency}/{self._service}/{table['name']}"
            stored.tables[table["name"]] = _store(self._connection, writer, member, table["name"], table["columns"])
        # Last: a sequence knows no moments, and may only be further than the rows.
        stored.sequences = {row["name"]: row["last"] for row in execute(_SEQUENCES, self._schema)}
        return stored


def _store(
    connection: psycopg.Connection[dict[str, Any]], writer: ArchiveWriter, member: str, name: str, columns: list[str]
) -> StoredTable:
    rows = sql.SQL("COPY (SELECT {columns} FROM {table}) TO STDOUT").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)), table=sql.Identifier(name)
    )
    with connection.cursor() as cursor, cursor.copy(rows) as copy:
        return writer.add(f"{member}.copy", columns, _in_blocks(copy))


def _in_blocks(copy: psycopg.Copy) -> Iterator[bytes]:
    """Gather rows, which come one by one."""
    gathered, size = [], 0
    for row in copy:
        gathered.append(bytes(row))
        size += len(row)
        if size >= BLOCK:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _month(digits: str) -> date:
    return datetime.strptime(digits, "%Y%m").date()  # noqa: DTZ007  (a month, not a moment)
