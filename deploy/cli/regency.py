"""``mpp migrate``, ``mpp seed`` and ``mpp regency``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from deploy import regencies
from deploy.cli.failures import explained
from deploy.seed import DATA, documents, seed, with_holidays
from services.chassis.rpc import RpcClient
from services.chassis.settings import Settings
from services.contracts.catalog import Regency


@click.command()
@click.option("--again", is_flag=True, help="Also what is up to date: gives back rights on tables that somebody took away.")
@explained
def migrate(again: bool) -> None:
    """Create what is missing and bring every regency's tables in every service up to date.

    Safe to repeat and to run beside a running platform. A regency that fails is reported and the others go on;
    the exit status is then 1. Needs MPP_ADMIN_DATABASE_URL and every MPP_<SERVICE>_DATABASE_URL.
    """
    reports = regencies.migrate(Settings.from_environment(), click.echo, again=again)
    failed = sum(len(report.failed) for report in reports)
    click.echo(f"{sum(len(report.done) for report in reports)} schemas up to date, {failed} failed")
    sys.exit(1 if failed else 0)


@click.command("seed")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=DATA,
    help="Folder of regency files (*.yaml); default: the five regencies that come along.",
)
@click.option("--overwrite", is_flag=True, help="Also change what exists to what the files say.")
@explained
def seed_command(data: Path, overwrite: bool) -> None:
    """Provision the regencies of a folder and load their catalogue. Safe to repeat.

    Creates what is missing and leaves alone what exists, national holidays included. Creates no accounts. Needs the variables of `migrate`,
    MPP_BROKER_URL and a running catalog service.
    """
    settings = Settings.from_environment()
    described = documents(data)
    regencies.prepare(settings)
    for document in described:
        regencies.add_regency(settings, document["regency"], click.echo)
    client = RpcClient(settings.required_broker_url(), "seed")
    client.start()
    try:
        totals = seed(client.call, map(with_holidays, described), overwrite=overwrite, progress=click.echo)
    finally:
        client.stop()
    click.echo(", ".join(f"{count} {name}" for name, count in totals.items()))


@click.group()
def regency() -> None:
    """Add and list regencies."""


@regency.command("add")
@click.argument("slug")
@click.option("--name", required=True, help='e.g. "Kabupaten Lampung Timur"')
@click.option("--code", required=True, help="Code of the Ministry of Home Affairs, e.g. 18.07")
@click.option("--province", required=True)
@click.option("--timezone", required=True, help="IANA name: Asia/Jakarta, Asia/Makassar or Asia/Jayapura")
@click.option("--capital", required=True)
@explained
def add(slug: str, **facts: str) -> None:
    """Provision the regency SLUG (e.g. lampung-timur) in every service.

    Safe to repeat: completes what an interrupted run left half done. Needs the variables of `migrate`.
    """
    described: dict[str, Any] = Regency().load({"id": slug, **facts})
    settings = Settings.from_environment()
    regencies.prepare(settings)
    regencies.add_regency(settings, described, click.echo)


@regency.command("list")
@explained
def list_regencies() -> None:
    """List all regencies, and in which services each is ready."""
    rows = regencies.regency_table(Settings.from_environment())
    if not rows:
        click.echo("No regency yet. Add one with `mpp regency add`, or the demo data with `mpp seed`.")
    for row in rows:
        click.echo(f"{row['id']:<28} {row['name']:<44} {', '.join(row['services'])}")
