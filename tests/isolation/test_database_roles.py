"""What PostgreSQL itself refuses, for the real services and every table that they have, whatever SQL somebody writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.exc import ProgrammingError

from services.chassis.database import Database, Work
from services.chassis.settings import SERVICES
from tests.platform.deployment import DeployedPlatform

pytestmark = [pytest.mark.isolation, pytest.mark.slow]

Figures = Callable[[str], None]

HOME, ABROAD = "lampung-tengah", "lampung-timur"
PERMISSION_DENIED = "42501"
STATEMENTS = (
    "SELECT * FROM {table}",
    "SELECT count(*) FROM {table}",
    "INSERT INTO {table} DEFAULT VALUES",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "LOCK TABLE {table}",
    "DROP TABLE {table}",
    "COPY {table} TO STDOUT",
)
"""An UPDATE needs a column's name; it is tried separately."""


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def database(service: str, deployed_platform: DeployedPlatform) -> Iterator[Database]:
    with closing(Database(service, deployed_platform.database_url(service), pool_size=2)) as opened:
        yield opened


def schemas(platform: DeployedPlatform) -> list[str]:
    """Schemas of all regencies."""
    return [document["regency"]["id"].replace("-", "_") for document in platform.documents]


def tables(platform: DeployedPlatform, service: str, schema: str) -> dict[str, str]:
    """All tables of a schema, partitions and views included, each with the name of one column."""
    with administrator(platform, service) as connection:
        rows = connection.execute(
            "SELECT table_name, min(column_name) FROM information_schema.columns WHERE table_schema = %s GROUP BY table_name", (schema,)
        ).fetchall()
    return dict(rows)


@contextmanager
def administrator(platform: DeployedPlatform, service: str) -> Iterator[psycopg.Connection]:
    """A connection that may look at everything."""
    with psycopg.connect(platform.postgres.url(service), autocommit=True) as connection:
        yield connection


def refused(work: Work, statement: str) -> bool:
    """Whether PostgreSQL refuses a statement for lack of permission."""
    try:
        with work.attempt():
            work.connection.exec_driver_sql(statement)
    except ProgrammingError as error:
        return getattr(error.orig, "sqlstate", None) == PERMISSION_DENIED
    return False


def attempts(schema: str, found: dict[str, str]) -> list[str]:
    """Statements that touch every table of a schema in every way."""
    return [
        *(statement.format(table=f"{schema}.{table}") for table in found for statement in STATEMENTS),
        *(f"UPDATE {schema}.{table} SET {column} = {column}" for table, column in found.items()),
        f"CREATE TABLE {schema}.mine (a int)",
        f"ALTER SCHEMA {schema} RENAME TO mine",
    ]


def test_every_service_has_tables_of_every_regency(service: str, deployed_platform: DeployedPlatform):
    """Without this, the tests below could walk over nothing."""
    for schema in schemas(deployed_platform):
        found = tables(deployed_platform, service, schema)
        assert {"event_log", "event_log_rest", "inbox", "command_inbox", "stream", "stream_mark"} <= set(found)
    assert "ticket" in tables(deployed_platform, "ticketing", "lampung_timur")
    assert "account" in tables(deployed_platform, "catalog", "lampung_timur")


def test_a_unit_of_work_of_one_regency_cannot_touch_another_s_tables(
    service: str, database: Database, deployed_platform: DeployedPlatform, figures: Figures
):
    tried = 0
    for schema in schemas(deployed_platform):
        if schema != HOME.replace("-", "_"):
            for statement in attempts(schema, tables(deployed_platform, service, schema)):
                with database.regency_work(HOME, timeout=30.0) as work:
                    assert refused(work, statement), statement
                tried += 1
    figures(f"{tried} statements of {HOME} on other regencies' tables of {service}: permission denied")


def test_the_same_unit_of_work_reads_its_own_tables(service: str, database: Database, deployed_platform: DeployedPlatform):
    own = HOME.replace("-", "_")
    with database.regency_work(HOME, timeout=30.0) as work:
        readable = [name for name in tables(deployed_platform, service, own) if not refused(work, f"SELECT 1 FROM {own}.{name} LIMIT 1")]
    assert {"event_log", "inbox", "command_inbox", "stream"} <= set(readable)


def test_without_a_regency_nothing_of_any_regency_is_readable(service: str, database: Database, deployed_platform: DeployedPlatform):
    for schema in schemas(deployed_platform):
        for statement in attempts(schema, tables(deployed_platform, service, schema)):
            with database.platform_work(timeout=30.0) as work:
                assert refused(work, statement), statement


