"""A unit of work reaches the tables of its own regency and nothing else; PostgreSQL itself sees to it."""

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from services.chassis.connections import HOME
from services.chassis.database import Database
from services.chassis.errors import DomainError, Unavailable
from services.chassis.provisioning import Provisioner
from tests.integration.chassis.conftest import MIGRATIONS, added, login_url, schema

pytestmark = [pytest.mark.integration, pytest.mark.isolation]

INSUFFICIENT_PRIVILEGE = "42501"


def refused(work, statement: str, **parameters) -> bool:
    """Whether PostgreSQL refuses a statement for want of a right (anything else raises)."""
    try:
        with work.attempt():
            work.execute(sa.text(statement), parameters)
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
            raise
        return True
    return False


@pytest.fixture
def mine(regency) -> str:
    return regency


@pytest.fixture
def other(new_regency, database) -> str:
    """Another regency with one entry, event and command."""
    slug = new_regency()
    with database.regency_work(slug) as work:
        work.execute(sa.text("INSERT INTO entry (account, amount) VALUES ('secret', 1)"))
        work.emit(added("secret"))
    return slug


def tables(administration, regency: str) -> list[str]:
    rows = administration.run(
        "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE nspname = :schema AND relkind IN ('r', 'p', 'v', 'm')",
        schema=schema(regency),
    )
    return [row[0] for row in rows]


def test_no_statement_reaches_a_table_of_another_regency(database, administration, mine, other):
    with database.regency_work(mine) as work:
        for table in tables(administration, other):
            assert refused(work, f"SELECT * FROM {table}")
            assert refused(work, f"DELETE FROM {table}")
            assert refused(work, f"TRUNCATE {table}")
            assert refused(work, f"DROP TABLE {table}")
        there = schema(other)
        assert refused(work, f"INSERT INTO {there}.entry (account, amount) VALUES ('x', 1)")
        assert refused(work, f"UPDATE {there}.entry SET amount = 0")
        assert refused(work, f"CREATE TABLE {there}.mine (id int)")
        assert refused(work, f"SELECT a.* FROM entry a JOIN {there}.entry b USING (account)")
        assert refused(work, f"WITH gone AS (DELETE FROM {there}.entry RETURNING *) INSERT INTO entry SELECT * FROM gone")


def test_another_search_path_opens_no_door(database, mine, other):
    with database.regency_work(mine) as work:
        work.execute(sa.text("SELECT set_config('search_path', :path, true)"), {"path": schema(other)})
        with pytest.raises(ProgrammingError), work.attempt():
            work.execute(sa.text("SELECT * FROM entry"))


def test_roles_outside_the_service_cannot_be_taken(database, mine):
    with database.regency_work(mine) as work:
        for role in ("mpp_admin", "pg_read_all_data", "pg_write_all_data"):
            assert refused(work, f"SET ROLE {role}")


@pytest.mark.parametrize("leave", ["RESET ROLE", "SET ROLE NONE"])
def test_who_leaves_the_regency_s_role_can_read_nothing(database, mine, other, leave):
    with database.regency_work(mine) as work:
        work.execute(sa.text(leave))
        assert refused(work, f"SELECT * FROM {schema(mine)}.entry")
        assert refused(work, f"SELECT * FROM {schema(other)}.entry")


def test_without_a_regency_nothing_of_any_regency_can_be_touched(database, administration, mine, other):
    with database.platform_work() as work:
        for table in tables(administration, mine) + tables(administration, other):
            assert refused(work, f"SELECT * FROM {table}")
            assert refused(work, f"DELETE FROM {table}")


def test_no_role_has_a_right_on_a_table_of_another_regency(administration, mine, other):
    """The whole catalogue of rights, also those that no statement above tried."""
    rights = administration.run(
        "SELECT format('%I.%I', nspname, relname), r.rolname, right_name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " CROSS JOIN pg_roles r"
        " CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) right_name"
        " WHERE nspname IN (:mine, :other) AND relkind IN ('r', 'p') AND NOT r.rolsuper AND r.rolname NOT LIKE 'pg\\_%'"
        " AND r.rolname <> 'ledger_' || nspname AND has_table_privilege(r.oid, c.oid, right_name)",
        mine=schema(mine),
        other=schema(other),
    )
    assert rights == []


def test_a_regency_s_role_has_no_more_rights_than_it_needs(administration, mine):
    rights = administration.run(
        "SELECT relname, array_agg(right_name ORDER BY right_name) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) right_name"
        " WHERE nspname = :schema AND relkind IN ('r', 'p') AND has_table_privilege('ledger_' || nspname, c.oid, right_name)"
        " GROUP BY relname",
        schema=schema(mine),
    )
    found = {name: set(given) for name, given in rights}
    full = {"SELECT", "INSERT", "UPDATE", "DELETE"}
    service_tables = dict.fromkeys(("entry", "copy", "balance", "trouble"), full)
    assert found == {
        **service_tables,
        **dict.fromkeys(("stream", "command_inbox", "inbox", "stream_mark", "handling", "rebuild"), full),
        "event_log": {"SELECT", "INSERT"},
        "audit_log": {"SELECT", "INSERT"},
        "audit_seal": {"SELECT", "INSERT"},
        "audit_cut": {"SELECT"},
    }


