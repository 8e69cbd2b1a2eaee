"""A day with people whose NIK, telephone number and mail address are known; then everything that is kept anywhere is searched.

Every table of every database, the files of PostgreSQL and RabbitMQ themselves (what was written and is dead, and messages, too),
all logs, metrics, events, audit exports and a backup: none of them in clear, in any spelling that a program could have used.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import secrets
import shutil
import subprocess
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.platform.client import Answer
from tests.platform.deployment import DeployedPlatform
from tests.platform.shell import Shell
from tests.processes import eventually

pytestmark = [pytest.mark.isolation, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

REGENCY = "uji-data-diri"
PATH, SCHEMA = f"/v1/{REGENCY}", REGENCY.replace("-", "_")
CONSENT = {"version": "2025-01-15", "purposes": ["identification", "contact"]}


@dataclass(frozen=True)
class Somebody:
    """Nobody, by numbers that are given to nobody."""

    nik: str = field(
        default_factory=lambda: f"999999{secrets.randbelow(31) + 41:02}{secrets.randbelow(12) + 1:02}{secrets.randbelow(10**6):06}"
    )
    number: str = field(default_factory=lambda: f"8{secrets.randbelow(10**10):010}")
    """Behind the country's code."""
    email: str = field(default_factory=lambda: f"tono.{secrets.token_hex(5)}@contoh.example")

    @property
    def said(self) -> dict[str, Any]:
        return {"nik": self.nik, "contact": {"phone": f"0{self.number[:3]}-{self.number[3:7]}-{self.number[7:]}"}, "consent": CONSENT}