def test_a_forgotten_role_in_the_middle_of_a_unit_of_work_reads_nothing(
    service: str, database: Database, deployed_platform: DeployedPlatform
):
    own = HOME.replace("-", "_")
    with database.regency_work(HOME, timeout=30.0) as work:
        work.execute(sa.text("SELECT set_config('role', 'none', true)"))
        for table in tables(deployed_platform, service, own):
            assert refused(work, f"SELECT * FROM {own}.{table}"), table


def test_the_next_unit_of_work_on_the_connection_starts_without_a_regency(service: str, deployed_platform: DeployedPlatform):
    with closing(Database(service, deployed_platform.database_url(service), pool_size=1)) as database:
        with database.regency_work(ABROAD) as work:
            work.execute(sa.text("SELECT count(*) FROM event_log"))
            backend = work.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with database.platform_work() as work:
            assert work.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() == backend, "not the same connection"
            assert refused(work, "SELECT * FROM lampung_timur.event_log")
            with pytest.raises(ProgrammingError, match="does not exist"), work.attempt():
                work.execute(sa.text("SELECT count(*) FROM event_log"))


def test_a_regency_s_role_cannot_look_into_the_platform_s_tables(service: str, database: Database, deployed_platform: DeployedPlatform):
    """The outbox holds the events of all regencies, the catalogue's operators their password hashes."""
    found = tables(deployed_platform, service, "platform")
    assert "outbox" in found
    for table in found:
        with database.regency_work(HOME, timeout=30.0) as work:
            assert refused(work, f"SELECT * FROM platform.{table}"), table
            assert refused(work, f"DELETE FROM platform.{table}"), table
            assert refused(work, f"UPDATE platform.{table} SET {found[table]} = {found[table]}"), table


def test_a_regency_cannot_speak_for_another(service: str, database: Database):
    """Row security on the outbox: the role may only insert events of its own regency."""
    insert = (
        "INSERT INTO platform.outbox (regency, source, sequence, event_id, type, subject, time, data)"
        f" VALUES ('{{regency}}', '/regencies/{{regency}}/{service}', 999999, gen_random_uuid(), 'ticket.called', 'x', now(), '{{{{}}}}')"
    )
    with database.regency_work(HOME) as work:
        assert refused(work, insert.format(regency=ABROAD))
        assert not refused(work, insert.format(regency=HOME)), "not even its own"
        work.connection.rollback()


def test_the_event_log_is_append_only_for_its_own_service(service: str, database: Database):
    with database.regency_work(HOME) as work:
        for statement in ("UPDATE event_log SET subject = 'x'", "DELETE FROM event_log", "TRUNCATE event_log"):
            assert refused(work, statement), statement


def test_a_regency_s_role_cannot_run_the_platform_s_functions(service: str, database: Database, deployed_platform: DeployedPlatform):
    """They run with the administrator's rights, and one of them drops old partitions of a schema that it is told."""
    with administrator(deployed_platform, service) as connection:
        found = connection.execute(
            "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'platform'"
        ).fetchall()
        callers = connection.execute(
            "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = 'platform' AND has_function_privilege(%s, p.oid, 'EXECUTE')",
            (f"{service}_lampung_tengah",),
        ).fetchone()
    assert found
    assert callers == (0,)
    with database.regency_work(HOME) as work:
        assert refused(work, "SELECT platform.cut_event_log('lampung_timur', current_date)")


def test_a_service_s_login_has_no_way_into_another_service(service: str, deployed_platform: DeployedPlatform):
    own = deployed_platform.database_url(service)
    for other in SERVICES:
        if other == service:
            continue
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(own.rpartition("/")[0] + f"/{other}")
        with psycopg.connect(own, autocommit=True) as connection:
            for role in (other, f"{other}_lampung_timur", f"{other}_regencies", "mpp_admin"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


def test_a_service_s_login_has_no_rights_of_an_administrator(service: str, deployed_platform: DeployedPlatform):
    with administrator(deployed_platform, service) as connection:
        rights = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolinherit"
        roles = connection.execute(f"SELECT rolname FROM pg_roles WHERE ({rights}) AND rolname = %s", (service,)).fetchall()
        strong = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolcanlogin"
        regencies = connection.execute(f"SELECT rolname FROM pg_roles WHERE ({strong}) AND rolname LIKE %s", (f"{service}\\_%",)).fetchall()
    assert (roles, regencies) == ([], [])
