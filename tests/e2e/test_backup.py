"""`mpp backup` and `mpp restore`: a regency is set back while the platform runs, and goes on as if nothing had been."""

from __future__ import annotations

import resource
import signal
import urllib.request
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from services.chassis.resuming import LEAP
from tests.platform import checker
from tests.platform.client import Client
from tests.platform.contents import Contents, contents, structure
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR, Day, Hall, empty, take_number
from tests.platform.shell import Said, Shell
from tests.processes import eventually
from tests.receivers import HttpReceiver, Mailbox, Reply

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

HALL = Hall("kutai-lama", "sangatta", ("PTS-INF",), ("sangatta-01",))
"""Of a regency that no other test looks at: its streams leap."""

BOOKKEEPING = {"stream", "stream_mark", "inbox", "handling", "rebuild"}
"""Tables of the chassis that say how far events have come: they leap, or are tidied up as time goes by."""

SIGNED_IN = "catalog.session"
"""Who is signed in: after a restore everybody signs in again."""

AUDIT = {"audit_log", "audit_seal"}
"""A restore stands in the audit log, and what was not sealed at the time of the backup is sealed now."""


@pytest.fixture(scope="module")
def platform(deployed_platform: DeployedPlatform) -> DeployedPlatform:
    """A platform with one more regency, in which people were served."""
    model = next(each for each in deployed_platform.documents if each["regency"]["id"] == "kutai-timur")
    deployed_platform.join({**model, "regency": {**model["regency"], "id": HALL.regency, "code": "64.97"}})
    serve_people(deployed_platform, 12)
    return deployed_platform


@pytest.fixture(scope="module")
def folder(server_folder: Path) -> Path:
    folder = server_folder / "backups"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def operator(platform: DeployedPlatform) -> Shell:
    """Who may restore: the administrator of the database."""
    return Shell(platform.administrators_environment())


@pytest.fixture(scope="module")
def saver(platform: DeployedPlatform) -> Shell:
    """Who may back up, and nothing more: the services' own logins."""
    variables = platform.administrators_environment()
    return Shell({name: value for name, value in variables.items() if name.endswith("_DATABASE_URL") and "ADMIN" not in name})


def serve_people(platform: DeployedPlatform, journeys: int, hall: Hall = HALL) -> Day:
    day = Day(platform, hall, journeys)
    day.begin()
    day.end()
    return day


def published(platform: DeployedPlatform, owner: str) -> bool:
    return checker.outbox_size(platform, owner) == 0


def finish(platform: DeployedPlatform) -> None:
    """Serve everybody who was waiting, called or being served when the backup was made."""
    officer = platform.client(f"officer@{HALL.regency}")
    for ticket in officer.pages(f"{HALL.path}/tickets"):
        if ticket["status"] in ("called", "serving"):
            if ticket["status"] == "called":
                assert officer.command(f"{HALL.path}/tickets/{ticket['id']}/start").status == 200
            assert officer.command(f"{HALL.path}/tickets/{ticket['id']}/complete", {"outcome": "done"}).status == 200
    empty(platform, [HALL])


def wait_settled(platform: DeployedPlatform) -> None:
    for follower, owner in (
        ("ticketing", "catalog"),
        ("reporting", "ticketing"),
        ("notification", "ticketing"),
        ("notification", "catalog"),
    ):
        eventually(partial(published, platform, owner), within=30)
        platform.wait_followed(follower, owner, HALL.regency)


def facts(found: Contents) -> Contents:
    return {name: rows for name, rows in found.items() if name.partition(".")[2] not in BOOKKEEPING | AUDIT and name != SIGNED_IN}


def made(said: Said) -> Path:
    assert said.status == 0, said
    return Path(said.out.strip())


def streams(platform: DeployedPlatform, service: str = "ticketing") -> dict[str, int]:
    with psycopg.connect(platform.postgres.url(service)) as connection:
        rows = connection.execute(f"SELECT source, sequence FROM {HALL.regency.replace('-', '_')}.stream").fetchall()
    return dict(rows)


def handed_on(platform: DeployedPlatform, service: str) -> int:
    """How many events of before the restore a service has still to handle."""
    with psycopg.connect(platform.postgres.url(service)) as connection:
        row = connection.execute(f"SELECT count(*) FROM {HALL.regency.replace('-', '_')}.inbox WHERE status = 'failed'").fetchone()
    assert row is not None
    return int(row[0])


