"""``mpp backup`` and ``mpp restore``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import psycopg

from deploy.backup import folder as folders
from deploy.backup.archive import Archive, ArchiveWriter, size_of
from deploy.backup.failure import BackupError
from deploy.backup.manifest import Manifest
from deploy.backup.restoring import Restore, Restored
from deploy.backup.snapshots import store_platform, store_regency
from deploy.cli.failures import explained
from services.chassis.database import Database
from services.chassis.settings import SERVICES, Settings
from services.chassis.tenancy import checked_slug

REGENCIES = click.option("--regency", "regencies", multiple=True, help="Only this regency; may be repeated.")
FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def backup() -> None:
    """Make and check backups: regencies with all that the four services keep of them, in one file.

    A backup holds names of staff, what citizens wrote in surveys, and hashes of passwords in clear, and mail addresses
    and webhooks' secrets encrypted as they are in the database. The file is readable for its owner only; keep it as
    carefully as the database. It holds no key and no secret of the environment: keep MPP_ENCRYPTION_KEYS, MPP_PERSON_KEYS and
    MPP_TICKET_TOKEN_SECRET elsewhere, for without them addresses, secrets and citizens' ticket tokens are lost.
    """


@backup.command()
@REGENCIES
@click.option("--all", "everything", is_flag=True, help="All regencies, and the operators' accounts.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="MPP_BACKUP_DIR",
    required=True,
    help="Where to write it; default: MPP_BACKUP_DIR.",
)
@click.option("--keep", type=click.IntRange(min=1), help="Afterwards remove all but so many of the newest backups of the same kind.")
@explained
def create(regencies: tuple[str, ...], everything: bool, folder: Path, keep: int | None) -> None:
    """Back up one regency, several or all, while the platform runs, and print the name of the file.

    Each regency is of one moment, in which no command was half done. The file appears when it is complete; with a full
    disk or Ctrl-C there is none. With --all a regency that fails is reported and the others go on; the exit status is
    then 1. Needs every MPP_<SERVICE>_DATABASE_URL and no administrator's right.
    """
    _check_choice(regencies, everything)
    settings, now = Settings.from_environment(), datetime.now(UTC)
    chosen = _known_regencies(settings) if everything else sorted(map(checked_slug, set(regencies)))  # becomes part of a file's name
    what = folders.EVERYTHING if everything else chosen[0] if len(chosen) == 1 else "some"
    manifest = Manifest(version("mpp"), now)
    with _interruptible("no backup was made"), ArchiveWriter(folder / folders.name_of(what, now)) as writer:
        for position, regency in enumerate(chosen, start=1):
            try:
                manifest.regencies[regency] = store_regency(settings, regency, writer)
            except (BackupError, psycopg.Error) as error:
                if not everything:
                    raise
                manifest.failed[regency] = str(error).partition("\n")[0]
                click.echo(f"{position}/{len(chosen)} {regency} FAILED: {manifest.failed[regency]}", err=True)
            else:
                rows = sum(each.rows for each in manifest.regencies[regency].values())
                click.echo(f"{position}/{len(chosen)} {regency}: {rows:,} rows", err=True)
        if not manifest.regencies and manifest.failed:
            raise BackupError("No regency could be backed up: no archive was made.")
        if everything:
            manifest.platform = store_platform(settings, writer)
        writer.finish(manifest)
    click.echo(writer.target)
    if manifest.failed:
        raise click.ClickException(f"Not in it: {', '.join(manifest.failed)}. Older backups were kept.")
    for old in folders.old_ones(folder, what, keep) if keep else ():
        old.unlink()
        click.echo(f"removed {old}", err=True)


@backup.command()
@FILE
@explained
def verify(file: Path) -> None:
    """Compare a backup with its checksums, and say what is in it. Needs no database."""
    with Archive(file) as archive:
        manifest = archive.manifest
        for line in _described(manifest):
            click.echo(line)
        archive.check(manifest.all_tables())
        rows = sum(table.rows for table in manifest.all_tables())
        click.echo(f"Complete and undamaged: {rows:,} rows in {len(manifest.all_tables())} tables, {size_of(file)}.")
    if manifest.failed:
        raise click.ClickException(f"When it was made, these could not be read: {', '.join(manifest.failed)}.")


@click.command()
@FILE
@REGENCIES
@click.option("--all", "everything", is_flag=True, help="All regencies of the file, and the operators' accounts.")
@click.option("--replace", is_flag=True, help="Also regencies that exist: what has happened there since the backup is lost.")
@click.option("--dry-run", is_flag=True, help="Do everything but the last step, and say what would be lost.")
@explained
def restore(file: Path, regencies: tuple[str, ...], everything: bool, replace: bool, dry_run: bool) -> None:
    """Bring one regency, several or all back from a backup, in all four services together.

    Other regencies stay as they are and may be at work. The regency's own services may run too: they wait for the last
    moment of it. Until that moment nothing is changed, whatever goes wrong. A backup of an older release is brought
    up to date. Numbers of events are never given again: streams leap ahead, and readers outside see a hole by which
    they know that they have to ask for everything anew.

    With --all a regency that fails is reported and the others go on; the exit status is then 1. Needs the variables of
    `migrate`, and the MPP_ENCRYPTION_KEYS and MPP_TICKET_TOKEN_SECRET of then for the services.
    """
    _check_choice(regencies, everything)
    settings = Settings.from_environment()
    with Archive(file) as archive:
        manifest = archive.manifest
        chosen = sorted(manifest.regencies) if everything else sorted(set(regencies))
        if unknown := [slug for slug in chosen if slug not in manifest.regencies]:
            raise BackupError(f"{', '.join(unknown)}: not in this backup. It holds {', '.join(sorted(manifest.regencies))}.")
        work = Restore(settings, archive, lambda line: click.echo(line, err=True))
        work.check_release(chosen)
        archive.check(manifest.all_tables())
        _check_lost(work, manifest, chosen, permitted=replace or dry_run)
        with _interruptible("what is not reported as restored was not changed"):
            work.prepare(chosen)
            failures = sum(not _restored(work, slug, alone=len(chosen) == 1, really=not dry_run) for slug in chosen)
            if everything and not dry_run:
                click.echo(f"operators: {work.restore_platform(replace=replace)} accounts added or changed")
    if dry_run:
        click.echo("Everything fits. Nothing was changed.")
    else:
        click.echo(_AFTERWARDS)
    sys.exit(1 if failures else 0)


_AFTERWARDS = """
Now see to what no backup can know:
- Accounts, passwords and devices are those of the backup. Block again who was blocked since: PATCH /v1/{regency}/accounts/{id}.
- Boards and phones that follow a ticket show the restored state within seconds; gateways need no restart.
- Outside consumers: `mpp consumers list`; add those again that are missing, with --rotate. They have to read everything anew.
- Letters that were on their way are `uncertain` and go out when somebody says so; webhooks were told again what was on its way.
- `mpp keys rotate` tells whether MPP_ENCRYPTION_KEYS opens everything that came back."""


def _check_choice(regencies: tuple[str, ...], everything: bool) -> None:
    if bool(regencies) == everything:
        raise click.UsageError("Name a --regency, or say --all.")


def _known_regencies(settings: Settings) -> list[str]:
    found: set[str] = set()
    for service in SERVICES:
        database = Database(service, settings.database_url(service), pool_size=1)
        try:
            found.update(database.regencies())
        finally:
            database.close()
    return sorted(found)


def _described(manifest: Manifest) -> Iterable[str]:
    yield f"Made by release {manifest.release}, begun {_when(manifest.begun_at)}"
    for slug, stored in sorted(manifest.regencies.items()):
        rows = ", ".join(f"{service} {stored[service].rows:,}" for service in SERVICES)
        yield f"{slug:<28} {_when(stored['ticketing'].at)}  rows: {rows}"
    for service, tables in manifest.platform.items():
        yield f"{'(platform)':<28} {service}: " + ", ".join(f"{name} {table.rows}" for name, table in tables.items())


def _check_lost(work: Restore, manifest: Manifest, chosen: list[str], *, permitted: bool) -> None:
    """Say what has happened since the backup where a regency exists; refuse unless that may be lost."""
    living: list[str] = []
    for slug in chosen:
        if lost := work.lost(slug):
            living.append(slug)
            events = ", ".join(f"{count:,} of {service}" for service, count in lost.items() if count) or "none"
            click.echo(
                f"{slug} exists. Events here since {_when(manifest.regencies[slug]['ticketing'].at)}, which a restore loses: {events}"
            )
    if living and not permitted:
        raise BackupError(f"Nothing was changed. To lose that and restore {', '.join(living)}, say --replace; to try it, --dry-run.")


def _restored(work: Restore, regency: str, *, alone: bool, really: bool) -> bool:
    """Restore one regency; tell what came of it."""
    try:
        done: Restored = work.restore(regency, really=really)
    except BackupError as error:
        if alone:
            raise
        click.echo(f"Error: {regency}: {error}", err=True)
        return False
    handed_on = f", {done.handed_on} events still to be handled" if done.handed_on else ""
    click.echo(f"{regency}: {'restored' if really else 'could be restored'}, {done.rows:,} rows{handed_on}")
    for service in done.to_rebuild:
        click.echo(f"{regency}: {service} had not followed everything when the backup was made: mpp rebuild {service} --regency {regency}")
    return True


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def _interruptible(state: str) -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, with everything tidied up, and say what that means."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise click.ClickException(f"Interrupted: {state}.") from None
    finally:
        signal.signal(signal.SIGTERM, before)