def spellings(text: str) -> Iterator[bytes]:
    """A text as programs write it: plain, grouped, backwards, in JSON escapes, base64 and hex; and hashes without a key."""
    plain = text.encode()
    yield from (plain, plain[::-1], plain.hex().encode(), plain.hex().upper().encode())
    yield "".join(f"\\u{ord(character):04x}" for character in text).encode()
    for size in (3, 4):
        for between in (b" ", b"-", b"."):
            yield between.join(plain[at : at + size] for at in range(0, len(plain), size))
    for before in range(3):  # wherever it stands in what was encoded
        inner = base64.b64encode(b"\0" * before + plain)[4 if before else 0 : -4]
        yield from {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(algorithm, plain)
        yield from (digest.hexdigest().encode(), base64.b64encode(digest.digest()).rstrip(b"="))


def all_spellings(people: list[Somebody]) -> list[bytes]:
    texts = [
        text for each in people for text in (each.nik, each.number, f"0{each.number}", f"62{each.number}", f"+62{each.number}", each.email)
    ]
    return sorted({spelling for text in texts for spelling in spellings(text)})


@dataclass
class Played:
    people: list[Somebody]
    answers: list[Answer] = field(default_factory=list)
    patterns: Path = Path()

    def found_in(self, *places: Path) -> list[str]:
        """Files in which one of the people is found."""
        ran = subprocess.run(
            [shutil.which("grep") or "grep", "-raFl", "-f", self.patterns, *places], capture_output=True, text=True, check=False
        )
        assert ran.returncode in (0, 1), ran.stderr
        return ran.stdout.splitlines()


def looking_for(people: list[Somebody], patterns: Path) -> Played:
    """Write down in which spellings people are looked for."""
    patterns.write_bytes(b"\n".join(all_spellings(people)) + b"\n")
    return Played(people, patterns=patterns)


def offered(platform: DeployedPlatform) -> None:
    home = next(document for document in platform.documents if document["regency"]["id"] == "lampung-timur")
    platform.join({**home, "regency": {**home["regency"], "id": REGENCY, "code": "18.97"}})


@pytest.fixture(scope="module")
def played(deployed_platform: DeployedPlatform, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Everything that can be done with personal data is done, rightly and wrongly."""
    offered(deployed_platform)
    played = looking_for([Somebody() for _ in range(8)], tmp_path_factory.mktemp("patterns") / "spellings")
    act(deployed_platform, played)
    for follower in ("reporting", "notification"):
        deployed_platform.wait_followed(follower, "ticketing", REGENCY)
    return played


def act(platform: DeployedPlatform, played: Played) -> None:
    citizen, admin, desk = platform.client(), platform.client(f"admin@{REGENCY}"), platform.client(f"frontdesk@{REGENCY}")
    said = played.answers.append
    tickets = []
    for somebody in played.people:
        key, body = str(uuid.uuid4()), {"site": "sukadana", "service": "CPL-KTP", "channel": "web", **somebody.said}
        first = citizen.post(f"{PATH}/tickets", body, key=key)
        assert first.status == 201, first.body
        assert citizen.post(f"{PATH}/tickets", body, key=key).body == first.body, "a repeat is recognised"
        tickets.append(first.body)
        refused = [
            citizen.post(f"{PATH}/tickets", body),
            citizen.post(f"{PATH}/tickets", {**body, "nik": f"{somebody.nik[:8]}13{somebody.nik[10:]}"}),
            citizen.post(f"{PATH}/tickets", {**body, "nik": somebody.nik + "0", "contact": {"phone": f"0{somebody.number}99999"}}),
            citizen.post(f"{PATH}/tickets", {name: value for name, value in body.items() if name != "consent"}),
            citizen.post(f"{PATH}/tickets", {**body, somebody.nik: somebody.number}),
            citizen.post(f"{PATH}/tickets?nik={somebody.nik}", body),
        ]
        assert [each.code for each in refused] == [
            *("already_queued", "payload_invalid", "payload_invalid", "consent_required", "payload_invalid", "parameter_invalid")
        ]
        for each in refused:
            said(each)
        slip = {"Ticket-Token": first.body["token"]}
        person = f"{PATH}/tickets/{first.body['id']}/person"
        subscribed = citizen.post(f"{PATH}/subscriptions", {"ticket": first.body["id"], "email": somebody.email}, **slip)
        assert subscribed.status == 201, subscribed.body
        for each in (first, subscribed, citizen.get(person, **slip), citizen.get(f"{person}/export", **slip)):
            assert each.status in (200, 201), each.body
            said(each)
        assert desk.post(f"{person}/reveal").body["nik"] == somebody.nik
        found = desk.post(f"{PATH}/persons/find", {"phone": f"+62{somebody.number}"})
        assert [visit["visit"] for visit in found.body["visits"]] == [first.body["visit"]]
        said(found)
        exported = admin.post(f"{PATH}/persons/export", {"nik": somebody.nik}).body
        assert (exported["visits"][0]["person"]["nik"], exported["subscriptions"][0]["email"]) == (somebody.nik, somebody.email)
        serve(platform, played, first.body, somebody)
    assert admin.post(f"{PATH}/persons/erase", {"nik": played.people[0].nik}).body["visits"] == 1
    of_second = f"{PATH}/tickets/{tickets[1]['id']}/person"
    assert citizen.post(f"{of_second}/withdraw", **{"Ticket-Token": tickets[1]["token"]}).status == 200


def serve(platform: DeployedPlatform, played: Played, ticket: dict[str, Any], somebody: Somebody) -> None:
    admin, citizen = platform.client(f"admin@{REGENCY}"), platform.client()
    path = f"{PATH}/tickets/{ticket['id']}"
    counter = platform.client(f"officer@{REGENCY}")
    counter.command(f"{PATH}/counters/sukadana-05/open")
    for step, body in (("call", {"counter": "sukadana-05"}), ("start", None), ("complete", {"outcome": "done"})):
        done = admin.command(f"{path}/{step}", body)
        assert done.status == 200, done.body
        played.answers.append(done)
    comment = f"Hubungi saya di 0{somebody.number}, NIK {somebody.nik}."
    survey = citizen.post(f"{PATH}/surveys", {"token": ticket["token"], "scores": {"time": 3}, "comment": comment})
    assert survey.status in (200, 201), survey.body


def test_the_search_finds_what_is_there(played: Played, tmp_path: Path):
    """In each spelling, in the middle of other things: a search that cannot find proves nothing."""
    somebody = played.people[3]
    for number, text in enumerate((somebody.nik, f"+62{somebody.number}", somebody.email)):
        hidden = {
            "plain": text.encode(),
            "json": json.dumps({"about": text}).encode(),
            "base64": base64.b64encode(f"about {text} it".encode()),
            "shifted": base64.b64encode(f"abouts {text} it".encode()),
            "shifted twice": base64.urlsafe_b64encode(f"aboutss {text} it".encode()),
            "hashed": hashlib.sha256(text.encode()).hexdigest().encode(),
            "hex": f"about{text}".encode().hex().encode(),
        }
        for name, content in hidden.items():
            file = tmp_path / f"{number} {name}"
            file.write_bytes(b"\0\1 some \xff text " + content + b" and more\n")
            assert played.found_in(file) == [str(file)]
    (tmp_path / "nothing").write_text("9999990000000000")
    assert played.found_in(tmp_path / "nothing") == []


def dumped(platform: DeployedPlatform, folder: Path) -> int:
    """Write every table of every database into a folder of files; return how many there are."""
    tables = 0
    with psycopg.connect(platform.postgres.url("postgres")) as connection:
        databases = [row[0] for row in connection.execute("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate")]
    for database in databases:
        with psycopg.connect(platform.postgres.url(database)) as connection:
            names = connection.execute(
                "SELECT table_schema, table_name FROM information_schema.tables"
                " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for schema, table in names:
                tables += 1
                with (folder / f"{database}.{schema}.{table}").open("wb") as file:
                    query = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(schema, table))
                    with connection.cursor().copy(query) as copy:
                        for block in copy:
                            file.write(block)
    return tables


def test_no_table_of_any_database_holds_them(deployed_platform: DeployedPlatform, played: Played, tmp_path: Path, figures: Figures):
    tables = dumped(deployed_platform, tmp_path)
    assert played.found_in(tmp_path) == []
    kept = (tmp_path / f"ticketing.{SCHEMA}.person").read_text().splitlines()
    assert len(kept) == len(played.people), "they were kept, sealed"
    figures(f"{tables} tables hold no NIK, number or address in {len(played.patterns.read_bytes().splitlines())} spellings")

    stranger = looking_for([Somebody()], tmp_path.with_name("stranger"))  # of whom traces stay in the server's files
    with psycopg.connect(deployed_platform.postgres.url("ticketing"), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.planted (what text)")
        try:
            connection.execute("INSERT INTO public.planted VALUES (%s)", [base64.b64encode(stranger.people[0].nik.encode()).decode()])
            dumped(deployed_platform, tmp_path)
            assert stranger.found_in(tmp_path) == [str(tmp_path / "ticketing.public.planted")]
        finally:
            connection.execute("DROP TABLE public.planted")


def test_no_log_metric_or_export_holds_them(deployed_platform: DeployedPlatform, played: Played, tmp_path: Path):
    for process in deployed_platform.processes:
        (tmp_path / f"{process.log.name}.metrics").write_text(process.probe("/metrics")[1])
        assert process.log.stat().st_size > 0
    for number, answer in enumerate(played.answers):
        (tmp_path / f"answer {number}").write_text(answer.body if isinstance(answer.body, str) else json.dumps(answer.body))
    assert played.found_in(tmp_path, *(process.log for process in deployed_platform.processes)) == []


def test_the_audit_log_tells_who_read_and_not_what(deployed_platform: DeployedPlatform, played: Played, tmp_path: Path):
    auditor = deployed_platform.client(f"admin@{REGENCY}")
    expected = {"reveal_person", "find_persons", "export_persons", "erase_persons"}

    def actions() -> set[str]:
        return {row["action"] for row in csv.DictReader(io.StringIO(auditor.get(f"{PATH}/audit/csv").body))}

    eventually(lambda: expected <= actions(), within=20)  # rows are exported once they are sealed
    for name in ("", "/csv", "/ndjson"):
        exported = auditor.get(f"{PATH}/audit{name}").body
        (tmp_path / f"audit{name.replace('/', '.')}").write_text(exported if isinstance(exported, str) else json.dumps(exported))
    assert len(list(tmp_path.iterdir())) == 3
    assert played.found_in(tmp_path) == []


def test_what_was_erased_is_gone_from_all_services(deployed_platform: DeployedPlatform, played: Played):
    admin = deployed_platform.client(f"admin@{REGENCY}")

    def left(somebody: Somebody) -> tuple[int, int]:
        visits = admin.post(f"{PATH}/persons/find", {"nik": somebody.nik}).body["visits"]
        rows = admin.pages(f"{PATH}/surveys")
        return len(visits), sum(row["comment"] is None for row in rows)

    eventually(lambda: left(played.people[0]) == (0, 2), within=20)
    assert left(played.people[2])[0] == 1
    with psycopg.connect(deployed_platform.postgres.url("notification")) as connection:
        [count] = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(SCHEMA, "subscription"))).fetchone() or [0]
    assert count == len(played.people) - 2


def test_a_backup_does_not_hold_them(deployed_platform: DeployedPlatform, played: Played, tmp_path: Path):
    said = Shell(deployed_platform.administrators_environment()).mpp("backup", "create", "--regency", REGENCY, "--folder", str(tmp_path))
    assert said.status == 0, said
    [archive] = tmp_path.glob("*.mpp*")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "unpacked")
    assert any("person" in path.name for path in (tmp_path / "unpacked").rglob("*"))
    assert played.found_in(tmp_path) == []


def test_nor_do_the_servers_own_files(deployed_platform: DeployedPlatform, played: Played):
    """Pages with dead rows, the write-ahead log, messages on their way, statements in a log."""
    with psycopg.connect(deployed_platform.postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    assert played.found_in(deployed_platform.postgres.data_dir, deployed_platform.rabbitmq.data_dir) == []