def check_whole(platform: DeployedPlatform) -> None:
    """Tickets, reports, notices and boards of the regency agree, and no event of its history is missing or doubled."""
    eventually(lambda: not any(handed_on(platform, service) for service in ("ticketing", "reporting", "notification")), within=30)
    tickets = platform.client(f"auditor@{HALL.regency}").pages(f"{HALL.path}/tickets")
    checker.check_tickets(tickets)
    checker.check_reports(platform, HALL, tickets)
    log = platform.event_log(HALL.regency, f"/regencies/{HALL.regency}/ticketing/sites/{HALL.site}")
    checker.check_notices(platform, HALL, log)
    versions = sorted((event["subject"], event["data"]["ticket"]["version"]) for event in log if event["type"].startswith("mpp.ticket."))
    assert versions == sorted((ticket["id"], version) for ticket in tickets for version in range(1, ticket["version"] + 1))
    checker.check_boards(platform, HALL)


def test_a_regency_comes_back_row_by_row_while_another_is_at_work(platform, operator, saver, folder):
    empty(platform, [OKU_TIMUR])
    wait_settled(platform)
    before, build = contents(platform.postgres, HALL.regency), structure(platform.postgres, HALL.regency)
    last = streams(platform)
    archive = made(saver.mpp("backup", "create", "--regency", HALL.regency, "--folder", str(folder)))
    assert archive.stat().st_mode & 0o777 == 0o600
    serve_people(platform, 5)
    take_number(platform.client(), HALL, HALL.services[0])
    given = streams(platform)

    refused = operator.mpp("restore", str(archive), "--regency", HALL.regency)
    assert refused.status == 1
    assert "21 of ticketing" in refused.out, refused
    assert "--replace" in refused.err
    tried = operator.mpp("restore", str(archive), "--regency", HALL.regency, "--dry-run")
    assert (tried.status, "Nothing was changed" in tried.out) == (0, True), tried
    assert streams(platform) == given

    day = Day(platform, OKU_TIMUR, 40)
    day.begin()
    day.wait_served(0.1)
    said = operator.mpp("restore", str(archive), "--regency", HALL.regency, "--replace")
    assert said.status == 0, said
    day.end()
    checker.check_deadlines(day.ledger)
    assert day.ledger.refused == 0, "others noticed"

    after = contents(platform.postgres, HALL.regency)
    assert facts(after) == facts(before)
    assert before[SIGNED_IN]
    assert not after[SIGNED_IN]
    assert structure(platform.postgres, HALL.regency) == build
    assert streams(platform) == {source: given[source] + LEAP for source in last}
    check_whole(platform)
    serve_people(platform, 6)
    check_whole(platform)
    wait_settled(platform)
    assert OKU_TIMUR.regency in operator.mpp("regency", "list").out


def test_what_was_published_and_then_lost_reaches_nobody(platform, operator, saver, folder):
    """Events of the lost history still wait in queues when their numbers could be given again: the restored facts are not disturbed."""
    with HttpReceiver() as receiver:
        administrator, webhooks = platform.client(f"admin@{HALL.regency}"), f"{HALL.path}/webhooks"
        hook = administrator.command(webhooks, {"url": receiver.url, "events": ["ticket.completed"]}).body
        archive = made(saver.mpp("backup", "create", "--regency", HALL.regency, "--folder", str(folder)))
        for process in (*platform.reporting, *platform.notification):
            process.freeze()
        try:
            lost = serve_people(platform, 8)
            eventually(lambda: checker.outbox_size(platform, "ticketing") == 0, within=30)
            eventually(lambda: all(in_queue(platform, queue) >= 8 * 4 for queue in FOLLOWING), within=20, every=0.5)
            said = operator.mpp("restore", str(archive), "--regency", HALL.regency, "--replace")
            assert said.status == 0, said
        finally:
            for process in (*platform.reporting, *platform.notification):
                process.thaw()
        eventually(lambda: not any(in_queue(platform, queue) for queue in FOLLOWING), within=40, every=0.5)
        kept = contents(platform.postgres, HALL.regency)
        traces = {table for table, rows in kept.items() for row in rows for ticket in lost.completed if ticket in row}
        assert len(lost.completed) == 8
        assert traces == set(), "what was taken back has been told all the same"
        again = serve_people(platform, 8)
        check_whole(platform)
        eventually(lambda: {posted.event["subject"] for posted in list(receiver.posted)} >= set(again.completed), within=30)
        assert not {posted.event["subject"] for posted in receiver.posted} & set(lost.completed)
        assert administrator.request("DELETE", f"{webhooks}/{hook['id']}").status == 200


FOLLOWING = ("reporting.ticketing", "notification.ticketing")
"""Queues of those who follow tickets."""


def in_queue(platform: DeployedPlatform, queue: str) -> int:
    """How many messages a queue holds, those that a consumer has taken and not acknowledged among them; some seconds late."""
    page = f"{platform.rabbitmq.metrics_url}/detailed?family=queue_coarse_metrics"
    with urllib.request.urlopen(page, timeout=5) as answer:  # noqa: S310  (of the private broker)
        lines = answer.read().decode().splitlines()
    (line,) = (each for each in lines if each.startswith("rabbitmq_detailed_queue_messages{") and f'queue="{queue}"' in each)
    return int(float(line.rsplit(" ", 1)[1]))


