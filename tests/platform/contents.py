"""Everything that PostgreSQL holds of a regency: rows and structure, as text that can be compared."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from deploy.servers.postgres import PostgresServer
from services.chassis.settings import SERVICES

Contents = dict[str, list[str]]
"""Rows by ``service.table``, sorted."""

_TABLES = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %s AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""

_STRUCTURE = """
    SELECT 'column', c.relname, a.attname, format('%%s %%s %%s %%s', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
        coalesce(pg_get_expr(d.adbin, d.adrelid), '')) FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = %(schema)s::text::regnamespace AND c.relkind IN ('r', 'p')
    UNION ALL SELECT 'rights', c.relname, c.relkind::text, format('%%s %%s %%s', pg_get_userbyid(c.relowner),
        array_to_string(ARRAY(SELECT unnest(c.relacl)::text ORDER BY 1), ' '), c.relrowsecurity)
        FROM pg_class c WHERE c.relnamespace = %(schema)s::text::regnamespace
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s::text
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = %(schema)s::text::regnamespace
    UNION ALL SELECT 'partition', inhparent::regclass::text, c.relname, pg_get_expr(c.relpartbound, c.oid)
        FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relnamespace = %(schema)s::text::regnamespace
    UNION ALL SELECT 'schema', nspname, pg_get_userbyid(nspowner), array_to_string(nspacl, ' ') FROM pg_namespace
        WHERE nspname = %(schema)s::text
    UNION ALL SELECT 'membership', role.rolname, member.rolname, format('%%s %%s %%s', m.admin_option, m.inherit_option, m.set_option)
        FROM pg_auth_members m JOIN pg_roles role ON role.oid = m.roleid JOIN pg_roles member ON member.oid = m.member
        WHERE %(role)s::text IN (role.rolname, member.rolname)
"""


def contents(postgres: PostgresServer, regency: str) -> Contents:
    """Every row of every table of a regency in every service."""
    found: Contents = {}
    schema = regency.replace("-", "_")
    for service in SERVICES:
        with psycopg.connect(postgres.url(service)) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            for (name,) in connection.execute(_TABLES, [schema]).fetchall():
                query = sql.SQL("SELECT to_jsonb(each)::text FROM {} each").format(sql.Identifier(schema, name))
                found[f"{service}.{name}"] = sorted(row for (row,) in connection.execute(query).fetchall())
    return found


def structure(postgres: PostgresServer, regency: str) -> list[tuple[Any, ...]]:
    """Columns, indexes, constraints, partitions, owners and rights of a regency's tables in every service."""
    found: list[tuple[Any, ...]] = []
    schema = regency.replace("-", "_")
    for service in SERVICES:
        with psycopg.connect(postgres.url(service)) as connection:
            if connection.execute("SELECT to_regnamespace(quote_ident(%s))", [schema]).fetchone() == (None,):
                continue
            connection.execute("SELECT set_config('search_path', %s, false)", [schema])
            rows = connection.execute(_STRUCTURE, {"schema": schema, "role": f"{service}_{schema}"})
            found += sorted((service, *row) for row in rows.fetchall())
    return found
