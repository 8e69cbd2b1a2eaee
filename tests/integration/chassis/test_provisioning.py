"""Databases, roles and schemas can be made, completed and upgraded again and again, also by two at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from services.chassis import metrics, provisioning
from services.chassis.database import Database, SchemaBehind
from services.chassis.errors import DomainError, Unavailable
from services.chassis.provisioning import Provisioner
from services.chassis.settings import SettingsError
from tests.integration.chassis.conftest import MIGRATIONS, Administration, added, login_url, schema

pytestmark = pytest.mark.integration

FIRST = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table("thing", sa.Column("name", sa.Text, nullable=False))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.create_unique_constraint("thing_name", "thing", ["name"])
"""
THIRD = """
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    names = {row.name for row in op.get_bind().exec_driver_sql("SELECT name FROM thing")}
    if "odd" in names:
        raise KeyError("unforeseen name")
"""


class Place:
    """A service of its own, with migrations that the test writes, on the shared server."""

    def __init__(self, postgres_server, folder: Path) -> None:
        self.url = login_url(postgres_server, "things")
        self.service = sa.make_url(self.url).username or ""
        self.admin_url = postgres_server.admin_url
        self.migrations = folder
        (folder / "regency").mkdir()
        self.migration("0001", FIRST)
        self.opened: list[Database] = []
        self.administration = Administration(postgres_server.url(self.service))

    def migration(self, number: str, text: str) -> None:
        (self.migrations / "regency" / f"{number}_things.py").write_text(text)

    def provisioner(self) -> Provisioner:
        return Provisioner(self.service, self.url, self.admin_url, self.migrations)

    def database(self, url: str = "") -> Database:
        self.opened.append(Database(self.service, url or self.url, migrations=self.migrations))
        return self.opened[-1]

    def columns(self) -> dict[str, set[str]]:
        rows = self.administration.run(
            "SELECT table_schema || '.' || table_name, column_name FROM information_schema.columns"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        found: dict[str, set[str]] = {}
        for table, column in rows:
            found.setdefault(table, set()).add(column)
        return found

    def rights(self) -> list[tuple[str, str]]:
        return sorted(
            tuple(row)
            for row in self.administration.run(
                "SELECT format('%I.%I', nspname, relname), array_to_string(ARRAY(SELECT unnest(relacl)::text ORDER BY 1), ' ')"
                " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname !~ '^pg_|^information_schema$'"
            )
        )


@pytest.fixture
def place(postgres_server, tmp_path) -> Iterator[Place]:
    place = Place(postgres_server, tmp_path)
    yield place
    for database in place.opened:
        database.close()


@pytest.fixture
def prepared(place) -> Place:
    place.provisioner().prepare()
    return place


def test_a_new_regency_can_be_used_at_once(prepared):
    prepared.provisioner().add_regency("lampung-timur", {"name": "Lampung Timur"})
    database = prepared.database()
    assert database.regencies() == ["lampung-timur"]
    with database.regency_work("lampung-timur") as work:
        work.execute(sa.text("INSERT INTO thing VALUES ('one')"))
        work.emit(added())
    database.check()
    assert prepared.provisioner().regencies() == {"lampung-timur": {"name": "Lampung Timur"}}


def test_every_step_can_be_repeated_and_changes_nothing(prepared):
    provisioner = prepared.provisioner()
    provisioner.add_regency("lampung-timur", {"name": "Lampung Timur"})
    before = prepared.columns(), prepared.rights(), provisioner.regencies()
    for _ in range(2):
        provisioner.prepare()
        provisioner.add_regency("lampung-timur", {"name": "Lampung Timur"})
        assert provisioner.migrate().done == ["lampung-timur"]
    assert (prepared.columns(), prepared.rights(), provisioner.regencies()) == before


def test_who_is_up_to_date_is_left_alone_and_gets_its_rights_again_when_that_is_asked_for(prepared, monkeypatch):
    provisioner = prepared.provisioner()
    for name in ("lampung-timur", "oku-timur"):
        provisioner.add_regency(name, {})
    rights = prepared.rights()
    prepared.administration.run("REVOKE ALL ON oku_timur.thing FROM " + f"{prepared.service}_oku_timur")
    described = "SELECT xmin FROM pg_class WHERE oid = 'lampung_timur.thing'::regclass"
    before = prepared.administration.value(described)
    lines: list[str] = []
    assert provisioner.migrate(lines.append).done == ["lampung-timur", "oku-timur"]
    assert (prepared.administration.value(described), lines) == (before, [f"{prepared.service}: 2 of 2 need nothing"])
    assert prepared.rights() != rights
    provisioner.migrate(again=True)
    assert prepared.rights() == rights


def test_what_a_new_release_gives_other_rights_is_not_up_to_date(prepared, monkeypatch):
    prepared.provisioner().add_regency("lampung-timur", {})
    given = provisioning._regency_rights
    taken = "REVOKE DELETE ON {tables} FROM {role}"
    monkeypatch.setattr(
        provisioning,
        "_regency_rights",
        lambda schema, role, tables, logs: [*given(schema, role, tables, logs), taken.format(tables=tables, role=role)],
    )
    before = prepared.rights()
    prepared.provisioner().migrate()
    after = prepared.rights()
    assert after != before
    prepared.provisioner().migrate()
    assert prepared.rights() == after


def test_facts_of_a_regency_can_be_corrected(prepared):
    provisioner = prepared.provisioner()
    provisioner.add_regency("lampung-timur", {"name": "Lampung Timor"})
    provisioner.add_regency("lampung-timur", {"name": "Lampung Timur"})
    assert provisioner.regencies() == {"lampung-timur": {"name": "Lampung Timur"}}


def test_before_it_is_prepared_a_service_is_not_ready(place):
    database = place.database()
    with pytest.raises(Unavailable):
        database.check()
    place.provisioner().prepare()
    database.check()


def test_a_program_is_not_ready_before_any_regency_is_migrated_for_it(prepared):
    prepared.provisioner().add_regency("lampung-timur", {})
    old = prepared.database()
    prepared.migration("0002", SECOND)
    new = prepared.database()
    old.check()
    with pytest.raises(SchemaBehind, match="mpp migrate"):
        new.check()
    prepared.provisioner().migrate()
    new.check()
    old.check()  # the former release, while the new one is rolled out


def test_a_regency_whose_migration_failed_is_named_and_takes_no_other_off_the_air(prepared):
    for regency in ("lampung-timur", "oku-timur"):
        prepared.provisioner().add_regency(regency, {})
    prepared.administration.run("INSERT INTO oku_timur.thing VALUES ('twice'), ('twice')")
    prepared.migration("0002", SECOND)
    assert set(prepared.provisioner().migrate().failed) == {"oku-timur"}
    database, behind = prepared.database(), metrics.REGENCIES_BEHIND.labels(prepared.service)
    with structlog.testing.capture_logs() as logged:
        database.check()
        database.check()
    assert [(line["event"], line["regencies"]) for line in logged] == [("regencies_behind", ["oku-timur"])]
    assert behind._value.get() == 1
    prepared.administration.run("DELETE FROM oku_timur.thing")
    prepared.provisioner().migrate()
    database.check()
    assert behind._value.get() == 0


def test_the_login_can_change_its_password(place, prepared):
    changed = sa.make_url(place.url).set(password="it's : another % one \\ here").render_as_string(hide_password=False)
    Provisioner(place.service, changed, place.admin_url, place.migrations).prepare()
    place.database(changed).check()
    with pytest.raises(Unavailable):
        prepared.database().check()


def test_no_statement_shows_the_password_not_even_in_the_server_s_log(prepared):
    stored = prepared.administration.value("SELECT rolpassword FROM pg_authid WHERE rolname = :name", name=prepared.service)
    assert stored.startswith("SCRAM-SHA-256$")
    seen: list[str] = []

    def watch(_connection, _cursor, statement, *_others) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", watch)
    prepared.provisioner().prepare()
    sa.event.remove(sa.Engine, "before_cursor_execute", watch)
    password = str(sa.make_url(prepared.url).password)
    assert [statement for statement in seen if "PASSWORD" in statement]
    assert not [statement for statement in seen if password in statement]


def test_preparing_again_waits_for_no_relay_at_work(prepared):
    with prepared.administration.connection() as relay:
        relay.exec_driver_sql("DELETE FROM platform.outbox")
        prepared.provisioner().prepare()


def interrupted(place: Place, at: str) -> None:
    """Leave a regency as an interrupted or foreign attempt may have left it, up to one step."""
    run = place.administration.run
    if at in ("registered", "role", "schema", "tables"):
        run("INSERT INTO platform.regency (slug, facts) VALUES ('half-made', '{}')")
    if at in ("role", "schema", "tables"):
        run(f"CREATE ROLE {place.service}_half_made NOLOGIN")
    if at in ("schema", "tables"):
        run("CREATE SCHEMA half_made")
    if at == "tables":
        whole = place.provisioner()
        whole.add_regency("half-made", {})
        run("UPDATE platform.regency SET provisioned_at = NULL")
        run(f"REVOKE ALL ON ALL TABLES IN SCHEMA half_made FROM {place.service}_half_made")
        run("DROP TABLE half_made.thing, half_made.migrations_of_service")


@pytest.mark.parametrize("at", ["registered", "role", "schema", "tables"])
def test_a_half_made_regency_does_not_exist_until_repeating_completes_it(prepared, at):
    interrupted(prepared, at)
    database = prepared.database()
    assert database.regencies() == []
    assert prepared.provisioner().regencies() == {}
    prepared.provisioner().add_regency("half-made", {"name": "Whole"})
    assert database.regencies() == ["half-made"]
    with database.regency_work("half-made") as work:
        work.execute(sa.text("INSERT INTO thing VALUES ('one')"))
        work.emit(added())


def test_a_regency_whose_migration_fails_is_not_there_at_all(prepared):
    prepared.migration("0002", SECOND.replace('"thing", ["name"]', '"thing", ["no_such_column"]'))
    with pytest.raises(sa.exc.ProgrammingError):
        prepared.provisioner().add_regency("lampung-timur", {})
    database = prepared.database()
    assert database.regencies() == []
    with pytest.raises(DomainError, match="regency_unknown"), database.regency_work("lampung-timur"):
        pass
    assert not [table for table in prepared.columns() if table.startswith("lampung_timur")]
    prepared.migration("0002", SECOND)
    prepared.provisioner().add_regency("lampung-timur", {})
    assert database.regencies() == ["lampung-timur"]


def at_once(*actions: Callable[[], object]) -> None:
    """Do things as simultaneously as threads can; raise what the first of them raised."""
    start = threading.Barrier(len(actions))

    def act(action: Callable[[], object]) -> None:
        start.wait(10)
        action()

    with ThreadPoolExecutor(len(actions)) as threads:
        for done in [threads.submit(act, action) for action in actions]:
            done.result()


def test_two_provisioners_may_prepare_at_once(place):
    at_once(*[place.provisioner().prepare for _ in range(4)])
    place.database().check()


def test_two_provisioners_may_add_the_same_regency_at_once(prepared):
    at_once(*[lambda: prepared.provisioner().add_regency("lampung-timur", {"name": "x"}) for _ in range(3)])
    assert prepared.database().regencies() == ["lampung-timur"]


def test_two_provisioners_may_add_different_regencies_at_once(prepared):
    names = [f"regency-{number}" for number in range(4)]
    at_once(*[lambda name=name: prepared.provisioner().add_regency(name, {}) for name in names])
    assert prepared.database().regencies() == names


def test_migration_goes_on_past_a_failing_regency_and_says_which_and_why(prepared):
    provisioner, database = prepared.provisioner(), prepared.database()
    for name in ("a-first", "b-broken", "c-last"):
        provisioner.add_regency(name, {})
    with database.regency_work("b-broken") as work:
        work.execute(sa.text("INSERT INTO thing VALUES ('twice'), ('twice')"))
    prepared.migration("0002", SECOND)
    lines: list[str] = []
    report = prepared.provisioner().migrate(lines.append)
    assert report.done == ["a-first", "c-last"]
    assert list(report.failed) == ["b-broken"]
    assert "unique" in report.failed["b-broken"]
    assert len(lines) == 3
    assert "b-broken FAILED" in lines[1]

    with database.regency_work("b-broken") as work:  # still as it was, and usable
        work.execute(sa.text("DELETE FROM thing WHERE ctid IN (SELECT min(ctid) FROM thing)"))
    assert prepared.provisioner().migrate().done == ["a-first", "b-broken", "c-last"]


def test_migration_goes_on_also_past_a_regency_whose_data_a_migration_does_not_foresee(prepared):
    provisioner, database = prepared.provisioner(), prepared.database()
    for name in ("a-odd", "b-plain"):
        provisioner.add_regency(name, {})
    with database.regency_work("a-odd") as work:
        work.execute(sa.text("INSERT INTO thing VALUES ('odd')"))
    prepared.migration("0002", SECOND)
    prepared.migration("0003", THIRD)
    report = prepared.provisioner().migrate()
    assert report.done == ["b-plain"]
    assert "unforeseen name" in report.failed["a-odd"]
    assert prepared.administration.value("SELECT version_num FROM a_odd.migrations_of_service") == "0001", "nothing of it remains"


def test_a_regency_in_use_fails_after_the_lock_timeout_instead_of_holding_up_its_citizens(prepared, monkeypatch):
    monkeypatch.setattr("services.chassis.provisioning.LOCK_TIMEOUT", "200ms")
    provisioner, database = prepared.provisioner(), prepared.database()
    for name in ("a-used", "b-free"):
        provisioner.add_regency(name, {})
    prepared.migration("0002", SECOND)
    with database.regency_work("a-used") as work:
        work.execute(sa.text("INSERT INTO thing VALUES ('now')"))
        report = prepared.provisioner().migrate()
    assert report.done == ["b-free"]
    assert "lock timeout" in report.failed["a-used"]


def test_every_migration_of_the_chassis_and_of_the_service_is_remembered_by_its_owner(provisioner, administration, regency):
    where = schema(regency)
    newest = max(file.name[:4] for file in (MIGRATIONS / "regency").glob("0*.py"))
    assert administration.value(f"SELECT version_num FROM {where}.migrations_of_service") == newest
    assert administration.value(f"SELECT version_num FROM {where}.migrations_of_chassis") >= "0001"


def test_a_server_that_is_too_old_is_refused_before_anything_is_made(place, monkeypatch):
    monkeypatch.setattr(provisioning, "OLDEST_SERVER", 99)
    with pytest.raises(SettingsError, match=r"PostgreSQL 99 or newer is needed; that of things_\w+ is \d\d\. Nothing was changed"):
        place.provisioner().prepare()
    assert not place.provisioner().exists()
