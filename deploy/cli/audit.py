"""``mpp audit``: whether the audit logs are what was written, and anchors to keep elsewhere."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from deploy.backup.archive import Archive
from deploy.cli.failures import explained
from services.chassis import audit_chain
from services.chassis.audit_chain import PLATFORM, Anchor, Report
from services.chassis.connections import HOME
from services.chassis.database import Database, Work
from services.chassis.errors import Unavailable
from services.chassis.settings import SERVICES, Settings

LONG_SECONDS = 86_400.0
"""One transaction, so that a chain is seen as of one moment; it holds no lock that anybody waits for."""

_PROGRESS_FROM = 20_000
"""Rows that take longer than somebody waits without a sign."""

REGENCY = click.option("--regency", help="Only this regency; `platform`: only what belongs to none.")


@click.group()
def audit() -> None:
    """Look after the audit logs: what staff and devices did, per regency and service, chained by hashes.

    Needs every MPP_<SERVICE>_DATABASE_URL. To read and export the logs: GET /v1/{regency}/audit.
    """


@audit.command()
@REGENCY
@explained
def head(regency: str | None) -> None:
    """Print the newest link of each chain, one JSON object a line: an anchor.

    Keep it where those who administer the database cannot change it: on paper, in a signed mail, with the inspectorate.
    `mpp audit verify --since-anchor FILE` compares later. Every backup holds the same.
    """
    with _databases() as databases:
        for slug, service in _chains(databases, regency):
            with _reading(databases[service], slug) as work:
                newest = audit_chain.head(work)
            click.echo(json.dumps(asdict(Anchor(slug, service, newest.sequence, newest.hash.hex()))))


@audit.command()
@REGENCY
@click.option(
    "--since-anchor",
    "anchors",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    multiple=True,
    help="What `mpp audit head` printed (- for standard input), or a backup; may be repeated.",
)
@explained
def verify(regency: str | None, anchors: tuple[Path, ...]) -> None:
    """Walk all chains and say of each whether every row is as it was written, none is missing and none was added.

    Somebody with the database's own rights can make a whole chain anew: that is found with an anchor. Rows of the last
    seconds are not sealed yet; they are counted. The exit status is 1 when a chain is broken or could not be read.
    """
    known = [anchor for path in anchors for anchor in _anchors(path)]
    bad = 0
    with _databases() as databases:
        chains = _chains(databases, regency)
        if missing := {(each.regency, each.service) for each in known if regency in (None, each.regency)} - set(chains):
            bad += len(missing)
            for slug, service in sorted(missing):
                click.echo(f"{slug:<28} {service:<13} BROKEN: an anchor knows this chain, and it is not there")
        for slug, service in chains:
            wanted = [each for each in known if (each.regency, each.service) == (slug, service)]
            try:
                report = _walk(databases[service], slug, service, wanted)
            except Unavailable as error:
                click.echo(f"{slug:<28} {service:<13} NOT READ: {error}")
                bad += 1
                continue
            click.echo(f"{slug:<28} {service:<13} {_told(report)}")
            bad += report.broken is not None
    click.echo(f"{len(chains)} chains, {bad} not in order")
    sys.exit(1 if bad else 0)


def _walk(database: Database, slug: str, service: str, anchors: list[Anchor]) -> Report:
    with _reading(database, slug) as work:
        length = audit_chain.extent(work)
        hidden = length < _PROGRESS_FROM or not sys.stderr.isatty()
        with click.progressbar(length=length, label=f"{slug} {service}", file=sys.stderr, hidden=hidden) as bar:
            report = audit_chain.verify(work, service, walked=bar.update)
        for anchor in anchors:
            report.broken = report.broken or audit_chain.compare(work, report, anchor)
    return report


def _told(report: Report) -> str:
    parts = []
    if report.first_at is not None and report.last_at is not None:
        parts.append(f"{report.rows:,} rows from {report.first_at:%Y-%m-%d} to {report.last_at:%Y-%m-%d %H:%M} UTC")
        parts.append(f"head {report.head.sequence} {report.head.hash.hex()[:16]}")
    else:
        parts.append("no rows")
    if report.cut_before:
        parts.append(f"begins after {report.cut_before}, older rows were removed when their time was over")
    if report.unsealed:
        parts.append(f"{report.unsealed} not sealed yet")
    parts += [f"restored from a backup on {at:%Y-%m-%d %H:%M} UTC" for at in report.restores]
    told = "; ".join(parts)
    return f"ok: {told}" if report.broken is None else f"BROKEN: {report.broken} ({told})"


def _anchors(path: Path) -> list[Anchor]:
    """Read anchors from what `mpp audit head` printed, or from a backup."""
    if str(path) != "-" and zipfile.is_zipfile(path):
        with Archive(path) as archive:
            return [
                Anchor(slug, service, *stored.audit_head)
                for slug, parts in archive.manifest.regencies.items()
                for service, stored in parts.items()
                if stored.audit_head is not None
            ]
    try:
        with click.open_file(str(path)) as file:
            told = [json.loads(line) for line in file if line.strip()]
        return [Anchor(str(each["regency"]), str(each["service"]), int(each["sequence"]), str(each["hash"])) for each in told]
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{path}: neither a backup nor what `mpp audit head` prints.") from error


def _chains(databases: Mapping[str, Database], regency: str | None) -> list[tuple[str, str]]:
    """Return regency and service of every chain, or of one regency's."""
    found = [(PLATFORM, service) for service in databases] + [
        (slug, service) for service, database in databases.items() for slug in database.regencies()
    ]
    chosen = sorted((each for each in found if regency in (None, each[0])), key=lambda each: (each[0], SERVICES.index(each[1])))
    if not chosen:
        raise click.ClickException(f"There is no regency {regency}. `mpp regency list` shows those that exist.")
    return chosen


@contextmanager
def _databases() -> Iterator[dict[str, Database]]:
    settings = Settings.from_environment()
    databases = {name: Database(name, settings.database_url(name), pool_size=1, placement=settings.placement) for name in SERVICES}
    try:
        yield databases
    finally:
        for database in databases.values():
            database.close()


@contextmanager
def _reading(database: Database, slug: str) -> Iterator[Work]:
    if slug == PLATFORM:
        with database.platform_work(timeout=LONG_SECONDS, server=HOME) as work:
            yield work
    else:
        with database.regency_work(slug, timeout=LONG_SECONDS, read_only=True) as unit:
            yield unit
