"""Databases, roles, schemas and their migration: what needs more rights than a running service has.

Every step can be repeated: a half-made database or regency is completed, a finished one is left alone.
Migrations run per regency under an advisory lock with lock and statement timeouts; a regency that fails is
reported and the others go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import OperationalError

from services.chassis.platform_functions import FUNCTIONS
from services.chassis.revisions import CHASSIS_MIGRATIONS, NONE, NeededRevisions, Revisions
from services.chassis.settings import SettingsError
from services.chassis.tenancy import group_of, role_of, schema_of

OLDEST_SERVER = 16
"""The first PostgreSQL that grants a role to be set without being inherited, and the other way round."""

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "300s"
MONTHS_AHEAD = 2
"""Partitions of the event log made ahead; beyond them the default partition takes what comes."""

AUDIT = ("audit_log", "audit_seal", "audit_cut")
APPEND_ONLY = ("event_log", *AUDIT)
"""What happened is neither changed nor removed, not even by the service itself."""

LOCKING_ATTEMPTS = 10
"""How often to ask for the tables of a regency that is at work before giving up; each attempt waits for two seconds."""

_TABLES = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = :schema AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE 'migrations\\_of\\_%'
    ORDER BY relname
"""

_FINISHED = "UPDATE platform.regency SET chassis_revision = :chassis, service_revision = :service, rights = :rights WHERE slug = :slug"

_OPEN_COMMON_DATABASES = """
    SELECT datname FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS given
    WHERE datname IN ('postgres', 'template1') AND given.grantee = 0 AND pg_has_role(datdba, 'USAGE')
    GROUP BY datname ORDER BY datname
"""
"""Grantee 0 is everybody."""

LOCKED = ("55P03", "40P01")
"""Codes of PostgreSQL for a lock that was not to be had in time, and for a deadlock."""

Progress = Callable[[str], None]


