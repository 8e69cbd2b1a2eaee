"""Filling empty tables from an archive, and what of the tables that they replace must outlive them."""

from __future__ import annotations

from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import Connection

from deploy.backup.archive import Archive
from deploy.backup.failure import BackupError
from deploy.backup.manifest import StoredSchema, StoredTable

_COLUMNS = sa.text("""
    SELECT relname, attname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE nspname = :schema AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE 'migrations\\_of\\_%'
      AND attnum > 0 AND NOT attisdropped
""")
_REFERENCES = sa.text("""
    SELECT child.relname AS child, parent.relname AS parent FROM pg_constraint
    JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
    WHERE contype = 'f' AND connamespace = (SELECT oid FROM pg_namespace WHERE nspname = :schema) AND conrelid <> confrelid
""")
_SEQUENCES = sa.text("SELECT sequencename FROM pg_sequences WHERE schemaname = :schema")
_PREPARE_MONTH = sa.text("SELECT platform.prepare_event_log(:schema, :month)")
_AUDITED = sa.text("SELECT EXISTS (SELECT FROM platform.audit_log) OR EXISTS (SELECT FROM platform.audit_cut)")
_NEXT_AUDITED = sa.text(
    "SELECT setval(pg_get_serial_sequence('platform.audit_log', 'id'), greatest((SELECT max(id) FROM platform.audit_log), 1))"
)
_EXISTS = sa.text("SELECT to_regclass(:name) IS NOT NULL")


@dataclass(frozen=True)
class GivenNumbers:
    """Numbers that must not be given again."""

    streams: dict[str, int] = field(default_factory=dict)
    rebuilds: dict[str, int] = field(default_factory=dict)


def given_numbers(connection: Connection, schema: str) -> GivenNumbers:
    """Return the numbers that were given in the schema that is going to be replaced; none when there is none."""
    found = []
    for table, key, number in (("stream", "source", "sequence"), ("rebuild", "consumer", "number")):
        rows: dict[str, int] = {}
        if connection.execute(_EXISTS, {"name": f'"{schema}".{table}'}).scalar_one():
            # `schema` is a regency's (services.chassis.tenancy), the rest stands above.
            rows = {row[0]: row[1] for row in connection.execute(sa.text(f'SELECT {key}, {number} FROM "{schema}".{table}'))}  # noqa: S608
        found.append(rows)
    return GivenNumbers(*found)


def fill(connection: Connection, schema: str, stored: StoredSchema, archive: Archive) -> int:
    """Fill the empty tables of a schema that has the archive's revision; return the number of rows.

    :raises BackupError: the archive does not fit, or PostgreSQL refuses a row.
    """
    columns: dict[str, set[str]] = {}
    for name, column in connection.execute(_COLUMNS, {"schema": schema}):
        columns.setdefault(name, set()).add(column)
    if set(stored.tables) != set(columns) or any(not set(table.columns) <= columns[name] for name, table in stored.tables.items()):
        raise BackupError("The archive's tables are not those of its revision: it is damaged, or was made by another program.")
    for month in stored.months:
        connection.execute(_PREPARE_MONTH, {"schema": schema, "month": month})
    rows = sum(
        _copy(connection, sql.Identifier(schema, name), stored.tables[name], archive) for name in _in_order(connection, schema, columns)
    )
    for name in connection.execute(_SEQUENCES, {"schema": schema}).scalars().all():
        if name in stored.sequences:
            sequence = sql.Identifier(schema, name).as_string()
            connection.execute(sa.text("SELECT setval(CAST(:name AS regclass), :last)"), {"name": sequence, "last": stored.sequences[name]})
    return rows


def fill_platform(connection: Connection, name: str, table: StoredTable, archive: Archive, *, replace: bool) -> int:
    """Add what is missing in a table of the schema `platform`, by its first column; return how many rows came or changed."""
    target, draft = sql.Identifier("platform", name), sql.Identifier("pg_temp", f"restored_{name}")
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    changes = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(each)) for each in table.columns[1:])
    cursor = _driver(connection).cursor()
    cursor.execute(sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(sql.Identifier(f"restored_{name}"), target))
    _copy(connection, draft, table, archive)
    conflict = sql.SQL("UPDATE SET {}").format(changes) if replace else sql.SQL("NOTHING")
    cursor.execute(
        sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {} ON CONFLICT ({}) DO {}").format(
            target, draft, sql.Identifier(table.columns[0]), conflict, columns=columns
        )
    )
    return int(cursor.rowcount)


def fill_platform_audit(connection: Connection, tables: dict[str, StoredTable], archive: Archive) -> int:
    """Bring back the platform's audit log where there is none yet; return the number of rows. A log that is there goes on as it is."""
    if connection.execute(_AUDITED).scalar_one():
        return 0
    rows = sum(_copy(connection, sql.Identifier("platform", name), table, archive) for name, table in tables.items())
    connection.execute(_NEXT_AUDITED)
    return rows


def _copy(connection: Connection, target: sql.Composable, table: StoredTable, archive: Archive) -> int:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    cursor = _driver(connection).cursor()
    try:
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(target, columns)) as copy:
            for block in archive.blocks(table):
                copy.write(block)
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
        raise BackupError(f"{table.member}: PostgreSQL refuses a row ({type(error).__name__}).") from error
    if cursor.rowcount != table.rows:
        raise BackupError(f"{table.member}: {cursor.rowcount} rows came in, not {table.rows}.")
    if table.rows:
        cursor.execute(sql.SQL("ANALYZE {}").format(target))
    return table.rows


def _in_order(connection: Connection, schema: str, names: dict[str, set[str]]) -> list[str]:
    """Return the tables, those first to which others refer."""
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(names), ()))
    for child, parent in connection.execute(_REFERENCES, {"schema": schema}):
        if child in names and parent in names:
            order.add(child, parent)
    return list(order.static_order())


def _driver(connection: Connection) -> Any:
    """Return psycopg's own connection: SQLAlchemy has no COPY. It is in SQLAlchemy's transaction."""
    connection.execute(sa.text("SELECT 1"))
    return connection.connection.driver_connection
