"""The archive of a backup: complete and checked, or refused."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.backup import folder as folders
from deploy.backup.archive import Archive, ArchiveWriter
from deploy.backup.failure import BackupError
from deploy.backup.manifest import Manifest, StoredSchema
from deploy.backup.snapshots import PLATFORM_TABLES, reading_order
from deploy.cli.commands import mpp
from services.chassis.revisions import Revisions
from services.chassis.settings import SERVICES
from services.contracts.subscriptions import SUBSCRIPTIONS

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ROWS = [b"one\t1\n", b"two\t2\nthree\t\\N\n", b""]


def write(target: Path) -> Manifest:
    manifest = Manifest("1.0", NOW)
    with ArchiveWriter(target) as writer:
        stored = {service: StoredSchema(NOW, {"id": "lampung-timur"}, Revisions("0001", "0002")) for service in SERVICES}
        stored["ticketing"].tables["ticket"] = writer.add("lampung-timur/ticketing/ticket.copy", ("name", "number"), ROWS)
        manifest.regencies["lampung-timur"] = stored
        writer.finish(manifest)
    return manifest


@pytest.fixture
def archive(tmp_path) -> Path:
    write(tmp_path / "backup.zip")
    return tmp_path / "backup.zip"


def check(path: Path) -> None:
    with Archive(path) as archive:
        archive.check(archive.manifest.all_tables())


def rewrite(path: Path, change) -> None:
    """Change the members of an archive so that ZIP itself finds nothing wrong."""
    with zipfile.ZipFile(path) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as changed:
        for name, content in members.items():
            changed.writestr(name, content)


def with_manifest(path: Path, **fields: object) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps({**json.loads(members["manifest.json"]), **fields}).encode()

    rewrite(path, change)


def test_what_was_written_is_read_again(tmp_path):
    written = write(tmp_path / "backup.zip")
    with Archive(tmp_path / "backup.zip") as archive:
        table = archive.manifest.regencies["lampung-timur"]["ticketing"].tables["ticket"]
        assert archive.manifest.told() == written.told()
        assert (table.rows, table.bytes) == (3, sum(map(len, ROWS)))
        assert b"".join(archive.blocks(table)) == b"".join(ROWS)
        archive.check([table])


def test_only_its_owner_can_read_it_and_nothing_else_is_left(tmp_path, archive):
    assert archive.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -30], ids=str)
def test_a_cut_file_is_refused(archive, cut):
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(BackupError, match="damaged"):
        check(archive)


def test_every_flipped_byte_of_the_rows_is_found(archive):
    whole = archive.read_bytes()
    begin = whole.index(b"ticket.copy") + len(b"ticket.copy")
    for place in range(begin, whole.index(b"PK", begin)):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        try:
            check(archive)
        except BackupError:
            continue
        with Archive(archive) as read:  # a byte of ZIP's that means nothing to the rows
            assert b"".join(read.blocks(read.manifest.all_tables()[0])) == b"".join(ROWS)


@pytest.mark.parametrize("content", [b"one\t1\n", b"one\t2\ntwo\t2\nthree\t\\N\n"], ids=["rows lacking", "other rows"])
def test_other_rows_than_were_stored_are_refused(archive, content):
    rewrite(archive, lambda members: members.update({"lampung-timur/ticketing/ticket.copy": content}))
    with pytest.raises(BackupError, match="not what was stored"):
        check(archive)


def test_a_member_that_is_not_there_is_refused(archive):
    rewrite(archive, lambda members: members.pop("lampung-timur/ticketing/ticket.copy"))
    with pytest.raises(BackupError, match="damaged"):
        check(archive)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"format": 2}, "use the release that made it"),
        ({"regencies": {"lampung timur; DROP": {}}}, "damaged"),
        ({"regencies": {"lampung-timur": {}}}, "damaged"),
        ({"regencies": []}, "damaged"),
        ({"begun_at": "yesterday"}, "damaged"),
    ],
    ids=["newer format", "no slug", "services lacking", "another shape", "no time"],
)
def test_a_manifest_that_says_something_else_is_refused(archive, fields, told):
    with_manifest(archive, **fields)
    with pytest.raises(BackupError, match=told):
        check(archive)


@pytest.mark.parametrize("name", ["nothing.zip", "folder"])
def test_what_is_no_archive_is_told_in_one_sentence(tmp_path, name):
    (tmp_path / "folder").mkdir()
    outcome = CliRunner().invoke(mpp, ["backup", "verify", str(tmp_path / name)])
    assert outcome.exit_code in (1, 2)
    assert "Error: " in outcome.output
    assert "Traceback" not in outcome.output


def test_an_interrupted_writer_leaves_nothing_and_never_replaces_an_archive(tmp_path, archive):
    def interrupted():
        yield b"one\t1\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), ArchiveWriter(tmp_path / "other.zip") as writer:
        writer.add("rows", ("name",), interrupted())
    whole = archive.read_bytes()
    with pytest.raises(BackupError, match="exists already"):
        write(archive)
    assert list(tmp_path.iterdir()) == [archive]
    assert archive.read_bytes() == whole


def test_what_a_killed_writer_left_is_removed_by_the_next_and_one_at_work_is_not_disturbed(tmp_path):
    abandoned = tmp_path / f".mpp-all-20260101T000000Z{folders.SUFFIX}.partial"
    abandoned.write_bytes(b"half")
    with ArchiveWriter(tmp_path / folders.name_of("all", NOW)) as writer:
        assert not abandoned.exists()
        write(tmp_path / "mpp-other.zip")
        writer.finish(Manifest("1.0", NOW))
    assert {each.name for each in tmp_path.iterdir()} == {"mpp-all-20260302T010000Z.mpp.zip", "mpp-other.zip"}


def test_old_backups_of_the_same_kind_are_those_to_remove(tmp_path):
    names = [folders.name_of("all", NOW.replace(day=day)) for day in range(1, 6)]
    for name in (*names, folders.name_of("oku-timur", NOW), "mpp-all-notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in folders.old_ones(tmp_path, "all", 2)] == names[:3]
    assert folders.old_ones(tmp_path, "oku-timur", 1) == []


def test_listeners_are_read_before_those_whom_they_listen_to():
    order = reading_order()
    assert sorted(order) == sorted(SERVICES)
    for subscription in SUBSCRIPTIONS:
        assert order.index(subscription.queue.partition(".")[0]) < order.index(subscription.owner)


def test_every_table_of_the_platform_s_schema_is_kept_or_known_to_need_no_keeping():
    """Whoever adds one has to decide what becomes of it (`PLATFORM_TABLES`)."""
    passing = {"regency", "outbox", "stream_head", "attention", "delivery_hint", "session", "revocation", "sign_in_failure", "pairing"}
    root = Path(__file__).resolve().parents[3] / "services"
    made = {
        line.partition("create_table(")[2].strip().strip('",') or lines[number + 1].strip().strip('",')
        for migration in root.glob("*/migrations/platform/[0-9]*.py")
        for lines in [migration.read_text().splitlines()]
        for number, line in enumerate(lines)
        if "create_table(" in line
    }
    assert made == passing | {name for names in PLATFORM_TABLES.values() for name in names}