def test_what_happened_can_be_added_but_neither_changed_nor_removed(database, administration, other):
    with database.regency_work(other) as work:
        assert not refused(work, "SELECT * FROM event_log")
        log = [table for table in tables(administration, other) if "event_log" in table or "audit_log" in table]
        assert len(log) >= 4, "the log, its default partition and at least two months"
        for table in log:
            assert refused(work, f"UPDATE {table} SET {'actor' if 'audit' in table else 'subject'} = 'nobody'")
            assert refused(work, f"DELETE FROM {table}")
            assert refused(work, f"TRUNCATE {table}")
            assert refused(work, f"DROP TABLE {table}")
        assert refused(work, "SELECT platform.cut_event_log(:schema, '2100-01-01')", schema=schema(other))
    assert administration.count(f"{schema(other)}.event_log") == 1


def test_a_regency_can_say_only_what_happened_in_itself(database, mine, other):
    event = (
        "INSERT INTO platform.outbox (regency, source, sequence, event_id, type, subject, time, data)"
        " VALUES (:regency, :source, 1, uuidv7(), 't', 's', now(), '{}')"
    )
    own = f"/regencies/{mine}/ledger"
    with database.regency_work(mine) as work:
        assert refused(work, event, regency=other, source=own)
        assert refused(work, event, regency="ledger-" + mine, source=own)
        # Nor in the name of a stream that is not its own: others compare themselves with its head.
        for foreign in (f"/regencies/{other}/ledger", f"/regencies/{mine}/mirror", own + "/sitesx", f"{own}x/sites/main", ""):
            assert refused(work, event, regency=mine, source=foreign)
        assert not refused(work, event, regency=mine, source=own)
        assert not refused(work, event, regency=mine, source=own + "/sites/main")
        work.connection.rollback()


def test_a_regency_cannot_see_or_take_back_what_waits_for_publication(database, mine):
    with database.regency_work(mine) as work:
        for statement in ("SELECT * FROM {}", "DELETE FROM {}", "UPDATE {} SET data = '{{}}'", "TRUNCATE {}"):
            assert refused(work, statement.format("platform.outbox"))
        assert refused(work, "INSERT INTO platform.outbox (regency) VALUES (:regency) RETURNING id", regency=mine)
        for table in ("platform.regency", "platform.stream_head"):
            assert refused(work, f"SELECT * FROM {table}")


def test_a_service_cannot_provision_itself(database, mine):
    with database.platform_work() as work:
        for statement in (
            "UPDATE regency SET provisioned_at = now()",
            "INSERT INTO regency (slug) VALUES ('forged')",
            "DELETE FROM regency",
            "CREATE TABLE mine (id int)",
            "CREATE SCHEMA mine",
            "CREATE ROLE mine",
            f"ALTER ROLE ledger_{schema(mine)} LOGIN",
            f"DROP SCHEMA {schema(mine)} CASCADE",
        ):
            assert refused(work, statement)


def test_the_role_of_one_transaction_does_not_last_into_the_next(ledger_url, provisioner, mine, other):
    database = Database("ledger", ledger_url, pool_size=1)
    seen = []
    for _ in range(3):
        for slug in (mine, other):
            with database.regency_work(slug) as work:
                seen.append(work.execute(sa.text("SELECT current_user, current_schema, pg_backend_pid()")).one())
        with database.platform_work() as work:
            seen.append(work.execute(sa.text("SELECT current_user, current_schema, pg_backend_pid()")).one())
    state = "SELECT current_user, current_setting('search_path'), current_setting('statement_timeout'), current_setting('lock_timeout')"
    with database._pools[HOME].turn(1.0, "") as engine, engine.connect() as connection:
        left = connection.exec_driver_sql(state).one()
    database.close()
    login = sa.make_url(ledger_url).username
    assert tuple(left) == (login, '"$user", public', "0", "0"), "nothing of any of them"
    assert len({row.pg_backend_pid for row in seen}) == 1, "one connection served them all"
    assert [row.current_user for row in seen] == [f"ledger_{schema(mine)}", f"ledger_{schema(other)}", login] * 3
    assert [row.current_schema for row in seen] == [schema(mine), schema(other), "platform"] * 3


@pytest.mark.parametrize("unknown", ["never-provisioned", 'x"; DROP SCHEMA platform', "platform", "Information_Schema", ""])
def test_a_regency_that_was_not_provisioned_is_unknown(database, unknown):
    with pytest.raises(DomainError) as refusal, database.regency_work(unknown):
        pass
    assert refusal.value.code == "regency_unknown"


def test_a_service_cannot_connect_to_the_database_of_another(postgres_server, provisioner, ledger_url):
    mirror_url = login_url(postgres_server, "mirror")
    Provisioner("mirror", mirror_url, postgres_server.admin_url, MIGRATIONS).prepare()
    mirror, ledger = sa.make_url(mirror_url), sa.make_url(ledger_url)
    for intruder, database in ((mirror, ledger), (ledger, mirror)):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(intruder.set(database=database.database).render_as_string(hide_password=False))
    with pytest.raises(Unavailable), Database("mirror", mirror.set(database=ledger.database).render_as_string(False)).platform_work():
        pass


@pytest.mark.parametrize("common", ["postgres", "template1"])
def test_a_service_cannot_connect_to_the_databases_that_every_cluster_has(provisioner, ledger_url, common):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(sa.make_url(ledger_url).set(database=common).render_as_string(hide_password=False))