@dataclass
class MigrationReport:
    """What a migration did: regencies brought up to date, and those that failed with their reason."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class Provisioner:
    """Creates and upgrades what one service needs in PostgreSQL, with the administrator's connection."""

    def __init__(self, service: str, login_url: str, admin_url: str, migrations: Path) -> None:
        self.service = service
        self._login: URL = sa.make_url(login_url)
        self._admin: URL = sa.make_url(admin_url).set(drivername="postgresql+psycopg")
        self.migrations = migrations
        if not self._login.database or not self._login.username:
            raise ValueError(f"the database URL of {service} names no database or no user")

    def prepare(self) -> None:
        """Create the service's login and database and bring the schema ``platform`` up to date.

        :raises SettingsError: the server is older than ``OLDEST_SERVER``; nothing was changed.
        """
        with self._connected(self._admin, autocommit=True) as connection:
            if (major := int(connection.scalar(sa.text("SHOW server_version_num")) or 0) // 10_000) < OLDEST_SERVER:
                raise SettingsError(
                    f"PostgreSQL {OLDEST_SERVER} or newer is needed; that of {self.service} is {major}. Nothing was changed."
                )
            # Held until the connection closes: CREATE DATABASE runs outside any transaction.
            connection.execute(sa.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": f"mpp:{self.service}:prepare"})
            self._ensure_login(connection)
            self._ensure_database(connection)
            self._close_common_databases(connection)
        with self._connected(self._own) as connection:
            self._lock(connection, "platform")
            connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS platform"))
            self._upgrade(connection, "platform")
            for statement in self._platform_rights(connection):
                connection.execute(sa.text(statement))
            self._ensure_row_security(connection)
            connection.commit()

    def add_regency(self, regency: str, facts: Mapping[str, Any]) -> None:
        """Create schema and role of a regency, migrate, grant, and only then mark it provisioned."""
        with self._connected(self._own) as connection:
            self._lock(connection, regency)
            connection.execute(
                sa.text(
                    "INSERT INTO platform.regency (slug, facts) VALUES (:slug, CAST(:facts AS jsonb))"
                    " ON CONFLICT (slug) DO UPDATE SET facts = excluded.facts"
                ),
                {"slug": regency, "facts": json.dumps(dict(facts))},
            )
            self._ensure_regency_role(connection, regency)
            connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema_of(regency))}"))
            self._migrate_regency(connection, regency)
            connection.execute(
                sa.text("UPDATE platform.regency SET provisioned_at = coalesce(provisioned_at, now()) WHERE slug = :slug"),
                {"slug": regency},
            )
            connection.commit()

    def register(self, regency: str, facts: Mapping[str, Any]) -> None:
        """Name a regency whose data are on another server, so that it is listed like the others."""
        with self._connected(self._own) as connection:
            self._name(connection, regency, facts)
            connection.commit()

    def migrate(self, progress: Progress = lambda line: None, *, again: bool = False) -> MigrationReport:
        """Bring the platform schema and every regency up to date; go on past a regency that fails.

        :param again: also those that are up to date by the records: rights that somebody took away are given back.
        """
        self.prepare()
        report = MigrationReport()
        regencies = self._regencies_here()
        finished = set() if again else self._finished()
        if done := [regency for regency in regencies if regency in finished]:
            report.done += done
            progress(f"{self.service}: {len(done)} of {len(regencies)} need nothing")
        for position, regency in enumerate(regencies, start=1):
            if regency in finished:
                continue
            try:
                with self._connected(self._own) as connection:
                    self._lock(connection, regency)
                    self._migrate_regency(connection, regency)
                    connection.commit()
            except Exception as error:  # noqa: BLE001  (whatever it is: reported, and the next regency's turn)
                report.failed[regency] = str(getattr(error, "orig", error)).partition("\n")[0] or type(error).__name__
                progress(f"{self.service}: {position}/{len(regencies)} {regency} FAILED: {report.failed[regency]}")
            else:
                report.done.append(regency)
                progress(f"{self.service}: {position}/{len(regencies)} {regency}")
        report.done.sort()
        return report

    @contextmanager
    def beside(self, regency: str, at: Revisions) -> Iterator[Connection]:
        """Open a transaction with an empty schema beside the regency's own, as the migrations up to ``at`` make it.

        What uses the regency's own schema notices nothing. Unless the caller commits, nothing of it is left.
        """
        with self._connected(self._own) as connection:
            connection.execute(sa.text("SET statement_timeout = 0"))
            self._lock(connection, regency)
            self._ensure_regency_role(connection, regency)
            connection.execute(sa.text(f"CREATE SCHEMA {_quoted(schema_beside(regency))}"))
            self._upgrade(connection, schema_beside(regency), at)
            yield connection

    def bring_up_to_date(self, connection: Connection, regency: str) -> None:
        """Run what is missing of the migrations in the schema beside."""
        self._upgrade(connection, schema_beside(regency))

    def take_from_others(self, connection: Connection, regency: str) -> None:
        """Lock every table of the regency until the transaction ends; whoever works there waits from here on.

        :raises OperationalError: others kept them locked all the time.
        """
        # At once: one after the other, as DROP does, meets others half way and ends in deadlocks.
        tables = connection.execute(sa.text(_TABLES), {"schema": schema_of(regency)}).scalars().all()
        names = ", ".join(f"{_quoted(schema_of(regency))}.{_quoted(name)}" for name in tables)
        connection.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
        for attempt in range(1, LOCKING_ATTEMPTS + 1 if tables else 1):
            try:
                with connection.begin_nested():
                    connection.execute(sa.text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
            except OperationalError as error:
                if attempt == LOCKING_ATTEMPTS or getattr(error.orig, "sqlstate", None) not in LOCKED:
                    raise
            else:
                return

    def put_in_place(self, connection: Connection, regency: str, facts: Mapping[str, Any]) -> None:
        """Let the schema beside take the place of the regency's own, if there is one, with all rights."""
        own, beside = _quoted(schema_of(regency)), _quoted(schema_beside(regency))
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {own} CASCADE"))
        connection.execute(sa.text(f"ALTER SCHEMA {beside} RENAME TO {own}"))
        self._name(connection, regency, facts)
        self._migrate_regency(connection, regency)

    def regencies(self) -> dict[str, dict[str, Any]]:
        """Return the facts of all provisioned regencies by slug; empty when the database does not exist yet."""
        with self._connected(self._own) as connection:
            rows = connection.execute(sa.text("SELECT slug, facts FROM platform.regency WHERE provisioned_at IS NOT NULL ORDER BY slug"))
            return {row.slug: row.facts for row in rows}

    def _regencies_here(self) -> list[str]:
        """Return the regencies whose data are on this server; the others are only named here."""
        with self._connected(self._own) as connection:
            rows = connection.execute(
                sa.text(
                    "SELECT slug FROM platform.regency JOIN pg_namespace ON nspname = replace(slug, '-', '_')"
                    " WHERE provisioned_at IS NOT NULL ORDER BY slug"
                )
            )
            return list(rows.scalars())

    def _finished(self) -> set[str]:
        """Return the regencies that have all migrations and rights of this program.

        Giving rights anew rewrites the description of each table, which every connection then reads again.
        """
        finished = sa.text(
            "SELECT slug FROM platform.regency WHERE chassis_revision = :chassis AND service_revision = :service AND rights = :rights"
        )
        with self._connected(self._own) as connection:
            return set(connection.execute(finished, self._record()).scalars())

    def _record(self) -> dict[str, str]:
        """What is written down of a regency that this program has finished."""
        rights = "\n".join(_regency_rights("schema", "role", "tables", "logs"))
        return {**asdict(NeededRevisions.of(self.migrations).regency), "rights": sha256(rights.encode()).hexdigest()}

    def exists(self) -> bool:
        """Whether the service's database has been created."""
        with self._connected(self._admin) as connection:
            return _found(connection, "SELECT 1 FROM pg_database WHERE datname = :name", name=self._login.database)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Connect to the service's database with the administrator's rights; the caller commits."""
        with self._connected(self._own) as connection:
            yield connection

    @property
    def _own(self) -> URL:
        return self._admin.set(database=self._login.database)

    @contextmanager
    def _connected(self, url: URL, *, autocommit: bool = False) -> Iterator[Connection]:
        engine: Engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": 5})
        with engine.connect() as connection:
            if autocommit:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.execute(sa.text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
            yield connection
        engine.dispose()

    def _name(self, connection: Connection, regency: str, facts: Mapping[str, Any]) -> None:
        """Let the regency exist for callers."""
        connection.execute(
            sa.text(
                "INSERT INTO platform.regency AS known (slug, facts, provisioned_at) VALUES (:slug, CAST(:facts AS jsonb), now())"
                " ON CONFLICT (slug) DO UPDATE SET facts = excluded.facts,"
                " provisioned_at = coalesce(known.provisioned_at, excluded.provisioned_at)"
            ),
            {"slug": regency, "facts": json.dumps(dict(facts))},
        )

    def _lock(self, connection: Connection, what: str) -> None:
        """Take the advisory lock of this service and regency until the transaction ends."""
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"mpp:{self.service}:{what}"})

    def _ensure_login(self, connection: Connection) -> None:
        login, group = _quoted(self._login.username or ""), _quoted(group_of(self.service))
        if not _found(connection, "SELECT 1 FROM pg_roles WHERE rolname = :name", name=self._login.username):
            connection.execute(sa.text(f"CREATE ROLE {login} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE"))
        if self._login.password:
            # Hashed here: the server's log and errors show statements.
            session: Any = connection.connection.driver_connection
            name, password = str(self._login.username), str(self._login.password)
            secret = session.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
            connection.exec_driver_sql(f"ALTER ROLE {login} PASSWORD '{secret}'")
        if not _found(connection, "SELECT 1 FROM pg_roles WHERE rolname = :name", name=group_of(self.service)):
            connection.execute(sa.text(f"CREATE ROLE {group} NOLOGIN"))

    def _ensure_database(self, connection: Connection) -> None:
        database = _quoted(self._login.database or "")
        if not _found(connection, "SELECT 1 FROM pg_database WHERE datname = :name", name=self._login.database):
            connection.execute(sa.text(f"CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0"))
        connection.execute(sa.text(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC"))
        connection.execute(sa.text(f"GRANT CONNECT ON DATABASE {database} TO {_quoted(self._login.username or '')}"))

    def _close_common_databases(self, connection: Connection) -> None:
        """Let no service's login into the databases that every cluster has, and that nobody needs but the administrator.

        Passed over where they belong to somebody else, as on a server that a provider runs.
        """
        # Several services may be prepared at once, and all would change the same rows.
        connection.execute(sa.text("SELECT pg_advisory_lock(hashtextextended('mpp:common databases', 0))"))
        for name in connection.execute(sa.text(_OPEN_COMMON_DATABASES)).scalars().all():
            connection.execute(sa.text(f"REVOKE ALL ON DATABASE {_quoted(name)} FROM PUBLIC"))
        connection.execute(sa.text("SELECT pg_advisory_unlock(hashtextextended('mpp:common databases', 0))"))

    def _ensure_regency_role(self, connection: Connection, regency: str) -> None:
        name = role_of(self.service, regency)
        role, login, group = _quoted(name), _quoted(self._login.username or ""), _quoted(group_of(self.service))
        if not _found(connection, "SELECT 1 FROM pg_roles WHERE rolname = :name", name=name):
            connection.execute(sa.text(f"CREATE ROLE {role} NOLOGIN"))
        # The login may become the role, but has none of its rights before it does.
        connection.execute(sa.text(f"GRANT {role} TO {login} WITH INHERIT FALSE, SET TRUE"))
        connection.execute(sa.text(f"GRANT {group} TO {role} WITH INHERIT TRUE, SET FALSE"))

    def _migrate_regency(self, connection: Connection, regency: str) -> None:
        self._upgrade(connection, schema_of(regency))
        for month in _months(datetime.now(UTC).date(), MONTHS_AHEAD):
            connection.execute(
                sa.text("SELECT platform.prepare_event_log(:schema, :month)"),
                {"schema": schema_of(regency), "month": month},
            )
        self._grant_regency(connection, regency)
        connection.execute(sa.text(_FINISHED), {"slug": regency, **self._record()})

    def _upgrade(self, connection: Connection, schema: str, to: Revisions | None = None) -> None:
        """Run the chassis's and the service's own migrations in one schema, inside the open transaction.

        :param to: no further than to these revisions.
        """
        kind = "platform" if schema == "platform" else "regency"
        connection.execute(sa.text("SELECT set_config('search_path', :schema, true)"), {"schema": _quoted(schema)})
        for owner, folder in (("chassis", CHASSIS_MIGRATIONS / kind), ("service", self.migrations / kind)):
            revision = "head" if to is None else getattr(to, owner)
            if folder.is_dir() and revision != NONE:
                _run_alembic(connection, folder, revision, version_table=f"migrations_of_{owner}", schema=schema)
        if kind == "platform":
            for function in FUNCTIONS:
                connection.exec_driver_sql(function.replace("%", "%%"))

    def _platform_rights(self, connection: Connection) -> list[str]:
        rows = connection.execute(sa.text(_TABLES), {"schema": "platform"})
        tables = ", ".join(f"platform.{_quoted(name)}" for name in rows.scalars() if name not in ("regency", *AUDIT))
        audit = ", ".join(f"platform.{_quoted(name)}" for name in AUDIT if name != "audit_cut")
        login, group = _quoted(self._login.username or ""), _quoted(group_of(self.service))
        return [
            f"GRANT USAGE ON SCHEMA platform TO {login}, {group}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA platform TO {login}",
            f"GRANT INSERT, UPDATE, DELETE ON {tables} TO {login}",
            f"GRANT INSERT ON {audit} TO {login}",
            f"GRANT INSERT ON platform.outbox TO {group}",
            "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA platform FROM PUBLIC",
            f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA platform TO {login}",
        ]

    def _ensure_row_security(self, connection: Connection) -> None:
        """A regency's role may say only what happened in its own regency."""
        # Once: these statements wait for every relay, and all commands wait behind them.
        if _found(connection, "SELECT 1 FROM pg_policies WHERE schemaname = 'platform' AND policyname = 'relay'"):
            return
        # The stream too: a foreign source would move the heads that others compare themselves with.
        stream = f"'/regencies/' || regency || '/{self.service}'"
        own = (
            f"current_user = '{self.service}_' || replace(regency, '-', '_')"
            f" AND (source = {stream} OR starts_with(source, {stream} || '/sites/'))"
        )
        for statement in (
            "ALTER TABLE platform.outbox ENABLE ROW LEVEL SECURITY",
            "DROP POLICY IF EXISTS own_regency ON platform.outbox",
            f"CREATE POLICY own_regency ON platform.outbox FOR INSERT TO {_quoted(group_of(self.service))} WITH CHECK ({own})",
            f"CREATE POLICY relay ON platform.outbox FOR ALL TO {_quoted(self._login.username or '')} USING (true)",
        ):
            connection.execute(sa.text(statement))

    def _grant_regency(self, connection: Connection, regency: str) -> None:
        schema, role = _quoted(schema_of(regency)), _quoted(role_of(self.service, regency))
        # Not the migrations' own tables, and no partition: rights on one would go around those on its log.
        rows = connection.execute(sa.text(_TABLES), {"schema": schema_of(regency)})
        tables = ", ".join(f"{schema}.{_quoted(name)}" for name in rows.scalars() if name not in APPEND_ONLY)
        logs = ", ".join(f"{schema}.{_quoted(name)}" for name in APPEND_ONLY if name != "audit_cut")
        for statement in _regency_rights(schema, role, tables, logs):
            connection.execute(sa.text(statement))


def _regency_rights(schema: str, role: str, tables: str, logs: str) -> list[str]:
    return [
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}",
        f"GRANT SELECT, INSERT ON {logs} TO {role}",
        f"GRANT SELECT ON {schema}.audit_cut TO {role}",  # written with the administrator's rights alone
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    ]


def schema_beside(regency: str) -> str:
    """Return the name of the schema in which a regency is made anew; no regency can have it."""
    return f"{schema_of(regency)}~beside"


def _run_alembic(connection: Connection, folder: Path, to: str, *, version_table: str, schema: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("path_separator", "newline")
    script = ScriptDirectory(str(folder), version_locations=[str(folder)])

    def upgrade(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs(to, revision)  # what alembic's own command does

    with EnvironmentContext(config, script, fn=upgrade) as environment:
        environment.configure(connection=connection, version_table=version_table, version_table_schema=schema)
        environment.run_migrations()


def _found(connection: Connection, query: str, **parameters: Any) -> bool:
    return connection.execute(sa.text(query), parameters).first() is not None


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _months(today: date, ahead: int) -> list[date]:
    first = today.year * 12 + today.month - 1
    return [date((first + step) // 12, (first + step) % 12 + 1, 1) for step in range(ahead + 1)]
