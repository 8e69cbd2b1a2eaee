"""`mpp backup` and `mpp restore` on databases alone: other servers, other releases, consumers that lag far behind."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from deploy import parts, regencies
from deploy.cli.commands import mpp
from deploy.servers.postgres import PostgresServer
from services.chassis import audit, resuming
from services.chassis.audit_sealing import seal
from services.chassis.connections import HOME
from services.chassis.context import Actor, CallContext
from services.chassis.database import Database
from services.chassis.events import Event
from services.chassis.provisioning import schema_beside
from services.chassis.resuming import LEAP
from services.chassis.revisions import Revisions
from services.chassis.settings import SERVICES, Settings

pytestmark = pytest.mark.integration

HERE = {"id": "oku-timur", "name": "Kabupaten Ogan Komering Ulu Timur"}
TICKET = "0b2f9a52-7c3e-4f0e-9d56-3f1c3a2b9e11"
THERE = {"id": "lampung-timur", "name": "Kabupaten Lampung Timur"}

SOURCE = "/regencies/{}/ticketing/sites/sukadana"


class Servers:
    """Two servers; lampung-timur is on the second."""

    def __init__(self, home: PostgresServer, away: PostgresServer, folder: Path) -> None:
        self.folder = folder
        self.home, self.away = home, away
        self.environment = {
            "MPP_ADMIN_DATABASE_URL": home.admin_url,
            "MPP_DATABASE_PLACEMENT": f"lampung-timur=127.0.0.1:{away.port}",
            **{f"MPP_{service.upper()}_DATABASE_URL": home.url(service, service, "secret") for service in SERVICES},
        }
        self.settings = Settings.from_environment(self.environment)

    def mpp(self, *arguments: str) -> Result:
        return CliRunner(env=self.environment).invoke(mpp, arguments)

    def backup(self, *choice: str) -> Path:
        before = set(self.folder.iterdir())
        said = self.mpp("backup", "create", *choice, "--folder", str(self.folder))
        assert said.exit_code == 0, said.output
        (made,) = set(self.folder.iterdir()) - before
        return made

    def happen(self, regency: str, count: int, number: int = 1, ticket: dict | None = None) -> None:
        """Write events of tickets as ticketing does; those of other tests are of a ticket that nobody could handle."""
        database = Database("ticketing", self.settings.database_url("ticketing"), placement=self.settings.placement)
        with database.regency_work(regency) as work:
            for each in range(count):
                work.emit(Event("ticket.issued", f"{number}-{each}", {"ticket": ticket or {"id": "none"}}, site="sukadana"))
        database.close()

    def audited(self, regency: str, count: int) -> None:
        """Write rows of the audit log as ticketing does, and seal them."""
        database = Database("ticketing", self.settings.database_url("ticketing"), placement=self.settings.placement)
        officer = CallContext(regency, Actor(f"officer@{regency}", "officer", regency)).within(5)
        for each in range(count):
            with database.regency_work(regency, context=officer) as work:
                audit.record(work, "call_ticket", {}, {"id": str(each)})
        with database.regency_work(regency) as work:
            seal(work, regency, "ticketing")
        database.close()

    def rows(self, service: str, regency: str, query: str) -> list[tuple]:
        server = self.away if regency == THERE["id"] else self.home
        with psycopg.connect(server.url(service, password=self.home.password)) as connection:
            connection.execute("SELECT set_config('search_path', %s, false)", [regency.replace("-", "_")])
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def servers(server_folder: Path, tmp_path_factory) -> Iterator[Servers]:
    with (
        PostgresServer(server_folder / "backup-home", durable=False) as home,
        PostgresServer(server_folder / "backup-away", durable=False) as away,
    ):
        with psycopg.connect(away.admin_url) as connection:
            connection.execute(f"ALTER ROLE mpp_admin PASSWORD '{home.password}'")
        servers = Servers(home, away, tmp_path_factory.mktemp("archives"))
        regencies.prepare(servers.settings)
        for facts in (HERE, THERE):
            regencies.add_regency(servers.settings, facts, lambda line: None)
        yield servers


@pytest.fixture
def folder(servers, tmp_path) -> Servers:
    servers.folder = tmp_path
    return servers


@pytest.mark.parametrize("regency", [HERE["id"], THERE["id"]])
def test_a_regency_comes_back_on_the_server_where_it_is(folder, regency):
    servers, log = folder, "SELECT sequence, id, data FROM event_log ORDER BY sequence"
    servers.happen(regency, 3)
    archive, before = servers.backup("--all"), servers.rows("ticketing", regency, log)
    servers.happen(regency, 2)
    (last,) = servers.rows("ticketing", regency, "SELECT sequence FROM stream")[0]
    said = servers.mpp("restore", str(archive), "--regency", regency, "--replace")
    assert said.exit_code == 0, said.output
    assert "2 of ticketing" in said.output
    assert servers.rows("ticketing", regency, log) == before
    assert servers.rows("ticketing", regency, "SELECT sequence FROM stream") == [(last + LEAP,)]
    heads = servers.rows("ticketing", regency, f"SELECT sequence FROM platform.stream_head WHERE regency = '{regency}'")
    assert heads == [(last + LEAP,)]
    assert servers.rows("ticketing", regency, f"SELECT * FROM platform.outbox WHERE regency = '{regency}'") == []
    assert servers.rows("ticketing", HERE["id"], f"SELECT regency FROM platform.attention WHERE regency = '{regency}'") == [(regency,)]
    assert {row["id"]: len(row["services"]) for row in regencies.regency_table(servers.settings)} == {HERE["id"]: 4, THERE["id"]: 4}


def test_what_a_consumer_had_not_handled_is_handed_to_it_and_nothing_of_the_lost_history(folder):
    servers, regency = folder, HERE["id"]
    source = SOURCE.format(regency)
    servers.rows("notification", regency, "TRUNCATE inbox, delivery, subscription")
    servers.rows("reporting", regency, "TRUNCATE inbox, stream_mark")
    wish = "(id, ticket, address, address_hash, masked, locale, kinds, from_version, created_at)"
    servers.rows(
        "notification",
        regency,
        f"INSERT INTO subscription {wish} VALUES ('{TICKET}', '{TICKET}', '', '', '', 'id', '{{completed}}', 1, now())",
    )
    servers.happen(regency, 4, number=2, ticket={"id": TICKET, "version": 3})
    (last,) = servers.rows("ticketing", regency, "SELECT sequence FROM stream")[0]
    servers.rows("reporting", regency, f"INSERT INTO stream_mark VALUES ('reporting.ticketing', '{source}', {last - 3})")
    early = f"('reporting.ticketing', '{source}', {last - 1}, gen_random_uuid(), 'ticket.issued', 'handled', now())"
    columns = "(consumer, source, sequence, event_id, type, status, received_at)"
    servers.rows("reporting", regency, f"INSERT INTO inbox {columns} VALUES {early}")
    said = servers.mpp("restore", str(servers.backup("--regency", regency)), "--regency", regency, "--replace")
    assert said.exit_code == 0, said.output
    waiting = "SELECT sequence FROM inbox WHERE consumer = 'reporting.ticketing' AND status = 'failed' ORDER BY 1"
    assert servers.rows("reporting", regency, waiting) == [(last - 2,), (last,)]
    marks = "SELECT consumer, sequence FROM stream_mark WHERE source LIKE '%ticketing%' ORDER BY 1"
    assert servers.rows("reporting", regency, marks) == [("reporting.ticketing", last + LEAP)]
    assert servers.rows("notification", regency, marks) == [("notification.ticketing", last + LEAP)]
    assert servers.rows("notification", regency, "SELECT from_version FROM subscription") == [(3,)], "who had the letter since gets none"


@pytest.mark.parametrize("why", ["too much", "cut"])
def test_who_cannot_be_handed_everything_is_told_to_be_rebuilt(folder, monkeypatch, why):
    servers, regency = folder, HERE["id"]
    for service in ("reporting", "notification"):
        servers.rows(service, regency, "TRUNCATE inbox")
    servers.happen(regency, 3, number=3)
    if why == "cut":
        servers.rows("ticketing", regency, "DELETE FROM event_log WHERE sequence = (SELECT max(sequence) - 1 FROM event_log)")
    else:
        monkeypatch.setattr(resuming, "MOST_HANDED_ON", 2)
    said = servers.mpp("restore", str(servers.backup("--regency", regency)), "--regency", regency, "--replace")
    assert said.exit_code == 0, said.output
    for service in ("reporting", "notification"):
        assert f"mpp rebuild {service} --regency {regency}" in said.output
    assert servers.rows("reporting", regency, "SELECT * FROM inbox") == []


def test_a_snapshot_that_is_being_applied_meanwhile_does_not_count(folder):
    servers, regency = folder, HERE["id"]
    servers.rows("reporting", regency, "DELETE FROM rebuild")
    archive = servers.backup("--regency", regency)
    servers.rows("reporting", regency, "INSERT INTO rebuild VALUES ('reporting.ticketing', 7, now())")
    assert servers.mpp("restore", str(archive), "--regency", regency, "--replace").exit_code == 0
    assert (8,) in servers.rows("reporting", regency, "SELECT number FROM rebuild WHERE consumer = 'reporting.ticketing'")


def test_a_backup_of_an_older_release_is_brought_up_to_date(folder):
    servers, regency = folder, "kutai-timur"
    regencies.add_regency(servers.settings, {"id": regency, "name": "Kabupaten Kutai Timur"}, lambda line: None)
    for provisioner in parts.provisioners(servers.settings, HOME):
        with provisioner.beside(regency, Revisions("0001", "0001")) as connection:  # as the first release had it
            connection.exec_driver_sql("DROP SCHEMA kutai_timur CASCADE")
            connection.exec_driver_sql(f'ALTER SCHEMA "{schema_beside(regency)}" RENAME TO kutai_timur')
            role = f"{provisioner.service}_kutai_timur"
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA kutai_timur TO {role}")
            connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA kutai_timur TO {role}")
            connection.exec_driver_sql(
                "UPDATE platform.regency SET chassis_revision = '0001', service_revision = '0001' WHERE slug = 'kutai-timur'"
            )
            connection.commit()
    servers.rows("ticketing", regency, "INSERT INTO stream VALUES ('/regencies/kutai-timur/ticketing', 7)")
    archive = servers.backup("--regency", regency)
    said = servers.mpp("restore", str(archive), "--regency", regency, "--replace")
    assert said.exit_code == 0, said.output
    assert servers.rows("ticketing", regency, "SELECT sequence FROM stream") == [(7 + LEAP,)]
    assert servers.rows("ticketing", regency, "SELECT action FROM audit_log") == [("restore",)]
    revisions = "SELECT chassis_revision, service_revision FROM platform.regency WHERE slug IN ('kutai-timur', 'oku-timur')"
    assert len(set(servers.rows("notification", regency, revisions))) == 1


class TestTheAuditLog:
    """Its chain goes through a backup and on after a restore, and anchors tell what was lost."""

    def test_goes_on_after_a_restore_and_says_so(self, folder):
        servers, regency = folder, HERE["id"]
        servers.audited(regency, 3)
        archive = servers.backup("--regency", regency)
        servers.audited(regency, 2)
        later = servers.folder / "anchor"
        later.write_text(servers.mpp("audit", "head").output)
        assert servers.mpp("audit", "verify", "--since-anchor", str(later), "--since-anchor", str(archive)).exit_code == 0
        assert servers.mpp("restore", str(archive), "--regency", regency, "--replace").exit_code == 0
        servers.audited(regency, 1)

        said = servers.mpp("audit", "verify", "--regency", regency, "--since-anchor", str(archive))
        assert (said.exit_code, "restored from a backup" in said.output) == (0, True), said.output
        said = servers.mpp("audit", "verify", "--since-anchor", str(later))
        assert (said.exit_code, "BROKEN" in said.output) == (1, True), "what was done since the backup is lost"
        [(after,)] = servers.rows("ticketing", regency, "SELECT after FROM audit_log WHERE action = 'restore' ORDER BY id DESC LIMIT 1")
        kept = [json.loads(line) for line in later.read_text().splitlines()]
        [lost] = [each for each in kept if (each["regency"], each["service"]) == (regency, "ticketing")]
        assert after["replaced"] == {"sequence": lost["sequence"], "hash": lost["hash"]}

    def test_that_somebody_has_changed_is_found(self, folder):
        servers, regency = folder, THERE["id"]
        servers.audited(regency, 3)
        assert servers.mpp("audit", "verify").exit_code == 0
        servers.rows("ticketing", regency, "UPDATE audit_log SET actor = 'other' WHERE id = (SELECT max(id) FROM audit_log)")
        said = servers.mpp("audit", "verify")
        [broken] = [line for line in said.output.splitlines() if "BROKEN" in line]
        assert (said.exit_code, broken.split()[:2]) == (1, [regency, "ticketing"]), said.output
        servers.rows("ticketing", regency, f"UPDATE audit_log SET actor = 'officer@{regency}' WHERE actor = 'other'")
        assert servers.mpp("audit", "verify").exit_code == 0

    def test_is_not_compared_with_what_is_no_anchor(self, folder, tmp_path):
        (tmp_path / "letter").write_text("Dear inspector")
        said = folder.mpp("audit", "verify", "--since-anchor", str(tmp_path / "letter"))
        assert (said.exit_code, "neither a backup" in said.output) == (1, True), said.output
        said = folder.mpp("audit", "head", "--regency", "lampung-tengah")
        assert (said.exit_code, "no regency" in said.output) == (1, True), said.output


def test_a_backup_of_a_newer_release_is_refused(folder):
    servers, regency = folder, HERE["id"]
    archive = servers.backup("--regency", regency)
    with zipfile.ZipFile(archive) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    manifest = json.loads(members["manifest.json"])
    manifest["regencies"][regency]["reporting"]["revisions"]["service"] = "9999"
    members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(archive, "w") as changed:
        for name, content in members.items():
            changed.writestr(name, content)
    said = servers.mpp("restore", str(archive), "--regency", regency, "--replace")
    assert (said.exit_code, "use the release that made the archive" in said.output) == (1, True), said.output


def test_a_regency_that_is_not_there_is_told_and_one_that_fails_does_not_hold_up_the_others(folder):
    servers = folder
    said = servers.mpp("backup", "create", "--regency", "lampung-tengah", "--folder", str(servers.folder))
    assert (said.exit_code, "does not know the regency" in said.output) == (1, True), said.output
    servers.rows("reporting", HERE["id"], "UPDATE platform.regency SET provisioned_at = NULL WHERE slug = 'oku-timur'")
    said = servers.mpp("backup", "create", "--all", "--folder", str(servers.folder), "--keep", "1")
    servers.rows("reporting", HERE["id"], "UPDATE platform.regency SET provisioned_at = now() WHERE slug = 'oku-timur'")
    assert (said.exit_code, "Not in it: oku-timur" in said.output) == (1, True), said.output
    (archive,) = servers.folder.iterdir()
    assert servers.mpp("backup", "verify", str(archive)).exit_code == 1
    said = servers.mpp("restore", str(archive), "--regency", "oku-timur", "--replace")
    assert (said.exit_code, "not in this backup" in said.output) == (1, True), said.output