def test_a_backup_in_the_middle_of_a_day_fits_together(platform, operator, saver, folder, figures):
    """Consumers that lag behind are handed what they had not handled, whatever the moment."""
    day = Day(platform, HALL, 60)
    day.begin()
    day.wait_served(0.05)
    archive = made(saver.mpp("backup", "create", "--regency", HALL.regency, "--folder", str(folder)))
    under_way = len(day.completed)
    day.abort()
    day.end()
    assert under_way > 0
    said = operator.mpp("restore", str(archive), "--regency", HALL.regency, "--replace")
    assert said.status == 0, said
    check_whole(platform)
    restored = next(line for line in said.out.splitlines() if f"{HALL.regency}: restored" in line)
    figures(f"backup while {under_way} of 60 were served: {restored}")
    finish(platform)
    serve_people(platform, 3)
    check_whole(platform)


def test_a_reader_outside_learns_that_history_was_put_back(platform, operator, saver, folder):
    source = f"/regencies/{HALL.regency}/ticketing/sites/{HALL.site}"
    archive = made(saver.mpp("backup", "create", "--regency", HALL.regency, "--folder", str(folder)))
    take_number(platform.client(), HALL, HALL.services[0])
    seen = streams(platform)[source]
    assert operator.mpp("restore", str(archive), "--regency", HALL.regency, "--replace").status == 0
    reader = platform.client(f"admin@{HALL.regency}")
    for after in (seen - 1, seen):
        answer = reader.get(f"{HALL.path}/events?source={source}&after={after}")
        assert (answer.status, answer.code) == (410, "events_gone"), answer
    first = answer.body["first_available"]
    take_number(platform.client(), HALL, HALL.services[0])
    behind = reader.get(f"{HALL.path}/events?source={source}&after={first - 1}")
    assert [int(event["sequence"]) for event in behind.body["items"]][:1] == [seen + LEAP + 1] == [first]
    empty(platform, [HALL])


def test_nobody_gets_a_letter_twice_and_a_webhook_gets_what_it_had_not(platform, operator, saver, folder):
    """The letter waits for a mail server, the event for its receiver, when the backup is made."""
    administrator, citizen = platform.client(f"admin@{HALL.regency}"), platform.client()
    with HttpReceiver(Reply(503)) as receiver:
        hook = administrator.command(f"{HALL.path}/webhooks", {"url": receiver.url, "events": ["ticket.completed"]}).body
        ticket = take_number(citizen, HALL, HALL.services[0]).body
        wish = {"ticket": ticket["id"], "email": "budi@example.id", "kinds": ["completed"]}
        assert citizen.request("POST", f"{HALL.path}/subscriptions", wish, headers={"Ticket-Token": ticket["token"]}).status == 201
        empty(platform, [HALL])
        eventually(lambda: "email" in letters(administrator) and of_ticket(receiver, ticket), within=30)
        archive = made(saver.mpp("backup", "create", "--regency", HALL.regency, "--folder", str(folder)))
        assert operator.mpp("restore", str(archive), "--regency", HALL.regency, "--replace").status == 0
        assert letters(administrator)["email"] == ("uncertain", "restored")
        told = len(of_ticket(receiver, ticket))
        receiver.reply = lambda posted: Reply(204)
        with Mailbox(port=platform.mail_port) as mailbox:
            eventually(lambda: len(of_ticket(receiver, ticket)) > told, within=60)
            assert mailbox.letters == []
        assert administrator.request("DELETE", f"{HALL.path}/webhooks/{hook['id']}").status == 200
    assert len(set(of_ticket(receiver, ticket))) == 1, "the receiver knows it again by its id"


def of_ticket(receiver: HttpReceiver, ticket: dict[str, Any]) -> list[str]:
    """Ids of the events of a ticket that were posted; what happened just before a webhook was made may come too."""
    return [posted.headers["webhook-id"] for posted in list(receiver.posted) if posted.event["subject"] == ticket["id"]]


def letters(client: Client) -> dict[str, tuple[str, str | None]]:
    """State and last error by channel."""
    return {each["channel"]: (each["state"], each["last_error"]) for each in client.get(f"{HALL.path}/deliveries").body["items"]}


# --- what goes wrong


def test_a_damaged_archive_changes_nothing(platform, operator, saver, folder):
    archive = made(saver.mpp("backup", "create", "--regency", HALL.regency, "--folder", str(folder)))
    with zipfile.ZipFile(archive) as whole:  # as a bad disk or memory would have it: every checksum of ZIP itself fits
        members = {name: whole.read(name) for name in whole.namelist()}
    members[f"{HALL.regency}/reporting/ticket_fact.copy"] += members[f"{HALL.regency}/reporting/ticket_fact.copy"].splitlines(True)[0]
    with zipfile.ZipFile(archive, "w") as damaged:
        for name, content in members.items():
            damaged.writestr(name, content)
    before = streams(platform)
    said = operator.mpp("restore", str(archive), "--regency", HALL.regency, "--replace")
    assert (said.status, "damaged" in said.err) == (1, True), said
    assert streams(platform) == before


def test_ctrl_c_in_the_middle_leaves_everything_as_it_was(platform, operator, saver, folder):
    archive = made(saver.mpp("backup", "create", "--regency", HALL.regency, "--folder", str(folder)))
    wait_settled(platform)
    before, build = facts(contents(platform.postgres, HALL.regency)), structure(platform.postgres, HALL.regency)
    schema, kept = HALL.regency.replace("-", "_"), set(folder.iterdir())
    with psycopg.connect(platform.postgres.url("reporting")) as holder:
        holder.execute(f"LOCK TABLE {schema}.survey IN ACCESS EXCLUSIVE MODE")
        for command in (
            ("restore", str(archive), "--regency", HALL.regency, "--replace"),
            ("backup", "create", "--regency", HALL.regency, "--folder", str(folder)),
        ):
            process = operator.begin(*command)
            eventually(lambda: waiting_for_locks(platform) > 0, within=40)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
            assert (process.returncode, "Interrupted" in told) == (1, True), told
            eventually(lambda: waiting_for_locks(platform) == 0)
    assert set(folder.iterdir()) == kept
    assert (facts(contents(platform.postgres, HALL.regency)), structure(platform.postgres, HALL.regency)) == (before, build)
    assert structure(platform.postgres, f"{HALL.regency}~beside") == []


def waiting_for_locks(platform: DeployedPlatform) -> int:
    """How many connections of `mpp backup` and `mpp restore` wait for somebody's lock on a table."""
    with psycopg.connect(platform.postgres.url("reporting")) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND locktype = 'relation'"
            " AND application_name IN ('mpp-backup', '') AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = 'reporting')"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_full_disk_leaves_no_half_file(saver, platform, tmp_path):
    """The limit on the size of a file stands for the end of the disk."""
    process = saver.begin("backup", "create", "--all", "--folder", str(tmp_path))
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "No archive was made" in told, told
    assert list(tmp_path.iterdir()) == []


# --- everything


@pytest.fixture
def everything(platform, saver, folder) -> Path:
    """A backup of all regencies and the operators."""
    wait_settled(platform)
    return made(saver.mpp("backup", "create", "--all", "--folder", str(folder)))


def test_all_regencies_come_back_row_by_row_on_a_bare_server(platform, everything, server_folder):
    slugs = (HALL.regency, *(document["regency"]["id"] for document in platform.documents))
    checked = Shell({}).mpp("backup", "verify", str(everything))
    assert (checked.status, "Complete and undamaged" in checked.out) == (0, True), checked
    with PostgresServer(server_folder / "bare-postgres", durable=False) as postgres:
        new = DeployedPlatform(server_folder / "bare", postgres, platform.rabbitmq)
        said = Shell(new.administrators_environment()).mpp("restore", str(everything), "--all")
        assert said.status == 0, said
        assert "operators: 1 accounts" in said.out
        for slug in slugs:
            assert facts(contents(postgres, slug)) == facts(contents(platform.postgres, slug)), slug
            assert structure(postgres, slug) == structure(platform.postgres, slug), slug


@pytest.mark.thorough
def test_the_whole_platform_goes_on_on_another_machine(platform, everything, server_folder):
    """New PostgreSQL, new RabbitMQ, the backup, and the secrets that were kept elsewhere."""
    with (
        PostgresServer(server_folder / "new-postgres", durable=False) as postgres,
        RabbitMQServer(server_folder / "new-rabbitmq", report=lambda line: None) as rabbitmq,
    ):
        new = Elsewhere(server_folder / "new-platform", postgres, rabbitmq, ticketing=1, gateways=1)
        new.secrets.update(platform.secrets)
        new.passwords.update(platform.passwords)
        said = Shell(new.administrators_environment()).mpp("restore", str(everything), "--all")
        assert said.status == 0, said
        with new:
            assert new.client("operator@platform").get("/v1/regencies").status == 200
            serve_people(new, 4)
            check_whole(new)
        rabbitmq.kill()


class Elsewhere(DeployedPlatform):
    """A platform whose data come out of a backup."""

    def provision(self) -> None:
        """Nothing: `mpp restore` has done it."""

    def seed(self) -> None:
        """Nothing."""
